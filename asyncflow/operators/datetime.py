"""BranchDateTimeOperator: goes on by what time it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from asyncflow.authoring import timezone
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.operators.branch import BaseBranchOperator

Moment = dt.datetime | dt.time | None


class BranchDateTimeOperator(BaseBranchOperator):
    """Takes the first way from `target_lower` to `target_upper`, else the second. Times of day are those of today."""

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Iterable[str],
        follow_task_ids_if_false: str | Iterable[str],
        target_lower: Moment = None,
        target_upper: Moment = None,
        use_task_logical_date: bool = False,
        use_task_execution_date: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if target_lower is None and target_upper is None:
            raise AirflowException(f"Task {self.task_id!r}: both target_lower and target_upper are None.")
        self.target_lower = target_lower
        self.target_upper = target_upper
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false
        self.use_task_logical_date = use_task_logical_date or use_task_execution_date

    def choose_branch(self, context: Any) -> Any:
        now = context["logical_date"] if self.use_task_logical_date else timezone.utcnow()
        now = timezone.coerce_datetime(now)
        bounds = target_times_as_dates(now, self.target_lower, self.target_upper)
        lower, upper = (timezone.coerce_datetime(bound, self._zone()) for bound in bounds)
        inside = (lower is None or lower <= now) and (upper is None or now <= upper)
        return self.follow_task_ids_if_true if inside else self.follow_task_ids_if_false

    def _zone(self) -> Any:
        return self.dag.timezone if self.dag is not None else timezone.default_timezone()


def target_times_as_dates(
    base_date: dt.datetime, lower: Moment, upper: Moment
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Times of day as moments of the day of `base_date`; an upper one that is earlier than the lower is next day's."""
    over_midnight = isinstance(lower, dt.time) and isinstance(upper, dt.time) and upper < lower
    first, last = (_on_day(base_date, bound) for bound in (lower, upper))
    if over_midnight and last is not None:
        last += dt.timedelta(days=1)
    return first, last


def _on_day(day: dt.datetime, bound: Moment) -> dt.datetime | None:
    return dt.datetime.combine(day, bound, bound.tzinfo or day.tzinfo) if isinstance(bound, dt.time) else bound
