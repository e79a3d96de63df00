from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from asyncflow.core.models import DagRun
from asyncflow.core.specs import TaskSpec
from asyncflow.core.states import RunState
from asyncflow.store.grid import CellPart
from asyncflow.web.dag_tree import lines
from asyncflow.web.forecast import NOTHING, forecast, insight
from tests.web.dag_home import a_run, a_spec

NOW = a_run(0).run_after
USUAL = {"start": 10.0, "short": 5.0, "long": 60.0, "end": 20.0}


def chain() -> dict[str, TaskSpec]:
    """start >> [short, long] >> end"""
    return {
        "start": TaskSpec(task_id="start", downstream=("long", "short")),
        "short": TaskSpec(task_id="short", upstream=("start",), downstream=("end",)),
        "long": TaskSpec(task_id="long", upstream=("start",), downstream=("end",)),
        "end": TaskSpec(task_id="end", upstream=("long", "short")),
    }


SPEC = a_spec(tasks=chain(), groups={})


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def live() -> DagRun:
    return a_run(0, state=RunState.RUNNING, started_at=NOW, ended_at=None)


def part(state: str, start: float | None = None, end: float | None = None) -> list[CellPart]:
    times = (None if start is None else at(start), None if end is None else at(end))
    return [CellPart(0, state, 1, 1, *times, None, False)]


def test_without_a_run_the_path_is_the_longest_by_experience() -> None:
    found = forecast(SPEC, USUAL, None, {}, NOW)
    assert found.path == ("start", "long", "end")
    assert found.end is None
    assert found.links() == {("start", "long"), ("long", "end")}


def test_a_run_that_goes_on_ends_as_it_usually_would() -> None:
    parts = {"start": part("success", 0, 12), "short": part("running", 12), "long": part("running", 12)}
    found = forecast(SPEC, USUAL, live(), parts, at(20))
    assert found.end == at(12 + 60 + 20)
    assert (found.spans["short"].end, found.spans["short"].predicted) == (at(20), True)
    assert found.spans["end"].start == at(72)
    assert found.path == ("start", "long", "end")


def test_what_takes_longer_than_usual_is_expected_to_end_now() -> None:
    parts = {"start": part("success", 0, 12), "short": part("running", 12), "long": part("success", 12, 30)}
    found = forecast(SPEC, USUAL, live(), parts, at(500))
    assert found.end == at(520)
    assert found.path == ("start", "short", "end")


def test_of_a_run_that_is_over_the_path_is_what_it_really_waited_for() -> None:
    parts = {
        "start": part("success", 0, 1),
        "short": part("success", 1, 90),
        "long": part("success", 1, 3),
        "end": part("success", 90, 91),
    }
    found = forecast(SPEC, USUAL, a_run(0), parts, at(999))
    assert (found.path, found.end) == (("start", "short", "end"), None)


def test_what_was_skipped_or_never_ran_is_on_no_path() -> None:
    parts = {"start": part("success", 0, 1), "long": part("skipped"), "short": part("success", 1, 2)}
    found = forecast(SPEC, USUAL, a_run(0), parts, at(999))
    assert found.path == ("start", "short")
    assert "end" not in found.spans


def test_nothing_is_foreseen_of_a_dag_that_never_ran() -> None:
    assert forecast(SPEC, {}, None, {}, NOW) == NOTHING
    assert forecast(SPEC, {}, live(), {}, NOW).end is None


@pytest.mark.parametrize("state", ["queued", "scheduled", "none", "up_for_retry"])
def test_what_waits_begins_at_the_soonest_now(state: str) -> None:
    found = forecast(SPEC, USUAL, live(), {"start": part(state)}, at(30))
    assert found.spans["start"].start == at(30)
    assert found.end == at(30 + 10 + 60 + 20)


def test_a_group_that_is_folded_has_the_path_and_the_times_of_its_tasks() -> None:
    spec = a_spec()
    usual = {"start": 1.0, "load.users": 5.0, "load.orders": 9.0, "end": 1.0}
    plan = forecast(spec, usual, None, {}, NOW)
    run = forecast(spec, usual, live(), {}, NOW)
    known = insight(lines(spec, frozenset()), plan, usual, run)
    assert known.usual == {"start": 1.0, "load": 9.0, "end": 1.0}
    assert known.path == {"start", "load", "end"}
    assert known.links == {("start", "load"), ("load", "end")}
    assert known.ends == {"start": at(1), "load": at(10), "end": at(11)}


def test_arrows_that_cross_the_border_of_a_group_are_in_pieces() -> None:
    spec = a_spec()
    usual = {"start": 1.0, "load.users": 5.0, "end": 1.0}
    plan = forecast(spec, usual, None, {}, NOW)
    known = insight(lines(spec, frozenset({"load"})), plan, usual, plan)
    assert known.links == {("start", "load"), ("load", "load.users"), ("load.users", "load"), ("load", "end")}
