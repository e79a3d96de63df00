"""The clock: the only place of the server that reads the time or sleeps.

`SystemClock` is the real one. Tests and the simulator bring their own object with the same two methods.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import anyio

#: A wait is cut here so that a wall clock that was set forward is noticed; backward jumps fire nothing twice
#: because timers are compared with the wall clock again after each wait.
LONGEST_WAIT = 30.0


class Clock(Protocol):
    """What the engine needs of time."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        ...

    async def wait(self, event: anyio.Event, until: datetime | None) -> None:
        """Return when `event` is set or the wall clock reaches `until` (None: no deadline); may return early."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def wait(self, event: anyio.Event, until: datetime | None) -> None:
        seconds = LONGEST_WAIT if until is None else min((until - self.now()).total_seconds(), LONGEST_WAIT)
        if seconds <= 0:
            return
        with anyio.move_on_after(seconds):
            await event.wait()
