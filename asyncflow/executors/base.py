"""What the engine asks of an executor, and what it hears back. Celery and Kubernetes will be further ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from asyncflow.core.messages import (
    AskTimetable,
    CallbackDone,
    Hello,
    ProcessId,
    Request,
    RunCallback,
    RunTrigger,
    TimetableAnswer,
    TriggerEnded,
    TryFinished,
    TryInfo,
    TryStarted,
)


class HostLost(msgspec.Struct, frozen=True, kw_only=True):
    """Tries whose end nobody saw: their host died, and they are gone without a result too."""

    tokens: tuple[str, ...]
    reason: str  #: a sentence


class HostAdopted(msgspec.Struct, frozen=True, kw_only=True):
    """A DAG host of an earlier server has reported: it still runs these tries."""

    hello: Hello
    tries: dict[str, ProcessId]


FromExecutor = TryStarted | TryFinished | HostLost | HostAdopted | CallbackDone | TriggerEnded

OnMessage = Callable[[FromExecutor], None]
#: gives the result of a request, or raises an AsyncflowError
OnRequest = Callable[[Hello, Request], Awaitable[Any]]


class Executor(Protocol):
    """Runs tries. Every call returns at once; what comes of it is told through `OnMessage`."""

    def start_try(self, file: str, content_hash: str, bare: bool, info: TryInfo) -> None:
        """Start a try of a task of that file at that version. A TryStarted or a TryFinished follows."""
        ...

    def run_trigger(self, file: str, content_hash: str, message: RunTrigger) -> None:
        """Run a trigger beside that file, or ("", "") with those of installed packages; a TriggerEnded follows."""
        ...

    def stop_trigger(self, token: str) -> None:
        """Nobody waits for the trigger any more; nothing follows."""
        ...

    def kill_try(self, token: str, reason: str, grace: float) -> None:
        """SIGTERM to the try's process group, SIGKILL after `grace` seconds. A TryFinished follows, if it runs."""
        ...

    def run_callback(self, file: str, content_hash: str, bare: bool, message: RunCallback) -> None:
        """Run callbacks in a process of their own; a CallbackDone follows."""
        ...

    async def ask_timetable(self, file: str, content_hash: str, question: AskTimetable) -> TimetableAnswer:
        """A custom timetable's answer; its errors are in the answer."""
        ...

    def ack(self, token: str) -> None:
        """The end of this try is committed: whoever kept it may forget it."""
        ...
