"""Triggers that fire at a moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from asyncflow.authoring import timezone
from asyncflow.authoring.triggers import BaseTrigger, StartTriggerArgs, TaskSuccessEvent, TriggerEvent

#: a clock that is set is noticed within so many seconds
_LONGEST_SLEEP = 60.0


class DateTimeTrigger(BaseTrigger):
    """Fires once `moment` has come; the event is the moment, or the end of the task with `end_from_trigger`.

    Raises TypeError for what is no datetime, ValueError for one without a time zone.
    """

    def __init__(self, moment: datetime, *, end_from_trigger: bool = False) -> None:
        super().__init__()
        if not isinstance(moment, datetime):
            raise TypeError(f"Expected datetime.datetime type for moment. Got {type(moment).__name__}")
        if moment.tzinfo is None:
            raise ValueError("You cannot pass naive datetimes: give the moment a time zone.")
        self.moment = timezone.convert_to_utc(moment)
        self.end_from_trigger = end_from_trigger

    def serialize(self) -> tuple[str, dict[str, Any]]:
        kwargs = {"moment": self.moment, "end_from_trigger": self.end_from_trigger}
        return f"{type(self).__module__}.DateTimeTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await self.wait()
        yield self.event()

    async def wait(self) -> None:
        """Until the moment has come."""
        while (left := (self.moment - timezone.utcnow()).total_seconds()) > 0:  # noqa: ASYNC110 - a clock has no event
            await asyncio.sleep(min(left, _LONGEST_SLEEP))

    def event(self) -> TriggerEvent:
        """What it fires with."""
        return TaskSuccessEvent() if self.end_from_trigger else TriggerEvent(self.moment)


class TimeDeltaTrigger(DateTimeTrigger):
    """Fires `delta` after it was made."""

    def __init__(self, delta: timedelta, *, end_from_trigger: bool = False) -> None:
        super().__init__(timezone.utcnow() + delta, end_from_trigger=end_from_trigger)


def starting_at(moment: datetime, *, end_from_trigger: bool) -> StartTriggerArgs:
    """How a sensor that waits for a moment begins in its trigger."""
    classpath, arguments = DateTimeTrigger(moment, end_from_trigger=end_from_trigger).serialize()
    return StartTriggerArgs(classpath, "execute_complete", arguments)
