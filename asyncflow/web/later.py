"""Pages that are made in a thread: the event loop hands tasks on meanwhile.

Filling a large template takes some ten milliseconds of pure Python. In a thread, the loop gets its turn back after
Python's switch interval (`engine.serve` makes it short). One page is made at a time: the loop has only one rival.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time

import anyio
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

#: in the scope of a request whose cost is measured: told the seconds that its thread worked
ASIDE = "asyncflow.aside"


class Later(HTMLResponse):
    """HTML that is made when it is sent. `make` reads nothing that changes: it runs beside the event loop."""

    def __init__(self, make: Callable[[], str], *, turn: anyio.CapacityLimiter, status_code: int = 200) -> None:
        super().__init__(status_code=status_code)
        self._make = make
        self._turn = turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make it, then send it."""
        text, seconds = await anyio.to_thread.run_sync(self._timed, limiter=self._turn)
        if ASIDE in scope:
            scope[ASIDE](seconds)
        self.body = self.render(text)
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)

    def _timed(self) -> tuple[str, float]:
        begun = thread_time()
        return self._make(), thread_time() - begun
