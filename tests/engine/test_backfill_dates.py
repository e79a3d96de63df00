"""The dates that a backfill is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from asyncflow.core import timetable
from asyncflow.core.specs import DagSpec
from asyncflow.core.timetable import (
    ContinuousTimetable,
    CronIntervalTimetable,
    CronTriggerTimetable,
    DatasetOrTimeTimetable,
    DeltaIntervalTimetable,
    EventsTimetable,
    OnceTimetable,
    TimetableSpec,
)
from asyncflow.engine.backfills import scheduled_dates
from asyncflow.errors import InvalidInput

ZONES = ("UTC", "Europe/Berlin", "America/New_York")
#: around a change of the clocks, and in the middle of an hour
STARTS = (
    datetime(2025, 3, 29, tzinfo=UTC),
    datetime(2025, 10, 25, 13, 7, tzinfo=UTC),
    datetime(2025, 3, 8, 5, tzinfo=UTC),
)
TIMETABLES: list[TimetableSpec] = [
    *(CronIntervalTimetable(expression=text, timezone=z) for text in ("30 2 * * *", "*/7 * * * *") for z in ZONES),
    *(CronTriggerTimetable(expressions=("30 2 * * *", "0 5 * * *"), timezone=zone) for zone in ZONES),
    DeltaIntervalTimetable(delta=timedelta(hours=7)),
    OnceTimetable(),
    EventsTimetable(dates=(STARTS[0], STARTS[0] + timedelta(hours=3))),
    DatasetOrTimeTimetable(inner=CronIntervalTimetable(expression="0 * * * *")),
]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("spec", TIMETABLES, ids=lambda spec: type(spec).__name__)
def test_they_are_what_the_schedule_has_from_the_start_on(spec: TimetableSpec, start: datetime) -> None:
    end = start + timedelta(hours=50)
    found = scheduled_dates(DagSpec(dag_id="d", timetable=spec), start, end)
    asked = []
    last = None
    while True:
        info = timetable.next_run(spec, last=last, earliest=start, latest=end, catchup=True, now=end)
        if info is None or not start <= info.logical_date <= end:
            break
        last = info.data_interval
        asked.append((info.logical_date, last.start, last.end))
    assert [(entry.logical_date, entry.start, entry.end) for entry in found] == asked
    assert all(a.logical_date < b.logical_date for a, b in pairwise(found))


def test_more_than_anyone_asked_for_are_refused() -> None:
    hourly = DagSpec(dag_id="d", timetable=CronIntervalTimetable(expression="0 * * * *"))
    day = STARTS[0], STARTS[0] + timedelta(hours=23)
    assert len(scheduled_dates(hourly, *day, most=24)) == 24
    with pytest.raises(InvalidInput, match="more than 23 runs"):
        scheduled_dates(hourly, *day, most=23)


def test_a_schedule_without_ticks_keeps_its_start() -> None:
    found = scheduled_dates(DagSpec(dag_id="d", timetable=ContinuousTimetable()), STARTS[0], STARTS[1])
    assert [entry.start for entry in found][:1] == [STARTS[0]]
