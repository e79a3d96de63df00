"""TimeSensor: waits until a time of day."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from asyncflow.authoring import timezone
from asyncflow.authoring.triggers import StartTriggerArgs
from asyncflow.core.conditions import Condition, TimeOfDay
from asyncflow.sensors.base import BaseSensorOperator
from asyncflow.triggers.temporal import DateTimeTrigger, starting_at


class TimeSensor(BaseSensorOperator):
    """Waits until the clock in the DAG's time zone is past `target_time`."""

    def __init__(self, *, target_time: time, deferrable: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.target_time = target_time

    def server_condition(self, *, poked: bool) -> Condition | None:
        zone = self.dag.timezone if self.dag is not None else timezone.default_timezone()
        name = str(getattr(zone, "name", zone))
        try:
            ZoneInfo(name)
        except (ValueError, ZoneInfoNotFoundError):
            return None  # an offset without a name
        return TimeOfDay(time=self.target_time, timezone=name) if self.target_time.tzinfo is None else None

    def poke(self, context: Any) -> bool:
        self.log.info("Checking if the time (%s) has come", self.target_time)
        zone = self.dag.timezone if self.dag is not None else timezone.default_timezone()
        return timezone.make_naive(timezone.utcnow(), zone).time() > self.target_time

    def execute(self, context: Any) -> Any:
        """Poke; a deferrable one waits in a trigger for today's `target_time`."""
        if self.deferrable:
            self.defer(trigger=DateTimeTrigger(self.target_datetime), method_name="execute_complete")
        return super().execute(context)

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """The time has come."""

    @property
    def target_datetime(self) -> datetime:
        """`target_time` of the day that it is in the DAG's time zone."""
        today = timezone.make_naive(timezone.utcnow(), self._zone()).date()
        local = datetime.combine(today, self.target_time.replace(tzinfo=None))
        return timezone.convert_to_utc(timezone.make_aware(local, self.target_time.tzinfo or self._zone()))

    def _zone(self) -> Any:
        return self.dag.timezone if self.dag is not None else timezone.default_timezone()


class TimeSensorAsync(TimeSensor):
    """The same without a process; `start_from_trigger`, `end_from_trigger`: none at the beginning or at the end."""

    def __init__(
        self,
        *,
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(deferrable=True, **kwargs)
        self.start_from_trigger = start_from_trigger
        self.end_from_trigger = end_from_trigger
        self.trigger_kwargs = trigger_kwargs

    @property
    def start_trigger_args(self) -> StartTriggerArgs:
        """How it begins in its trigger."""
        return starting_at(self.target_datetime, end_from_trigger=self.end_from_trigger)

    def execute(self, context: Any) -> Any:
        """Wait in a trigger."""
        trigger = DateTimeTrigger(self.target_datetime, end_from_trigger=self.end_from_trigger)
        self.defer(trigger=trigger, method_name="execute_complete")
