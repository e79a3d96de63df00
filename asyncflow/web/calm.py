"""What no handler is meant to meet: a body without end, a reader who has gone, an error of our own."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asyncflow.core.sentence import Sentence

log = logging.getLogger(__name__)

#: bytes of a form with all its files: the largest file that a page takes has ten megabytes
MOST = 12 * 1024 * 1024
#: seconds that a form may take to arrive
PATIENCE = 60.0


class Bounded:
    """Middleware: a form may be so large, and take so long."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            receive = _Arriving(receive, Headers(scope=scope).get("content-length", "")).receive
        await self.app(scope, receive, send)


class _Arriving:
    """The body of a request."""

    def __init__(self, receive: Receive, length: str) -> None:
        self._receive = receive
        self._bytes = int(length[:20]) if length.isdecimal() else 0  #: what is said of it, then what came
        self._said = True
        self._until = anyio.current_time() + PATIENCE
        self._whole = False

    async def receive(self) -> Message:
        """The next part. Raises HTTPException for what is too much, or too slow."""
        if self._whole:
            return await self._receive()
        if self._said and self._bytes > MOST:
            raise _TOO_LARGE
        message: Message = {}
        with anyio.move_on_at(self._until):
            message = await self._receive()
        if not message:
            raise HTTPException(408, "The form did not arrive within a minute. Send it again.")
        self._bytes = len(message.get("body", b"")) + (0 if self._said else self._bytes)
        self._said = False
        if self._bytes > MOST:
            raise _TOO_LARGE
        self._whole = not message.get("more_body", False)
        return message


_TOO_LARGE = HTTPException(413, "A form may have 12 MB at most, with its files.")


class Calm:
    """Middleware: an error of our own is logged under a number, and the reader is told the number."""

    def __init__(self, app: ASGIApp, say: Callable[[Request, str], Response]) -> None:
        """`say`: a page with a sentence, status 500."""
        self.app = app
        self._say = say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except ClientDisconnect:
            log.debug("The reader of %s was gone before the form was whole", scope["path"])
        except Exception:
            number = secrets.token_hex(4)
            log.exception("Error %s: %s %s could not be answered", number, scope.get("method"), scope["path"])
            if begun:
                raise
            await self._tell(number, scope)(scope, receive, send)

    def _tell(self, number: str, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        sentence = Sentence("Something went wrong in the server; its log has the reason under {number}.", number=number)
        try:
            return self._say(Request(scope), sentence)
        except Exception:  # the page for it is what is broken
            return PlainTextResponse(sentence, 500)
