"""The questions about its schedule that a DAG object answers: `dag.following_schedule()` and its kin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pendulum

from asyncflow.authoring import timezone
from asyncflow.authoring.timetables import DagRunInfo, DataInterval, TimeRestriction, Timetable


class ScheduleMethods:
    """Mixin of DAG."""

    timetable: Timetable
    start_date: datetime | None
    end_date: datetime | None
    catchup: bool
    task_dict: dict[str, Any]

    def infer_automated_data_interval(self, logical_date: datetime) -> DataInterval:
        """The data interval of a scheduled run, given its logical date."""
        start = timezone.coerce_datetime(logical_date)
        step = getattr(self.timetable, "_get_next", None)
        end = step(start) if step is not None and type(self.timetable).__name__.endswith("IntervalTimetable") else start
        return DataInterval(start, timezone.coerce_datetime(end))

    def following_schedule(self, dttm: datetime) -> pendulum.DateTime | None:
        """The logical date after this one."""
        last = self.infer_automated_data_interval(dttm)
        info = self.timetable.next_dagrun_info(
            last_automated_data_interval=last, restriction=TimeRestriction(None, None, True)
        )
        return None if info is None else timezone.convert_to_utc(info.data_interval.start)

    def previous_schedule(self, dttm: datetime) -> pendulum.DateTime | None:
        """The logical date before this one; None for schedules that cannot tell."""
        step = getattr(self.timetable, "_get_prev", None)
        return None if step is None else timezone.convert_to_utc(step(timezone.coerce_datetime(dttm)))

    def next_dagrun_info(
        self, last_automated_dagrun: DataInterval | None, *, restricted: bool = True
    ) -> DagRunInfo | None:
        """The run after `last_automated_dagrun` (None: the first)."""
        restriction = self._time_restriction() if restricted else TimeRestriction(None, None, True)
        return self.timetable.next_dagrun_info(
            last_automated_data_interval=last_automated_dagrun, restriction=restriction
        )

    def iter_dagrun_infos_between(self, earliest: datetime | None, latest: datetime) -> Iterator[DagRunInfo]:
        """The runs with a logical date from `earliest` (default: the start date) to `latest`, both included."""
        first = earliest or self._time_restriction().earliest
        if first is None:
            return
        restriction = TimeRestriction(timezone.coerce_datetime(first), timezone.coerce_datetime(latest), True)
        last: DataInterval | None = None
        while True:
            info = self.timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
            if info is None:
                return
            yield info
            last = info.data_interval

    def _time_restriction(self) -> TimeRestriction:
        starts = [task.start_date for task in self.task_dict.values() if task.start_date] or [self.start_date]
        ends = [task.end_date for task in self.task_dict.values()]
        earliest = min((start for start in starts if start), default=None)
        latest = None if None in ends or not ends else max(ends)
        return TimeRestriction(
            timezone.coerce_datetime(earliest), timezone.coerce_datetime(latest or self.end_date), self.catchup
        )
