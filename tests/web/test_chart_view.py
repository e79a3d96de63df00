from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from asyncflow.core.states import RunState
from asyncflow.store.grid import CellPart
from asyncflow.web import chart_view, dag_tree
from tests.web.dag_home import a_run, a_spec

SECOND = timedelta(seconds=1)
LINE = dag_tree.lines(a_spec(), frozenset(), "start")


def _part(day: int, seconds: float | None, **changed: Any) -> CellPart:
    start = a_run(day).run_after
    end = None if seconds is None else start + seconds * SECOND
    fields = {"line": 0, "state": "success", "many": 1, "try_number": 1, "queued_at": None, "mapped": False}
    return CellPart(**{**fields, "started_at": start, "ended_at": end, **changed})


def _chart(kind: str, *cells: list[CellPart]) -> chart_view.Chart:
    runs = [a_run(day) for day in range(len(cells))]
    return chart_view.task_charts(chart_view.KINDS[kind], LINE, runs, cells)[0]


@pytest.mark.parametrize(("share", "value"), [(0.5, 5), (0.95, 10), (0.1, 1), (1.0, 10)])
def test_quantiles_are_values_that_were_measured(share: float, value: float) -> None:
    assert chart_view.quantile([*range(10, 0, -1)], share) == value


def test_a_chart_tells_median_p95_most_and_last() -> None:
    chart = _chart("duration", *([_part(day, day + 1)] for day in range(10)))
    assert (chart.median, chart.p95, chart.most, chart.last) == ("5.00 s", "10.0 s", "10.0 s", "10.0 s")
    assert chart.dots[0].y > chart.dots[-1].y
    assert chart.path.count("L") == 9


def test_what_has_not_ended_or_did_not_run_has_no_duration() -> None:
    chart = _chart("duration", [_part(0, 2)], [_part(1, None, state="running")], [_part(2, 1, state="skipped")], [])
    assert len(chart.dots) == 1


def test_the_line_is_interrupted_where_a_run_has_no_value() -> None:
    chart = _chart("duration", [_part(0, 2)], [], [_part(2, 2)])
    assert chart.path.count("M") == 2


def test_landing_counts_from_the_end_of_the_interval() -> None:
    assert _chart("landing", [_part(0, 30)]).last == "30.0 s"


def test_tries_of_a_mapped_task_are_those_of_its_worst_copy() -> None:
    parts = [_part(0, 1, try_number=3, mapped=True), _part(0, 1, state="failed", try_number=2, mapped=True)]
    assert _chart("tries", parts).last == "3"
    assert _chart("tries", [_part(0, None, state="none", try_number=0)]).dots == []


def test_a_task_that_landed_early_is_at_the_bottom() -> None:
    chart = _chart("landing", [_part(0, -100)], [_part(1, 10)])
    assert chart.dots[0].y == chart.height - 5


def test_runs_have_a_chart_of_their_own() -> None:
    running = a_run(1, state=RunState.RUNNING, ended_at=None)
    chart = chart_view.run_chart(chart_view.KINDS["duration"], [a_run(0), running])
    assert (len(chart.dots), chart.last) == (1, "10.0 s")
    assert chart_view.run_chart(chart_view.KINDS["tries"], [a_run(0)]).dots == []


def test_new_versions_are_marked_between_runs() -> None:
    runs = [a_run(0), a_run(1, version="v2"), a_run(2, version="v2")]
    assert chart_view.new_versions(runs, {"v1": 1, "v2": 2}) == [(chart_view.step(len(runs)), "version 2 from here")]


def test_without_runs_there_is_nothing_to_chart() -> None:
    chart = _chart("duration")
    assert (chart.dots, chart.median) == ([], "")
