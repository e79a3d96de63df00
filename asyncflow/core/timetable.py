"""Schedules: which runs a DAG has, and when. Pure: `now` is an argument.

Two readings of a cron string exist, and a DAG file's dialect chooses (`DagSpec.dialect`):

- dialect 2 (Airflow 2, our default): *data interval* (`CronIntervalTimetable`). A run stands for `[start, end)` between
  two ticks, its logical date is `start`, it is due at `end`. A bare timedelta or relativedelta means the same.
- dialect 3 (the file imports `airflow.sdk`): *trigger* (`CronTriggerTimetable`). Logical date = the tick = when it is
  due; the data interval is empty unless `interval` is set.

        ticks       t0        t1        t2              data interval: run (t0..t1) at t1, run (t1..t2) at t2
        ------------|---------|---------|----->         trigger:       run (t0) at t0, run (t1) at t1, ...

Rules, all as Airflow 2.11 (judge: tests/golden/data/timetables.json):

- `earliest` and `latest` are inclusive and compared with the interval's start (trigger timetables: with the tick).
- with `catchup` the first run starts at the first tick from `earliest` on, the next one where the last ended; without
  it, all but the newest complete interval (trigger: the newest tick) are left out.
- without `catchup`, timedelta and relativedelta align to the Unix epoch (a month counts 30 days there), not to
  `earliest`. With it they start at `earliest`, and are added in UTC, so months drift (31 Jan, 29 Feb, 29 Mar).
- `last` need not be a tick: after a change of the schedule the next run starts at the tick at or before its end.
- a schedule that has no further moment (year field in the past, 30 February) has no next run; that is no error.

A run never ends before the last one did: where Airflow's arithmetic goes in circles (`0 * * * *` in
Australia/Lord_Howe, whose clock changes by half an hour), the next interval starts at the end of the last.

Limits: `CustomTimetable` is user code, so this module answers OnlyHostKnows for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from asyncflow.core.cron import CronTicks, NoSuchTime, parsed, plain_utc, zone_of
from asyncflow.core.schedule_words import cron_words, span_words
from asyncflow.core.sentence import Sentence
from asyncflow.core.states import RunType
from asyncflow.core.ticks import DeltaTicks, Span, Ticks, check_span, newest_start, relativedelta_of, shift
from asyncflow.errors import AsyncflowError, InvalidTimetable


class OnlyHostKnows(AsyncflowError):
    """A user's own Timetable class was asked here; its DAG host must be asked instead (`NeedTimetable`)."""


class DataInterval(NamedTuple):
    """Half-open `[start, end)`, aware UTC."""

    start: datetime
    end: datetime

    @classmethod
    def exact(cls, at: datetime) -> DataInterval:
        """The empty interval at one moment."""
        return cls(at, at)


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
    #: keyword arguments of dateutil.relativedelta.relativedelta; `weekday` as [day, n], n null if not given
    fields: dict[str, Any]


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
    inner: TimetableSpec = NullTimetable()


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


# ---- questions ------------------------------------------------------------------------------------------------------


def next_run(
    spec: TimetableSpec,
    *,
    last: DataInterval | None,
    earliest: datetime | None,
    latest: datetime | None,
    catchup: bool,
    now: datetime,
) -> DagRunInfo | None:
    """The run after `last` (interval of the newest scheduled or backfill run), or None if there is none.

    Its `run_after` may be past or future. Moments in and out are aware; what comes out is UTC.
    Raises InvalidTimetable for a spec that `validate` refuses, OnlyHostKnows for a custom timetable.
    """
    look = _Look(
        None if last is None else DataInterval(plain_utc(last.start), plain_utc(last.end)),
        None if earliest is None else plain_utc(earliest),
        None if latest is None else plain_utc(latest),
        catchup,
        plain_utc(now),
    )
    try:
        return _next_run(spec, look)
    except (NoSuchTime, OverflowError):
        return None


def manual_interval(spec: TimetableSpec, run_after: datetime) -> DataInterval:
    """The data interval of a run that a person triggers at `run_after`.

    Raises InvalidTimetable if the schedule has no interval that far back, OnlyHostKnows for a custom timetable.
    """
    try:
        return _manual_interval(spec, plain_utc(run_after))
    except (NoSuchTime, OverflowError) as error:
        raise InvalidTimetable(f"A run at {run_after.isoformat()} has no data interval: {error}.") from None


def validate(spec: TimetableSpec) -> None:
    """Raises InvalidTimetable, with a sentence, for a schedule that cannot work."""
    match spec:
        case CronIntervalTimetable():
            zone_of(spec.timezone)
            parsed(spec.expression)
        case CronTriggerTimetable():
            zone_of(spec.timezone)
            if not spec.expressions:
                raise InvalidTimetable("A cron trigger timetable needs at least one cron expression.")
            for expression in spec.expressions:
                parsed(expression)
        case DeltaIntervalTimetable() | RelativeDeltaTimetable() | DeltaTriggerTimetable():
            check_span(_step_of(spec))
        case DatasetOrTimeTimetable():
            if isinstance(spec.inner, DatasetTimetable | DatasetOrTimeTimetable):
                raise InvalidTimetable("A dataset timetable cannot stand inside another one.")
            validate(spec.inner)
        case _:
            pass


def run_id(run_type: RunType | str, logical_date: datetime) -> str:
    """The id of a run that was not given one: `scheduled__2024-01-01T00:00:00+00:00`."""
    return f"{RunType(run_type)}__{plain_utc(logical_date).isoformat()}"


def run_type_of(run_id: str) -> RunType:
    """The type that an id's prefix tells; MANUAL for any other id."""
    for run_type in RunType:
        if run_id.startswith(f"{run_type}__"):
            return run_type
    return RunType.MANUAL


# ---- ticks of the periodic schedules ---------------------------------------------------------------------------


def ticks_of(spec: CronIntervalTimetable | DeltaIntervalTimetable | RelativeDeltaTimetable) -> Ticks:
    """The moments between which a data-interval schedule has its intervals."""
    if isinstance(spec, CronIntervalTimetable):
        return CronTicks(spec.expression, spec.timezone)
    return DeltaTicks(_step_of(spec))


def _step_of(
    spec: DeltaIntervalTimetable | RelativeDeltaTimetable | DeltaTriggerTimetable,
) -> Span:
    if isinstance(spec, RelativeDeltaTimetable):
        return relativedelta_of(spec.fields)
    if isinstance(spec, DeltaTriggerTimetable) and spec.delta_fields is not None:
        return relativedelta_of(spec.delta_fields)
    return spec.delta


def _interval_of(spec: CronTriggerTimetable | DeltaTriggerTimetable) -> Span:
    return spec.interval if spec.interval_fields is None else relativedelta_of(spec.interval_fields)


# ---- the next run, kind by kind ----------------------------------------------------------------------------------


class _Look(NamedTuple):
    """Where the schedule stands when it is asked for the next run."""

    last: DataInterval | None
    earliest: datetime | None
    latest: datetime | None
    catchup: bool
    now: datetime

    def too_late(self, moment: datetime) -> bool:
        return self.latest is not None and moment > self.latest


def _next_run(spec: TimetableSpec, look: _Look) -> DagRunInfo | None:
    match spec:
        case CronIntervalTimetable() | DeltaIntervalTimetable() | RelativeDeltaTimetable():
            return _next_interval(ticks_of(spec), look)
        case CronTriggerTimetable():
            return _next_cron_trigger(spec, look)
        case DeltaTriggerTimetable():
            tick = _next_tick(DeltaTicks(_step_of(spec)), look, run_immediately=True)
            return _triggered(tick, _interval_of(spec), look)
        case OnceTimetable():
            if look.last is not None or look.earliest is None or look.too_late(look.earliest):
                return None
            return _run(look.earliest, look.earliest)
        case ContinuousTimetable():
            return _next_continuous(look)
        case EventsTimetable():
            return _next_event(spec, look)
        case DatasetOrTimeTimetable():
            return _next_run(spec.inner, look)
        case CustomTimetable():
            raise OnlyHostKnows(f"The timetable {spec.name} is user code: only its DAG host can say when it runs next.")
        case _:
            return None


def _run(start: datetime, end: datetime) -> DagRunInfo:
    start, end = plain_utc(start), plain_utc(end)
    return DagRunInfo(start, DataInterval(start, end), end)


def _next_interval(ticks: Ticks, look: _Look) -> DagRunInfo | None:
    start = None if look.earliest is None else ticks.ceil(look.earliest)
    if not look.catchup:
        newest = newest_start(ticks, look.now)
        start = newest if start is None else max(newest, start)
    if look.last is not None:
        resumed = ticks.floor(look.last.end)
        if ticks.after(resumed) <= look.last.end:
            resumed = look.last.end
        start = resumed if start is None else max(resumed, start)
    if start is None or look.too_late(start):
        return None
    end = ticks.after(start)
    return _run(start, end) if end > start else None


def _next_tick(ticks: Ticks, look: _Look, *, run_immediately: bool | timedelta) -> datetime:
    """When a trigger schedule fires next. Raises NoSuchTime if it does not know where to begin."""
    candidates = [] if look.catchup else [ticks.floor(look.now)]
    if look.last is not None:
        candidates.append(ticks.after(look.last.end))
    elif look.earliest is None:
        candidates.append(_first_tick(ticks, look.now, run_immediately))
    if look.earliest is not None and (look.last is None or not look.catchup):
        candidates.append(ticks.ceil(look.earliest))
    return max(candidates)


def _first_tick(ticks: Ticks, now: datetime, run_immediately: bool | timedelta) -> datetime:
    """The first run of a DAG without a start date: the tick just past, or the coming one (`run_immediately`)."""
    past, coming = ticks.floor(now), ticks.ceil(now)
    if run_immediately is True:
        return past
    if isinstance(run_immediately, timedelta):
        patience = run_immediately
    else:
        patience = max((coming - past) / 10, timedelta(minutes=5))
    return past if now - past <= patience else coming


def _next_cron_trigger(spec: CronTriggerTimetable, look: _Look) -> DagRunInfo | None:
    ticks = []
    for expression in spec.expressions:
        try:
            cron = CronTicks(expression, spec.timezone)
            ticks.append(_next_tick(cron, look, run_immediately=spec.run_immediately))
        except NoSuchTime:
            continue
    if not ticks:
        return None
    due = [tick for tick in ticks if tick <= look.now]
    # Without catch-up the newest of several due ticks stands for all of them; else the earliest comes first.
    tick = max(due) if due and not look.catchup else min(ticks)
    return _triggered(tick, _interval_of(spec), look)


def _triggered(tick: datetime, interval: Span, look: _Look) -> DagRunInfo | None:
    return None if look.too_late(tick) else _run(shift(tick, -interval), tick)


def _next_continuous(look: _Look) -> DagRunInfo | None:
    if look.earliest is None:
        return None
    start = look.earliest if look.last is None else look.last.end
    end = max(look.now, look.earliest) if look.last is None else look.now
    return None if look.too_late(end) else _run(start, end)


def _next_event(spec: EventsTimetable, look: _Look) -> DagRunInfo | None:
    earliest = look.earliest
    if not look.catchup:
        earliest = look.now if earliest is None else max(earliest, look.now)
    for event in spec.dates:
        if (earliest is None or event >= earliest) and (look.last is None or event > look.last.end):
            return None if look.too_late(event) else _run(event, event)
    return None


def _manual_interval(spec: TimetableSpec, run_after: datetime) -> DataInterval:
    match spec:
        case CronIntervalTimetable():
            cron = CronTicks(spec.expression, spec.timezone)
            end = cron.floor(run_after)
            return DataInterval(cron.before(end), end)
        case DeltaIntervalTimetable() | RelativeDeltaTimetable():
            return DataInterval(shift(run_after, -_step_of(spec)), run_after)
        case CronTriggerTimetable() | DeltaTriggerTimetable():
            return DataInterval(shift(run_after, -_interval_of(spec)), run_after)
        case EventsTimetable() if spec.restrict_to_events and spec.dates:
            past = [event for event in spec.dates if event <= run_after]
            return DataInterval.exact(plain_utc(past[-1] if past else spec.dates[0]))
        case DatasetOrTimeTimetable():
            return _manual_interval(spec.inner, run_after)
        case CustomTimetable():
            raise OnlyHostKnows(f"The timetable {spec.name} is user code: only its DAG host knows the data interval.")
        case _:
            return DataInterval.exact(run_after)


# ---- words ----------------------------------------------------------------------------------------------------------


def summary(spec: TimetableSpec) -> str:
    """The schedule as its author wrote it: the cron text, "1 day, 0:00:00", "@once", "None", ..."""
    match spec:
        case OnceTimetable():
            return "@once"
        case ContinuousTimetable():
            return "@continuous"
        case CronIntervalTimetable():
            return spec.expression
        case CronTriggerTimetable():
            return ", ".join(spec.expressions)
        case DeltaIntervalTimetable() | RelativeDeltaTimetable() | DeltaTriggerTimetable():
            return str(_step_of(spec))
        case EventsTimetable():
            return spec.description or f"{len(spec.dates)} events"
        case DatasetTimetable():
            return "Dataset"
        case DatasetOrTimeTimetable():
            return f"Dataset or {summary(spec.inner)}"
        case CustomTimetable():
            return spec.summary or spec.name
        case _:
            return "None"


def describe(spec: TimetableSpec) -> str:
    """The schedule in words, one short line: "Every day at 02:30 (Europe/Amsterdam)"."""
    match spec:
        case OnceTimetable():
            return Sentence("Once, as soon as possible")
        case ContinuousTimetable():
            return Sentence("As often as possible, one run at a time")
        case CronIntervalTimetable() | CronTriggerTimetable():
            texts = spec.expressions if isinstance(spec, CronTriggerTimetable) else (spec.expression,)
            words = [cron_words(text) for text in texts]
            said = words[0] if len(words) == 1 else "; ".join(words)
            if spec.timezone.upper() == "UTC":
                return said
            return Sentence("{schedule} ({zone})", schedule=said, zone=spec.timezone)
        case DeltaIntervalTimetable() | RelativeDeltaTimetable() | DeltaTriggerTimetable():
            return Sentence("Every {span}", span=span_words(_step_of(spec)))
        case EventsTimetable():
            return spec.description or _events_words(spec)
        case DatasetTimetable():
            return Sentence("Triggered by datasets")
        case DatasetOrTimeTimetable():
            return Sentence("Triggered by datasets, or: {schedule}", schedule=describe(spec.inner))
        case CustomTimetable():
            return spec.description or spec.summary or spec.name
        case _:
            return Sentence("Never, triggered by hand only")


def _events_words(spec: EventsTimetable) -> str:
    if not spec.dates:
        return Sentence("No events")
    first, last = spec.dates[0], spec.dates[-1]
    return Sentence("{n} events between {first} and {last}", n=len(spec.dates), first=str(first), last=str(last))
