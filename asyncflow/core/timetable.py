"""Schedules: which runs a DAG has, and when. (contract stub: helper B completes this file)"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec


class DataInterval(NamedTuple):
    """Half-open `[start, end)`, aware UTC."""

    start: datetime
    end: datetime


class DagRunInfo(NamedTuple):
    """A run that a timetable asks for."""

    logical_date: datetime
    data_interval: DataInterval
    run_after: datetime


class _Timetable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class NullTimetable(_Timetable, tag="null", frozen=True, kw_only=True):
    pass


class OnceTimetable(_Timetable, tag="once", frozen=True, kw_only=True):
    pass


class ContinuousTimetable(_Timetable, tag="continuous", frozen=True, kw_only=True):
    pass


class CronIntervalTimetable(_Timetable, tag="cron", frozen=True, kw_only=True):
    """Data-interval cron (Airflow 2's meaning of a cron string)."""

    expression: str  #: presets already translated
    timezone: str = "UTC"


class DeltaIntervalTimetable(_Timetable, tag="delta", frozen=True, kw_only=True):
    delta: timedelta


class RelativeDeltaTimetable(_Timetable, tag="relativedelta", frozen=True, kw_only=True):
    fields: dict[str, Any]  #: keyword arguments of dateutil.relativedelta.relativedelta


class CronTriggerTimetable(_Timetable, tag="cron_trigger", frozen=True, kw_only=True):
    """Trigger cron (Airflow 3's meaning of a cron string); `interval` before the trigger is the data interval."""

    expressions: tuple[str, ...]  #: several for MultipleCronTriggerTimetable
    timezone: str = "UTC"
    interval: timedelta = timedelta(0)
    interval_fields: dict[str, Any] | None = None  #: a relativedelta interval
    run_immediately: bool | timedelta = False


class DeltaTriggerTimetable(_Timetable, tag="delta_trigger", frozen=True, kw_only=True):
    delta: timedelta = timedelta(0)
    delta_fields: dict[str, Any] | None = None
    interval: timedelta = timedelta(0)
    interval_fields: dict[str, Any] | None = None


class EventsTimetable(_Timetable, tag="events", frozen=True, kw_only=True):
    dates: tuple[datetime, ...]
    restrict_to_events: bool = False
    presorted: bool = False
    description: str = ""


class DatasetTimetable(_Timetable, tag="dataset", frozen=True, kw_only=True):
    """Runs when its datasets are updated; no time schedule. `expression` is JSON: see DagSpec.dataset_expression."""

    expression: Any = None


class DatasetOrTimeTimetable(_Timetable, tag="dataset_or_time", frozen=True, kw_only=True):
    expression: Any = None
    inner: Any = None  #: msgpack-able form of the inner timetable (`TimetableSpec`)


class CustomTimetable(_Timetable, tag="custom", frozen=True, kw_only=True):
    """A user's Timetable class: only the DAG host can answer for it."""

    name: str
    summary: str = ""
    description: str = ""
    can_be_scheduled: bool = True
    periodic: bool = True


TimetableSpec = (
    NullTimetable
    | OnceTimetable
    | ContinuousTimetable
    | CronIntervalTimetable
    | DeltaIntervalTimetable
    | RelativeDeltaTimetable
    | CronTriggerTimetable
    | DeltaTriggerTimetable
    | EventsTimetable
    | DatasetTimetable
    | DatasetOrTimeTimetable
    | CustomTimetable
)
