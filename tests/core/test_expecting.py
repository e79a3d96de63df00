"""Whether a schedule will ever come to a date, and what lies next to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from asyncflow.core.expecting import nearest, outlook
from asyncflow.core.live import LiveDag
from asyncflow.core.models import DagRun
from asyncflow.core.states import RunState
from asyncflow.core.timetable import (
    ContinuousTimetable,
    CronIntervalTimetable,
    CronTriggerTimetable,
    CustomTimetable,
    DagRunInfo,
    DataInterval,
    DatasetOrTimeTimetable,
    DatasetTimetable,
    DeltaIntervalTimetable,
    EventsTimetable,
    NullTimetable,
    RelativeDeltaTimetable,
    TimetableSpec,
)
from tests.core.simulate import DAY, START, a_dag, a_task

HOUR = timedelta(hours=1)
DAILY = CronIntervalTimetable(expression="0 0 * * *")


def dag(timetable: TimetableSpec, *, next_run: datetime | None = START, paused: bool = False, **fields: Any) -> LiveDag:
    live = LiveDag(a_dag(a_task("a"), timetable=timetable, dag_id="d", **fields), "v1", paused=paused)
    if next_run is not None:
        live.next_run = DagRunInfo(next_run, DataInterval(next_run, next_run + DAY), next_run + DAY)
    return live


@pytest.mark.parametrize(
    "timetable",
    [
        DAILY,
        CronTriggerTimetable(expressions=("0 0 * * *",)),
        DatasetOrTimeTimetable(inner=DAILY),
        DeltaIntervalTimetable(delta=DAY),
        EventsTimetable(dates=(START + DAY,)),
    ],
)
def test_a_date_of_the_schedule_will_come(timetable: TimetableSpec) -> None:
    assert outlook(dag(timetable), START + DAY) == ""


@pytest.mark.parametrize(
    "timetable",
    [
        DAILY,
        CronTriggerTimetable(expressions=("0 0 * * *",)),
        DeltaIntervalTimetable(delta=DAY),
        EventsTimetable(dates=(START + DAY,)),
    ],
)
def test_a_date_beside_the_schedule_never_comes(timetable: TimetableSpec) -> None:
    assert outlook(dag(timetable), START + DAY + HOUR).endswith("never comes to that date.")


def test_a_delta_counts_from_the_last_run_when_there_is_no_next_one() -> None:
    live = dag(DeltaIntervalTimetable(delta=DAY), next_run=None)
    assert "passed" in outlook(live, START)
    live.last_interval = DataInterval(START + HOUR, START + HOUR + DAY)
    assert "never comes" in outlook(live, START)


@pytest.mark.parametrize("timetable", [NullTimetable(), DatasetTimetable(expression="a")])
def test_without_a_schedule_none_comes(timetable: TimetableSpec) -> None:
    assert "has no schedule that would make it" in outlook(dag(timetable), START)


@pytest.mark.parametrize(
    "timetable",
    [ContinuousTimetable(), CustomTimetable(name="T"), RelativeDeltaTimetable(fields={"months": 1})],
)
def test_of_some_schedules_nothing_can_be_told(timetable: TimetableSpec) -> None:
    assert outlook(dag(timetable), START + HOUR) == ""


def test_a_date_that_was_passed_over_is_gone() -> None:
    assert "has passed that date" in outlook(dag(DAILY), START - DAY)


def test_a_date_before_the_start_or_after_the_end() -> None:
    live = dag(DAILY, start_date=START, end_date=START + DAY)
    assert "starts later" in outlook(live, START - DAY)
    assert "ends before" in outlook(live, START + 2 * DAY)


def test_a_paused_dag_makes_no_run() -> None:
    assert "is paused" in outlook(dag(DAILY, paused=True), START + DAY)


def run(name: str, date: datetime | None) -> DagRun:
    return DagRun(dag_id="d", run_id=name, state=RunState.FAILED, logical_date=date, run_after=START)


def test_the_nearest_runs_are_one_on_each_side() -> None:
    runs = [run("far", START - DAY), run("near", START - HOUR), run("later", START + DAY), run("undated", None)]
    assert nearest(runs, START) == "near (failed) and later (failed)"
    assert nearest(runs[:1], START) == "far (failed)"
    assert nearest([], START) == ""
