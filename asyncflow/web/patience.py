"""Long work in a thread for a request: it ends when its time is up, and when nobody waits for the answer any more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from asyncflow.engine.logs import Stop

T = TypeVar("T")


async def unless_gone(request: Request, work: Callable[[Stop], T], seconds: float) -> T:
    """What `work` answers; it is given a function that it asks now and then whether to stop."""
    gone = threading.Event()
    deadline = monotonic() + seconds
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watch, request, gone)
        try:
            found = await anyio.to_thread.run_sync(work, lambda: gone.is_set() or monotonic() > deadline)
        finally:
            gone.set()
        tasks.cancel_scope.cancel()
    return found


async def _watch(request: Request, gone: threading.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()
