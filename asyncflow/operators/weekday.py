"""BranchDayOfWeekOperator: goes on by the day of the week."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asyncflow.authoring import timezone
from asyncflow.authoring.weekday import WeekDay
from asyncflow.operators.branch import BaseBranchOperator


class BranchDayOfWeekOperator(BaseBranchOperator):
    """Takes the first way on the given day or days, else the second."""

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Iterable[str],
        follow_task_ids_if_false: str | Iterable[str],
        week_day: str | WeekDay | Iterable[str] | Iterable[WeekDay],
        use_task_logical_date: bool = False,
        use_task_execution_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false
        self.week_day = week_day
        self.use_task_logical_date = use_task_logical_date or use_task_execution_day
        self._week_day_num = WeekDay.validate_week_day(week_day)

    def choose_branch(self, context: Any) -> Any:
        if self.use_task_logical_date:
            today = context["logical_date"]
        else:
            today = timezone.make_naive(timezone.utcnow(), self.dag.timezone if self.dag is not None else None)
        on_day = today.isoweekday() in self._week_day_num
        return self.follow_task_ids_if_true if on_day else self.follow_task_ids_if_false
