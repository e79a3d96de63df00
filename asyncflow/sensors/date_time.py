"""DateTimeSensor: waits until a moment has passed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from asyncflow.authoring import timezone
from asyncflow.core.conditions import Condition, MomentPassed
from asyncflow.sensors.base import BaseSensorOperator
from asyncflow.triggers.temporal import DateTimeTrigger, starting_at


class DateTimeSensor(BaseSensorOperator):
    """Waits for `target_time`, a moment or a (template of a) text of one."""

    template_fields: Sequence[str] = ("target_time",)

    def __init__(self, *, target_time: str | datetime, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(target_time, str | datetime):
            raise TypeError(
                f"Task {self.task_id!r}: target_time must be a text or a datetime, not {type(target_time).__name__}."
            )
        self.target_time = target_time.isoformat() if isinstance(target_time, datetime) else target_time

    def server_condition(self, *, poked: bool) -> Condition | None:
        try:
            moment = timezone.parse(self.target_time).astimezone(UTC)
            return MomentPassed(at=datetime.combine(moment.date(), moment.timetz()))
        except ValueError:
            return None  # `poke` says it better

    def poke(self, context: Any) -> bool:
        self.log.info("Checking if the time (%s) has come", self.target_time)
        return timezone.utcnow() > timezone.parse(self.target_time)


class DateTimeSensorAsync(DateTimeSensor):
    """The same without a process; `start_from_trigger`, `end_from_trigger`: none at the beginning or at the end."""

    def __init__(
        self,
        *,
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start_from_trigger = start_from_trigger
        self.end_from_trigger = end_from_trigger
        self.trigger_kwargs = trigger_kwargs
        if start_from_trigger:
            self.start_trigger_args = starting_at(timezone.parse(self.target_time), end_from_trigger=end_from_trigger)

    def execute(self, context: Any) -> Any:
        """Wait in a trigger."""
        moment = timezone.parse(self.target_time)
        trigger = DateTimeTrigger(moment, end_from_trigger=self.end_from_trigger)
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """The moment has come."""
