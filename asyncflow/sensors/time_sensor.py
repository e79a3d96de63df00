"""TimeSensor: waits until a time of day."""

from __future__ import annotations

from datetime import time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from asyncflow.authoring import timezone
from asyncflow.core.conditions import Condition, TimeOfDay
from asyncflow.sensors.base import BaseSensorOperator


class TimeSensor(BaseSensorOperator):
    """Waits until the clock in the DAG's time zone is past `target_time`."""

    def __init__(self, *, target_time: time, deferrable: bool = False, **kwargs: Any) -> None:
        """With `deferrable` it holds no process between pokes."""
        super().__init__(**({"mode": "reschedule", **kwargs} if deferrable else kwargs))
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


class TimeSensorAsync(TimeSensor):
    """The same; holds no process between pokes."""

    def __init__(self, *, start_from_trigger: bool = False, end_from_trigger: bool = False, **kwargs: Any) -> None:
        super().__init__(deferrable=True, **kwargs)
        self.end_from_trigger = end_from_trigger
