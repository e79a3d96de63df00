"""Output of coroutines that share a process, each into the log file of its own try.

Whatever a coroutine logs or prints goes to the log it was started with (a context variable, so tasks and threads that
it starts with `asyncio` inherit it); output of anybody else goes where the process's own goes. No file stays open
between two lines: there may be more tasks than a process may have files.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[TryLog | None] = ContextVar("asyncflow_log", default=None)


class TryLog:
    """The log file of one try; writes whole lines, appending."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._rest = ""

    def write(self, text: str) -> None:
        whole, end, self._rest = (self._rest + text).rpartition("\n")
        if end:
            self._append(whole + end)

    def close(self) -> None:
        """Write a last line that has no end."""
        if self._rest:
            self._append(self._rest + "\n")
            self._rest = ""

    def _append(self, text: str) -> None:
        if not self._path:
            return
        try:
            descriptor = self._open()
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            descriptor = self._open()
        try:
            os.write(descriptor, text.encode(errors="backslashreplace"))
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


class _Routed(io.TextIOBase):
    """Stands in for stdout and stderr."""

    def __init__(self, own: io.TextIOBase) -> None:
        self._own = own

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._own.fileno()

    def write(self, text: str) -> int:
        log = _current.get()
        if log is None:
            return self._own.write(text)
        log.write(text)
        return len(text)

    def flush(self) -> None:
        self._own.flush()


def route_output() -> None:
    """Let stdout and stderr of this process follow the coroutine that writes. Once per process."""
    sys.stdout = _Routed(sys.stdout)  # type: ignore[arg-type]
    sys.stderr = _Routed(sys.stderr)  # type: ignore[arg-type]


@contextmanager
def logging_to(path: str) -> Iterator[TryLog]:
    """What is written inside of the block goes to this file; "" = nowhere."""
    log = TryLog(path)
    token = _current.set(log)
    try:
        yield log
    finally:
        _current.reset(token)
        log.close()
