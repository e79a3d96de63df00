"""What is made in a thread: the event loop hands tasks on meanwhile.

Filling a large template takes some ten milliseconds of pure Python. In a thread, the loop gets its turn back after
Python's switch interval (`engine.serve` makes it short). One thing is made at a time: the loop has only one rival, and
that one rests while the scheduler has something to do. Else each statement of the scheduler's transaction and each step
of the loop would have to win the interpreter back first, a switch interval each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from time import monotonic, thread_time
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

T = TypeVar("T")

#: in the scope of a request whose cost is measured: told the seconds that its thread worked
ASIDE = "asyncflow.aside"
#: seconds that a page waits for the scheduler at most, all in all
PATIENCE = 0.1


class Making:
    """The thread in which pages are made; `at_rest` is set while the scheduler has nothing to do."""

    def __init__(self, at_rest: threading.Event) -> None:
        self._at_rest = at_rest
        self._turn = anyio.CapacityLimiter(1)

    async def text(self, scope: Scope, make: Callable[[], Iterable[str]]) -> str:
        """Pieces of text put together; between two of them the thread may rest."""
        return await self.result(scope, lambda: "".join(self._resting(make())))

    async def result(self, scope: Scope, work: Callable[[], T]) -> T:
        """What `work` comes to. It reads nothing that changes: it runs beside the event loop."""
        result, seconds = await anyio.to_thread.run_sync(_timed, work, limiter=self._turn)
        if ASIDE in scope:
            scope[ASIDE](seconds)
        return result

    def _resting(self, pieces: Iterable[str]) -> Iterator[str]:
        left = PATIENCE
        for piece in pieces:
            if left > 0 and not self._at_rest.is_set():
                begun = monotonic()
                self._at_rest.wait(left)
                left -= monotonic() - begun
            yield piece


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    begun = thread_time()
    return work(), thread_time() - begun


async def beside(request: Request, work: Callable[..., T], *args: Any) -> T:
    """What `work` comes to, in the thread in which pages are made: for what takes more than some milliseconds."""
    making: Making = request.app.state.making
    return await making.result(request.scope, partial(work, *args))


class Later(HTMLResponse):
    """HTML that is made when it is sent."""

    def __init__(self, make: Callable[[], Iterable[str]], making: Making, status_code: int = 200) -> None:
        super().__init__(status_code=status_code)
        self._make = make
        self._making = making

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make it, then send it."""
        self.body = self.render(await self._making.text(scope, self._make))
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)

    def render(self, content: object) -> bytes:
        """As bytes; half a character, which JSON may hold, becomes a question mark."""
        return str(content).encode(self.charset, "replace")
