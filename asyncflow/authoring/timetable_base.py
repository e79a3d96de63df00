"""What every timetable of a DAG author has: the base class, and the tuples it is asked with and answers with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

import pendulum

from asyncflow.core import timetable as core
from asyncflow.core.timetable import DataInterval


class TimeRestriction(NamedTuple):
    """What the DAG says about when runs may be; both ends inclusive, None = open."""

    earliest: pendulum.DateTime | None
    latest: pendulum.DateTime | None
    catchup: bool


class DagRunInfo(NamedTuple):
    """A run that a timetable asks for. All moments must be aware."""

    run_after: pendulum.DateTime
    data_interval: DataInterval

    @classmethod
    def exact(cls, at: pendulum.DateTime) -> DagRunInfo:
        """A run with an empty interval at one moment."""
        return cls(at, DataInterval.exact(at))

    @classmethod
    def interval(cls, start: pendulum.DateTime, end: pendulum.DateTime) -> DagRunInfo:
        """A run for `[start, end)`, due at its end."""
        return cls(end, DataInterval(start, end))

    @property
    def logical_date(self) -> dt.datetime:
        """The moment that the run stands for."""
        return self.data_interval.start


class Timetable:
    """Base class for users' timetables: override `next_dagrun_info` and `infer_manual_data_interval`."""

    description: str = ""
    periodic: bool = True
    can_be_scheduled: bool = True
    run_ordering: Sequence[str] = ("data_interval_end", "execution_date")
    #: most runs that may be active at once, whatever the DAG says; None = as the DAG says
    active_runs_limit: int | None = None
    #: what else triggers runs: a Dataset or a condition over several
    dataset_condition: Any = None

    @property
    def summary(self) -> str:
        """The schedule in a word or two, for the UI."""
        return type(self).__name__

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """The counterpart of `serialize`; asyncflow keeps the object itself and never calls it."""
        return cls(**data)

    def serialize(self) -> dict[str, Any]:
        """The arguments as JSON values; asyncflow keeps the object itself and never calls it."""
        return {}

    def validate(self) -> None:
        """Raises InvalidTimetable if the timetable cannot work; called when the DAG file is loaded."""

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """The data interval of a run that a person triggers at `run_after`."""
        raise NotImplementedError(f"{type(self).__name__} does not say infer_manual_data_interval")

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The run after the last automated one, or None if there is none (for now)."""
        raise NotImplementedError(f"{type(self).__name__} does not say next_dagrun_info")

    def generate_run_id(
        self, *, run_type: Any, logical_date: dt.datetime, data_interval: DataInterval | None = None, **extra: Any
    ) -> str:
        """The id of a run that was not given one."""
        return core.run_id(getattr(run_type, "value", run_type), logical_date)

    def to_spec(self) -> core.TimetableSpec:
        """The schedule as data, for the server."""
        return core.CustomTimetable(
            name=f"{type(self).__module__}.{type(self).__qualname__}",
            summary=self.summary,
            description=self.description,
            can_be_scheduled=self.can_be_scheduled,
            periodic=self.periodic,
        )
