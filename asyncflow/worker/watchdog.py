"""Finds the coroutine that blocks an event loop: a thread looks at which task has been at it for too long.

A step of a task ends at its next `await`; meanwhile nothing else of the loop runs, neither thousands of triggers nor
what the server says. The thread sees the same task at work from one look to the next while the loop's own heartbeat
stands still, and tells whose it is and on which line it is.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

LOOK = 0.05
LIMIT = 0.2
_LIBRARY = os.path.dirname(os.__file__)


class Watchdog:
    """To be made in the loop's own thread; ends with the process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[asyncio.Task[Any], float, str], None]) -> None:
        """`tell(task, seconds, where)` is called in the loop once the task has given way."""
        self._loop = loop
        self._tell = tell
        self._thread_id = threading.get_ident()
        self._beats = 0
        self._wanted = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="asyncflow-watchdog", daemon=True).start()

    def want(self, wanted: bool) -> None:
        """Whether there is anything to watch: without, the thread sleeps for good."""
        if wanted:
            self._wanted.set()
        else:
            self._wanted.clear()

    def _beat(self) -> None:
        self._beats += 1

    def _watch(self) -> None:
        while True:
            self._wanted.wait()
            beats = self._beats
            try:
                self._loop.call_soon_threadsafe(self._beat)
            except RuntimeError:
                return  # the loop is closed
            time.sleep(LOOK)
            if self._beats == beats:
                self._follow(beats)

    def _follow(self, beats: int) -> None:
        """The loop has not turned since the last look: who holds it, and for how long?"""
        task, since, where = None, 0.0, ""
        while self._beats == beats:
            now, current = time.monotonic(), self._current()
            if current is not task:
                self._report(task, now - since, where)
                task, since, where = current, now - LOOK, ""
            elif task is not None and now - since > LIMIT:
                where = where or self._where()
            time.sleep(LOOK)
        self._report(task, time.monotonic() - since, where)

    def _current(self) -> asyncio.Task[Any] | None:
        return asyncio.current_task(self._loop)

    def _report(self, task: asyncio.Task[Any] | None, seconds: float, where: str) -> None:
        if task is not None and where:
            self._loop.call_soon_threadsafe(self._tell, task, seconds, where)

    def _where(self) -> str:
        """The innermost line that is not the standard library's."""
        stack = traceback.extract_stack(sys._current_frames().get(self._thread_id))
        outside = [f for f in stack if not f.filename.startswith(_LIBRARY) or "site-packages" in f.filename]
        found = (outside or stack)[-1]
        return f"{found.filename}:{found.lineno} in {found.name}: {found.line or '?'}"
