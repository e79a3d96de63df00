"""TimeDeltaSensor: waits some time after the end of the run's data interval."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from asyncflow.authoring import timezone
from asyncflow.core.conditions import Condition, IntervalOver
from asyncflow.sensors.base import BaseSensorOperator
from asyncflow.triggers.temporal import DateTimeTrigger


class TimeDeltaSensor(BaseSensorOperator):
    """Waits until `delta` after the data interval's end; of a run without one, after its logical date or start."""

    def __init__(self, *, delta: timedelta, deferrable: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.delta = delta
        self.deferrable = deferrable
        self.end_from_trigger = False

    def server_condition(self, *, poked: bool) -> Condition:
        return IntervalOver(delta=self.delta)

    def poke(self, context: Any) -> bool:
        target = self._target(context)
        self.log.info("Checking if the delta has elapsed %s, delta: %s", target, self.delta)
        return bool(timezone.utcnow() > target)

    def _target(self, context: Any) -> Any:
        run = context["dag_run"]
        return (context.get("data_interval_end") or run.logical_date or run.run_after) + self.delta

    def execute(self, context: Any) -> Any:
        """Poke; a deferrable one waits in a trigger."""
        if not self.deferrable:
            return super().execute(context)
        target = self._target(context)
        if timezone.utcnow() <= target:
            trigger = DateTimeTrigger(target, end_from_trigger=self.end_from_trigger)
            self.defer(trigger=trigger, method_name="execute_complete")
        return True

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """The time is over."""


class TimeDeltaSensorAsync(TimeDeltaSensor):
    """The same without a process; with `end_from_trigger` it needs none at the end either."""

    def __init__(self, *, end_from_trigger: bool = False, **kwargs: Any) -> None:
        super().__init__(deferrable=True, **kwargs)
        self.end_from_trigger = end_from_trigger
