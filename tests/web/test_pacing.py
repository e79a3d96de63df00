"""How often tabs are told."""

from __future__ import annotations

import pytest

from asyncflow.engine.changes import Mark
from asyncflow.web.pacing import LONGEST, SAVED, SHARE, Budget, Ticks


def _given(budget: Budget, count: int, now: float, tabs: int = 200) -> list[float]:
    return [budget.reserve("dags", now, tabs) for _ in range(count)]


def test_in_quiet_times_each_event_goes_out_at_once() -> None:
    budget = Budget()
    budget.spent("dags", 0.01)
    assert all(budget.reserve("dags", float(second), 200) == second for second in range(100, 200))


def test_a_burst_is_spread_so_that_its_fetches_take_their_share_alone() -> None:
    budget = Budget()
    budget.spent("dags", 0.002)
    moments = _given(budget, 300, 1000.0)
    at_once = sum(moment == 1000.0 for moment in moments)
    assert at_once * 0.002 == pytest.approx(SAVED, abs=0.004)
    assert moments[299] - moments[200] == pytest.approx(99 * 0.002 / SHARE)
    assert budget.behind(1000.0) > 0


def test_a_few_tabs_may_take_more() -> None:
    few, many = Budget(), Budget()
    for budget in (few, many):
        budget.spent("dags", 0.01)
    assert _given(few, 100, 1000.0, tabs=3)[-1] < _given(many, 100, 1000.0, tabs=300)[-1]


def test_nobody_waits_for_ever() -> None:
    budget = Budget()
    budget.spent("dags", 1.0)
    assert max(_given(budget, 50, 1000.0)) <= 1000.0 + LONGEST


def test_the_cost_is_an_average_that_follows() -> None:
    budget = Budget()
    budget.spent("dags", 1.0)
    for _ in range(200):
        budget.spent("dags", 0.001)
    assert len({*_given(budget, 100, 1000.0)}) == 1


def test_a_tick_lasts_and_each_thing_has_its_own() -> None:
    ticks, first, second = Ticks(), Mark("s", 1, 0), Mark("s", 2, 0)
    assert ticks.present(("dag", "a"), 0.0) is None
    assert ticks.tick(("dag", "a"), 0.0, first, 1.0).mark == first
    assert ticks.tick(("dag", "a"), 0.9, second, 1.0).mark == first
    assert ticks.tick(("dag", "b"), 0.9, second, 1.0).mark == second
    assert ticks.tick(("dag", "a"), 1.0, second, 1.0).mark == second
