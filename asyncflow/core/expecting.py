"""Will there ever be the run that a sensor waits for? Says so in words when there will not. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from asyncflow.core import timetable
from asyncflow.core.calendar import restriction
from asyncflow.core.live import LiveDag
from asyncflow.core.models import DagRun
from asyncflow.core.sentence import Sentence
from asyncflow.core.timetable import (
    ContinuousTimetable,
    CustomTimetable,
    DatasetOrTimeTimetable,
    DatasetTimetable,
    DeltaIntervalTimetable,
    DeltaTriggerTimetable,
    NullTimetable,
    RelativeDeltaTimetable,
    TimetableSpec,
)

#: schedules whose dates cannot be told from the date alone
_UNFORESEEABLE = (CustomTimetable, ContinuousTimetable, RelativeDeltaTimetable)


def outlook(dag: LiveDag, date: datetime) -> str:
    """What is to be expected of a logical date that no run of the DAG has; empty when the schedule will come to it.

    Empty, too, where only the future can tell (custom and continuous timetables).
    """
    name, spec = dag.spec.dag_id, dag.spec.timetable
    if isinstance(spec, DatasetOrTimeTimetable):
        spec = spec.inner
    if isinstance(spec, NullTimetable | DatasetTimetable):
        schedule = timetable.describe(dag.spec.timetable)
        return Sentence("DAG {dag!r} has no schedule that would make it ({schedule}).", dag=name, schedule=schedule)
    if isinstance(spec, _UNFORESEEABLE):
        return ""
    if not _is_on(spec, dag, date):
        schedule = timetable.describe(dag.spec.timetable)
        return Sentence(
            "The schedule of DAG {dag!r} ({schedule}) never comes to that date.", dag=name, schedule=schedule
        )
    earliest, latest = restriction(dag.spec)
    if earliest is not None and date < earliest:
        return Sentence("DAG {dag!r} starts later, on {date}.", dag=name, date=earliest.isoformat())
    if latest is not None and date > latest:
        return Sentence("DAG {dag!r} ends before, on {date}.", dag=name, date=latest.isoformat())
    if dag.next_run is None or date < dag.next_run.logical_date:
        return Sentence("The schedule of DAG {dag!r} has passed that date without making it.", dag=name)
    return Sentence("DAG {dag!r} is paused, so its schedule makes no runs.", dag=name) if dag.paused else ""


def _is_on(spec: TimetableSpec, dag: LiveDag, date: datetime) -> bool:
    """Whether a date is one of the schedule's, its start and end aside."""
    if isinstance(spec, DeltaIntervalTimetable | DeltaTriggerTimetable):
        known = dag.next_run.logical_date if dag.next_run else dag.last_interval.start if dag.last_interval else date
        return (date - known) % spec.delta == timedelta(0)
    found = timetable.next_run(spec, last=None, earliest=date, latest=None, catchup=True, now=date)
    return found is not None and found.logical_date == date


def nearest(runs: Iterable[DagRun], date: datetime) -> str:
    """The runs with the logical dates next to `date` on either side, in words; empty without any."""
    dated = sorted((run.logical_date, run.run_id, run.state.value) for run in runs if run.logical_date is not None)
    before = [run for run in dated if run[0] < date][-1:]
    after = [run for run in dated if run[0] > date][:1]
    return " and ".join(f"{run_id} ({state})" for _, run_id, state in before + after)
