"""DayOfWeekSensor: waits for a day of the week."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asyncflow.authoring import timezone
from asyncflow.authoring.weekday import WeekDay
from asyncflow.sensors.base import BaseSensorOperator


class DayOfWeekSensor(BaseSensorOperator):
    """True on the given day or days: of now in UTC, or of the logical date."""

    def __init__(
        self,
        *,
        week_day: str | WeekDay | Iterable[str] | Iterable[WeekDay],
        use_task_logical_date: bool = False,
        use_task_execution_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.week_day = week_day
        self.use_task_logical_date = use_task_logical_date or use_task_execution_day
        self._week_day_num = WeekDay.validate_week_day(week_day)

    def poke(self, context: Any) -> bool:
        today = context["logical_date"] if self.use_task_logical_date else timezone.utcnow()
        self.log.info("Poking until weekday is in %s, today is %s", self.week_day, WeekDay(today.isoweekday()).name)
        return today.isoweekday() in self._week_day_num
