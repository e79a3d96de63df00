"""TimeDeltaSensor: waits some time after the end of the run's data interval."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from asyncflow.authoring import timezone
from asyncflow.core.conditions import Condition, IntervalOver
from asyncflow.sensors.base import BaseSensorOperator


class TimeDeltaSensor(BaseSensorOperator):
    """Waits until `delta` after the data interval's end; of a run without one, after its logical date or start."""

    def __init__(self, *, delta: timedelta, deferrable: bool = False, **kwargs: Any) -> None:
        """With `deferrable` it holds no process between pokes."""
        super().__init__(**({"mode": "reschedule", **kwargs} if deferrable else kwargs))
        self.delta = delta

    def server_condition(self, *, poked: bool) -> Condition:
        return IntervalOver(delta=self.delta)

    def poke(self, context: Any) -> bool:
        run = context["dag_run"]
        begin = context.get("data_interval_end") or run.logical_date or run.run_after
        target = begin + self.delta
        self.log.info("Checking if the delta has elapsed %s, delta: %s", target, self.delta)
        return bool(timezone.utcnow() > target)


class TimeDeltaSensorAsync(TimeDeltaSensor):
    """The same; holds no process between pokes."""

    def __init__(self, *, end_from_trigger: bool = False, **kwargs: Any) -> None:
        super().__init__(deferrable=True, **kwargs)
        self.end_from_trigger = end_from_trigger
