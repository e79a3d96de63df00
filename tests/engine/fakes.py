"""A clock the test turns, and an executor that only writes down what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import anyio

from asyncflow.core.messages import AskTimetable, RunCallback, TimetableAnswer, TryInfo

START = datetime(2024, 1, 1, tzinfo=UTC)


class FakeClock:
    """Stands still until `advance`; whoever waits past the new time is woken."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._moved = anyio.Event()

    def now(self) -> datetime:
        return self._now

    def advance(self, delta: timedelta) -> None:
        self._now += delta
        self._moved.set()
        self._moved = anyio.Event()

    async def wait(self, event: anyio.Event, until: datetime | None) -> None:
        while not event.is_set() and (until is None or self._now < until):
            async with anyio.create_task_group() as tasks:
                for one in (event, self._moved):
                    tasks.start_soon(self._first, one, tasks.cancel_scope)

    async def _first(self, event: anyio.Event, others: anyio.CancelScope) -> None:
        await event.wait()
        others.cancel()


@dataclass
class RecordingExecutor:
    """What was asked of the executor, in order."""

    started: list[TryInfo] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    acked: list[str] = field(default_factory=list)
    callbacks: list[RunCallback] = field(default_factory=list)

    def start_try(self, file: str, content_hash: str, bare: bool, info: TryInfo) -> None:
        self.started.append(info)

    def kill_try(self, token: str, reason: str, grace: float) -> None:
        self.killed.append(token)

    def run_callback(self, file: str, content_hash: str, bare: bool, message: RunCallback) -> None:
        self.callbacks.append(message)

    async def ask_timetable(self, file: str, content_hash: str, question: AskTimetable) -> TimetableAnswer:
        return TimetableAnswer(request_id=question.request_id)

    def ack(self, token: str) -> None:
        self.acked.append(token)
