"""Airflow 2.11's schedules, recorded: which runs come when, manual runs, run ids, which cron texts are accepted."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pendulum
import pytest
from dateutil.relativedelta import relativedelta

from asyncflow.authoring import timetables
from asyncflow.core import timetable as core
from asyncflow.errors import InvalidTimetable

GOLDEN = Path(os.environ.get("ASYNCFLOW_GOLDEN", Path(__file__).parent / "data"))
MAX_RUNS = 30  #: as many as the recording lists per case


def cases(kind: str) -> list[Any]:
    found = json.loads((GOLDEN / "timetables.json").read_text())["cases"]
    return [pytest.param(case, id=case["id"]) for case in found if case["kind"] == kind]


def span_of(value: dict[str, Any]) -> timedelta | relativedelta:
    return relativedelta(**value["fields"]) if value["type"] == "relativedelta" else timedelta(seconds=value["seconds"])


def schedule_of(case: dict[str, Any]) -> core.TimetableSpec:
    """The spec of a case's schedule, by the way a DAG file takes."""
    given = case["schedule"]
    interval = {"interval": span_of(given["interval"])} if given.get("interval") else {}
    value: Any
    match given["type"]:
        case "preset" | "cron":
            value = given["value"]
        case "timedelta" | "relativedelta":
            value = span_of(given)
        case "none":
            value = None
        case "omitted":
            value = timetables.NOTSET
        case "cron_trigger":
            value = timetables.CronTriggerTimetable(given["cron"], timezone=given["timezone"], **interval)
        case "delta_trigger":
            value = timetables.DeltaTriggerTimetable(span_of(given["delta"]), **interval)
        case "events":
            dates = [datetime.fromisoformat(date) for date in given["dates"]]
            value = timetables.EventsTimetable(dates, restrict_to_events=given["restrict_to_events"])
    return timetables.resolve_schedule(value, timezone=case["timezone"], dialect=2).to_spec()


def moment(text: str | None, zone: str) -> datetime | None:
    return None if text is None else pendulum.parse(text, tz=zone)  # type: ignore[return-value]


def shown(info: core.DagRunInfo | None) -> dict[str, str] | None:
    if info is None:
        return None
    return {
        "run_id": core.run_id("scheduled", info.logical_date),
        "logical_date": info.logical_date.isoformat(),
        "data_interval_start": info.data_interval.start.isoformat(),
        "data_interval_end": info.data_interval.end.isoformat(),
        "run_after": info.run_after.isoformat(),
    }


class Scheduler:
    """The part of a scheduler that the recording describes: makes what is due, at most once per logical date."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.spec = schedule_of(case)
        self.earliest = moment(case["start_date"], case["timezone"])
        self.latest = moment(case["end_date"], case["timezone"])
        self.catchup = case["catchup"]
        self.last: core.DataInterval | None = None
        self.next: core.DagRunInfo | None = None
        self.made: set[datetime] = set()

    def plan(self, now: datetime) -> None:
        self.next = core.next_run(
            self.spec, last=self.last, earliest=self.earliest, latest=self.latest, catchup=self.catchup, now=now
        )

    def tick(self, now: datetime, *, parse: bool, room: int) -> list[dict[str, str] | None]:
        if parse:
            self.plan(now)
        created: list[dict[str, str] | None] = []
        while self.next is not None and self.next.run_after <= now and len(created) < room:
            if self.next.logical_date not in self.made:
                self.made.add(self.next.logical_date)
                created.append(shown(self.next))
            self.last = self.next.data_interval
            self.plan(now)
            if isinstance(self.spec, core.ContinuousTimetable):
                break
        return created


@pytest.mark.parametrize("case", cases("runs"))
def test_the_scheduler_makes_these_runs(case: dict[str, Any]) -> None:
    scheduler = Scheduler(case)
    room = MAX_RUNS
    for tick in case["expected"]["ticks"]:
        created = scheduler.tick(datetime.fromisoformat(tick["now"]), parse=tick["parse"], room=room)
        assert created == tick["created"], f"at {tick['now']}"
        room -= len(created)
    assert shown(scheduler.next) == case["expected"]["next"]


@pytest.mark.parametrize("case", cases("manual"))
def test_a_run_triggered_by_hand_has_this_interval(case: dict[str, Any]) -> None:
    run_after = datetime.fromisoformat(case["run_after"])
    expected = case["expected"]
    if "error" in expected:
        with pytest.raises(InvalidTimetable, match="no data interval"):
            core.manual_interval(schedule_of(case), run_after)
        return
    interval = core.manual_interval(schedule_of(case), run_after)
    assert expected == {
        "run_id": core.run_id("manual", run_after),
        "logical_date": run_after.astimezone(UTC).isoformat(),
        "data_interval_start": interval.start.isoformat(),
        "data_interval_end": interval.end.isoformat(),
    }


@pytest.mark.parametrize("case", cases("run_id"))
def test_run_ids_are_made_of_type_and_logical_date(case: dict[str, Any]) -> None:
    assert core.run_id(case["run_type"], datetime.fromisoformat(case["logical_date"])) == case["expected"]


@pytest.mark.parametrize("case", cases("run_type_of_run_id"))
def test_the_prefix_of_a_run_id_tells_its_type(case: dict[str, Any]) -> None:
    assert core.run_type_of(case["run_id"]) == case["expected"]


@pytest.mark.parametrize("case", cases("validity"))
def test_cron_texts_are_accepted_or_refused(case: dict[str, Any]) -> None:
    if not case["expected"]["valid"]:
        with pytest.raises(InvalidTimetable, match="is not a cron expression"):
            core.validate(schedule_of(case))
        return
    spec = schedule_of(case)
    core.validate(spec)
    start, now = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
    first = core.next_run(spec, last=None, earliest=start, latest=None, catchup=True, now=now)
    assert shown(first) == case["expected"]["first"]
