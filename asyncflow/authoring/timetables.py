"""Timetables as DAG authors write them: what may stand as `schedule=`, and the classes to import or to subclass.

Names and behaviour are those of `airflow.timetables.*`. The built-in classes are thin: each is a spec of
`core.timetable` (`to_spec()`), and answers `next_dagrun_info` from there, so that a user's subclass can call `super()`.
A user's subclass becomes `CustomTimetable`: the server asks for each next run in the DAG host, which calls `answer`.
Moments handed to user code are `pendulum.DateTime` in UTC, as in Airflow.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from contextvars import ContextVar
from typing import Any, ClassVar, Literal

import pendulum
from dateutil.relativedelta import relativedelta

from asyncflow.authoring.timetable_base import DagRunInfo as DagRunInfo
from asyncflow.authoring.timetable_base import TimeRestriction as TimeRestriction
from asyncflow.authoring.timetable_base import Timetable as Timetable
from asyncflow.authoring.timetable_values import (
    Delta,
    aware,
    cron_text,
    json_span,
    pendulum_zone,
    span_parts,
    utc_moment,
    zone_name,
)
from asyncflow.authoring.types import NOTSET as NOTSET
from asyncflow.authoring.types import is_arg_set
from asyncflow.core import timetable as core
from asyncflow.core.cron import CronTicks, plain_utc
from asyncflow.core.messages import AskTimetable, TimetableAnswer
from asyncflow.core.ticks import DeltaTicks, Ticks, newest_start
from asyncflow.core.timetable import DataInterval as DataInterval
from asyncflow.errors import InvalidTimetable

#: the moment that `answer` was asked for; built-in timetables read the clock when nobody asked
_asked_now: ContextVar[dt.datetime | None] = ContextVar("asked_now", default=None)


class _BuiltIn(Timetable):
    """A timetable that `core.timetable` knows; a subclass outside this module is a user's and thus custom."""

    def _spec(self) -> core.TimetableSpec:
        raise NotImplementedError

    def to_spec(self) -> core.TimetableSpec:
        """The schedule as data, for the server."""
        return self._spec() if type(self).__module__ == __name__ else super().to_spec()

    @property
    def summary(self) -> str:
        """The schedule as its author wrote it."""
        return core.summary(self._spec())

    def validate(self) -> None:
        """Raises InvalidTimetable, with a sentence, for a schedule that cannot work."""
        core.validate(self._spec())

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """The data interval of a run that a person triggers at `run_after`."""
        start, end = core.manual_interval(self._spec(), run_after)
        return DataInterval(utc_moment(start), utc_moment(end))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The run after the last automated one, or None if there is none."""
        info = core.next_run(
            self._spec(),
            last=last_automated_data_interval,
            earliest=restriction.earliest,
            latest=restriction.latest,
            catchup=restriction.catchup,
            now=_now(),
        )
        if info is None:
            return None
        return DagRunInfo(
            utc_moment(info.run_after), DataInterval(*(utc_moment(moment) for moment in info.data_interval))
        )

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, _BuiltIn) and other._spec() == self._spec()

    def __hash__(self) -> int:
        return hash((type(self), self.summary))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.summary}>"


class _Described(_BuiltIn):
    """Built-in timetables whose description is worked out, unless someone sets one."""

    _description: str | None = None

    @property
    def description(self) -> str:
        """The schedule in words."""
        return str(core.describe(self._spec())) if self._description is None else self._description

    @description.setter
    def description(self, text: str) -> None:
        self._description = text


class _Ticking:
    """Airflow's inner steps, which users' subclasses of the cron and delta timetables call."""

    def _ticks(self) -> Ticks:
        raise NotImplementedError

    def _get_next(self, current: dt.datetime) -> pendulum.DateTime:
        return utc_moment(self._ticks().after(current))

    def _get_prev(self, current: dt.datetime) -> pendulum.DateTime:
        return utc_moment(self._ticks().before(current))

    def _align_to_next(self, current: dt.datetime) -> pendulum.DateTime:
        return utc_moment(self._ticks().ceil(current))

    def _align_to_prev(self, current: dt.datetime) -> pendulum.DateTime:
        return utc_moment(self._ticks().floor(current))

    def _skip_to_latest(self, earliest: dt.datetime | None) -> pendulum.DateTime:
        newest = utc_moment(newest_start(self._ticks(), _now()))
        return newest if earliest is None else max(newest, self._align_to_next(earliest))


# ---- without ticks --------------------------------------------------------------------------------------------------


class NullTimetable(_BuiltIn):
    """`schedule=None`: runs are only made by hand, through the API, or by another DAG."""

    description = "Never, external triggers only"
    periodic = False
    can_be_scheduled = False
    run_ordering = ("execution_date",)

    def _spec(self) -> core.TimetableSpec:
        return core.NullTimetable()


class OnceTimetable(_BuiltIn):
    """`schedule="@once"`: one run, at the start date."""

    description = "Once, as soon as possible"
    periodic = False
    run_ordering = ("execution_date",)

    def _spec(self) -> core.TimetableSpec:
        return core.OnceTimetable()


class ContinuousTimetable(_BuiltIn):
    """`schedule="@continuous"`: the next run starts when the last has ended."""

    description = "As frequently as possible, but only one run at a time."
    periodic = False
    run_ordering = ("execution_date",)
    active_runs_limit = 1

    def _spec(self) -> core.TimetableSpec:
        return core.ContinuousTimetable()


class EventsTimetable(_Described):
    """Runs at the moments listed. `restrict_to_events`: a run triggered by hand stands for the newest past event."""

    def __init__(
        self,
        event_dates: Iterable[dt.datetime],
        restrict_to_events: bool = False,
        presorted: bool = False,
        description: str | None = None,
    ) -> None:
        dates = [aware(date, "an event date") for date in event_dates]
        self.event_dates = dates if presorted else sorted(dates)
        self.restrict_to_events = restrict_to_events
        self._description = description

    def _spec(self) -> core.TimetableSpec:
        return core.EventsTimetable(
            dates=tuple(plain_utc(date) for date in self.event_dates),
            restrict_to_events=self.restrict_to_events,
            description=self._description or "",
        )

    def serialize(self) -> dict[str, Any]:
        """The arguments as JSON values."""
        return {"event_dates": [str(date) for date in self.event_dates], "restrict_to_events": self.restrict_to_events}


# ---- data intervals -------------------------------------------------------------------------------------------------


class CronDataIntervalTimetable(_Ticking, _Described):
    """Data intervals between the ticks of a cron expression; what a cron string means in Airflow 2."""

    def __init__(self, cron: str, timezone: str | dt.tzinfo) -> None:
        self._expression = cron_text(cron)
        self._timezone_name = zone_name(timezone)

    @property
    def _timezone(self) -> pendulum.Timezone | pendulum.FixedTimezone:
        return pendulum_zone(self._timezone_name)

    def _spec(self) -> core.CronIntervalTimetable:
        return core.CronIntervalTimetable(expression=self._expression, timezone=self._timezone_name)

    def _ticks(self) -> Ticks:
        return core.ticks_of(self._spec())

    def serialize(self) -> dict[str, Any]:
        """The arguments as JSON values."""
        return {"expression": self._expression, "timezone": self._timezone_name}


class DeltaDataIntervalTimetable(_Ticking, _Described):
    """Data intervals of one length; what a timedelta or relativedelta means in Airflow 2."""

    def __init__(self, delta: Delta) -> None:
        self._delta = delta

    def _spec(self) -> core.DeltaIntervalTimetable | core.RelativeDeltaTimetable:
        span, fields = span_parts(self._delta)
        return core.DeltaIntervalTimetable(delta=span) if fields is None else core.RelativeDeltaTimetable(fields=fields)

    def _ticks(self) -> Ticks:
        return DeltaTicks(self._delta)

    def serialize(self) -> dict[str, Any]:
        """The arguments as JSON values."""
        return {"delta": json_span(self._delta)}


# ---- triggers -------------------------------------------------------------------------------------------------------


class CronTriggerTimetable(_Ticking, _Described):
    """A run at each tick; `interval` before the tick is its data interval. What a cron string means in Airflow 3."""

    def __init__(
        self,
        cron: str,
        *,
        timezone: str | dt.tzinfo,
        interval: Delta = dt.timedelta(),
        run_immediately: bool | dt.timedelta = False,
    ) -> None:
        self._expressions: tuple[str, ...] = (cron_text(cron),)
        self._timezone_name = zone_name(timezone)
        self._interval = interval
        self._run_immediately = run_immediately

    @property
    def _expression(self) -> str:
        return self._expressions[0]

    @property
    def _timezone(self) -> pendulum.Timezone | pendulum.FixedTimezone:
        return pendulum_zone(self._timezone_name)

    def _spec(self) -> core.CronTriggerTimetable:
        span, fields = span_parts(self._interval)
        return core.CronTriggerTimetable(
            expressions=self._expressions,
            timezone=self._timezone_name,
            interval=span,
            interval_fields=fields,
            run_immediately=self._run_immediately,
        )

    def _ticks(self) -> Ticks:
        return CronTicks(self._expression, self._timezone_name)

    def serialize(self) -> dict[str, Any]:
        """The arguments as JSON values."""
        return {
            "expression": self._expression,
            "timezone": self._timezone_name,
            "interval": json_span(self._interval),
        }


class MultipleCronTriggerTimetable(_Described):
    """A run whenever one of several cron expressions ticks; one run, if several tick at once."""

    def __init__(
        self,
        *crons: str,
        timezone: str | dt.tzinfo,
        interval: Delta = dt.timedelta(),
        run_immediately: bool | dt.timedelta = False,
    ) -> None:
        if not crons:
            raise InvalidTimetable("MultipleCronTriggerTimetable needs at least one cron expression.")
        self._expressions = tuple(cron_text(cron) for cron in crons)
        self._first = CronTriggerTimetable(
            crons[0], timezone=timezone, interval=interval, run_immediately=run_immediately
        )

    def _spec(self) -> core.TimetableSpec:
        first = self._first._spec()
        return core.CronTriggerTimetable(
            expressions=self._expressions,
            timezone=first.timezone,
            interval=first.interval,
            interval_fields=first.interval_fields,
            run_immediately=first.run_immediately,
        )

    def serialize(self) -> dict[str, Any]:
        """The arguments as JSON values."""
        first = self._first.serialize()
        del first["expression"]
        return {"expressions": list(self._expressions), **first}


class DeltaTriggerTimetable(_Ticking, _Described):
    """A run every `delta`; `interval` before it is its data interval."""

    def __init__(self, delta: Delta, *, interval: Delta = dt.timedelta()) -> None:
        self._delta = delta
        self._interval = interval

    def _spec(self) -> core.DeltaTriggerTimetable:
        delta, delta_fields = span_parts(self._delta)
        interval, interval_fields = span_parts(self._interval)
        return core.DeltaTriggerTimetable(
            delta=delta, delta_fields=delta_fields, interval=interval, interval_fields=interval_fields
        )

    def _ticks(self) -> Ticks:
        return DeltaTicks(self._delta)

    def serialize(self) -> dict[str, Any]:
        """The arguments as JSON values."""
        return {"delta": json_span(self._delta), "interval": json_span(self._interval)}


# ---- datasets -------------------------------------------------------------------------------------------------------


class DatasetTriggeredTimetable(_BuiltIn):
    """`schedule=[dataset, ...]`: a run when its datasets were updated. Takes a list, one dataset, or a condition."""

    description = "Triggered by datasets"
    periodic = False
    run_ordering = ("execution_date",)

    def __init__(self, datasets: Any) -> None:
        self.dataset_condition = datasets

    def _spec(self) -> core.TimetableSpec:
        return core.DatasetTimetable(expression=dataset_expression(self.dataset_condition))


class DatasetOrTimeSchedule(_BuiltIn):
    """Runs by a timetable and, besides, when datasets were updated. `assets` is Airflow 3's word for `datasets`."""

    _MOVED: ClassVar = ("periodic", "can_be_scheduled", "active_runs_limit")

    def __init__(self, *, timetable: Timetable, datasets: Any = None, assets: Any = None) -> None:
        self.timetable = timetable
        self.description = f"Triggered by datasets or {timetable.description}"
        self.dataset_condition = datasets if assets is None else assets
        for name in self._MOVED:
            setattr(self, name, getattr(timetable, name))

    def _spec(self) -> core.TimetableSpec:
        inner = self.timetable.to_spec()
        if isinstance(inner, core.CustomTimetable):
            return Timetable.to_spec(self)  # the host must be asked; the datasets travel in DagSpec.dataset_expression
        return core.DatasetOrTimeTimetable(expression=dataset_expression(self.dataset_condition), inner=inner)

    @property
    def summary(self) -> str:
        """As Airflow shows it."""
        return f"Dataset or {self.timetable.summary}"

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """As the inner timetable, which may be user code."""
        return self.timetable.infer_manual_data_interval(run_after=run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """As the inner timetable, which may be user code."""
        return self.timetable.next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )


def dataset_expression(value: Any) -> Any:
    """A dataset, a condition or a collection of them as JSON: a URI, `{"all": [...]}`, `{"any": [...]}`."""
    if hasattr(value, "as_expression"):
        return value.as_expression()
    if hasattr(value, "uri"):
        return value.uri
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        return {"all": [dataset_expression(item) for item in value]}
    raise InvalidTimetable(f"All elements in 'schedule' must be datasets or conditions of datasets, not {value!r}.")


# ---- what may stand as schedule= ------------------------------------------------------------------------------------


def resolve_schedule(value: Any, *, timezone: str | dt.tzinfo, dialect: Literal[2, 3] = 2) -> Timetable:
    """The timetable that a `schedule=` (or `schedule_interval=`, `timetable=`) stands for; not yet validated.

    NOTSET means daily in dialect 2 and None in dialect 3. `timezone` is the DAG's and counts for cron texts.
    Raises InvalidTimetable for a value that is no schedule.
    """
    if not is_arg_set(value):
        value = dt.timedelta(days=1) if dialect == 2 else None
    if value is None:
        return NullTimetable()
    if isinstance(value, Timetable):
        return value
    if isinstance(value, str):
        return _text_schedule(value, timezone, dialect)
    if isinstance(value, dt.timedelta | relativedelta):
        return DeltaDataIntervalTimetable(value) if dialect == 2 else DeltaTriggerTimetable(value)
    if hasattr(value, "as_expression") or hasattr(value, "uri") or isinstance(value, list | tuple | set | frozenset):
        return DatasetTriggeredTimetable(value)
    raise InvalidTimetable(
        f"{value!r} is not a schedule: give a cron text, a preset such as '@daily', a timedelta or relativedelta, "
        "a timetable, a list of datasets, or None."
    )


def _text_schedule(text: str, timezone: str | dt.tzinfo, dialect: int) -> Timetable:
    if text == "@once":
        return OnceTimetable()
    if text == "@continuous":
        return ContinuousTimetable()
    if dialect == 2:
        return CronDataIntervalTimetable(text, timezone)
    return CronTriggerTimetable(text, timezone=timezone)


# ---- asked by the server ---------------------------------------------------------------------------------------------


def answer(timetable: Timetable, question: AskTimetable) -> TimetableAnswer:
    """What a timetable says to the server's question; an error of user code becomes the answer's `error`."""
    token = _asked_now.set(question.now)
    try:
        return _ask(timetable, question)
    except Exception as error:  # user code may raise anything, and the server must hear of it
        text = f"{type(timetable).__name__}: {type(error).__name__}: {error}"
        return TimetableAnswer(request_id=question.request_id, error=text)
    finally:
        _asked_now.reset(token)


def _ask(timetable: Timetable, question: AskTimetable) -> TimetableAnswer:
    if question.question == "manual":
        interval = timetable.infer_manual_data_interval(run_after=utc_moment(question.now))
        return _answered(question, question.now, question.now, interval)
    last = None
    if question.last_start is not None and question.last_end is not None:
        last = DataInterval(utc_moment(question.last_start), utc_moment(question.last_end))
    earliest, latest = (None if at is None else utc_moment(at) for at in (question.earliest, question.latest))
    info = timetable.next_dagrun_info(
        last_automated_data_interval=last, restriction=TimeRestriction(earliest, latest, question.catchup)
    )
    if info is None:
        return TimetableAnswer(request_id=question.request_id)
    return _answered(question, info.logical_date, info.run_after, info.data_interval)


def _answered(question: AskTimetable, logical_date: Any, run_after: Any, interval: Any) -> TimetableAnswer:
    return TimetableAnswer(
        request_id=question.request_id,
        logical_date=plain_utc(aware(logical_date, "the logical date")),
        start=plain_utc(aware(interval.start, "the data interval's start")),
        end=plain_utc(aware(interval.end, "the data interval's end")),
        run_after=plain_utc(aware(run_after, "run_after")),
    )


def _now() -> dt.datetime:
    return _asked_now.get() or dt.datetime.now(dt.UTC)
