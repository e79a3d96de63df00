"""The connections of the web server: so many, each with a head of a request that is not endless and comes in time.

What a browser does by accident, or a program by design, must not take from the scheduler what it needs to start tasks:
file descriptors above all.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: open files that are asked for, if the system allows as many: a tab has one to three connections
WANTED = 8192
#: of what is allowed, the part for browsers; the rest is for hosts, logs and the database
SHARE = 0.75
#: seconds that the head of a request may take, and its bytes
PATIENCE, LONGEST = 30.0, 64 * 1024

_FULL = (
    "503 Service Unavailable",
    "Too many windows are open: there are {most} connections. Close some of them.",
)
_SLOW = "408 Request Timeout", "The head of the request did not arrive within half a minute."
_LONG = "431 Request Header Fields Too Large", "The head of a request may have 64 kB. Clear the cookies of this site."


def most_connections() -> int:
    """How many connections are taken; asks the system for more open files first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return int(SHARE * (WANTED if soft == resource.RLIM_INFINITY else soft))


class Listener(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, most: int, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._most = most
        self._head: int | None = 0  #: bytes of a head that is not whole; None while none is under way
        self._given_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody comes."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            self._refuse(_FULL)
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes, of any part of a request."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > LONGEST:
                self._refuse(_LONG)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._head_is_here()
        super().on_headers_complete()

    def _wait_for_head(self) -> None:
        self._head_is_here()
        self._head = 0
        self._given_up = self.loop.call_later(PATIENCE, self._refuse, _SLOW)

    def _head_is_here(self) -> None:
        self._head = None
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None

    def _refuse(self, why: tuple[str, str]) -> None:
        self._head_is_here()
        status, sentence = why
        text = sentence.format(most=self._most)
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
        self.transport.write(f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())
        self.transport.close()
