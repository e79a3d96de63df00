"""304 for a page that the browser has already: telling it costs a comparison, not a page.

The tag of a page is a short name of all that can make it differ: the server, how many transactions it committed, how
many changes without one there were, the address, the reader's cookies and language. Times that count on (`3 min ago`)
are part of it in steps. It is taken before the page is made, so what changes meanwhile makes another tag.
"""

from __future__ import annotations

import hashlib
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asyncflow.web.ports import Actions

#: pages that a browser may keep. Not those with secrets, with logs, or with what tasks made: they stay out of its files
_KEPT = re.compile(
    r"/(runs|datasets)?|/dags/[^/]+/(grid|graph|gantt|calendar|duration|landing|tries|code|details|runs|datasets)"
    r"|/dags/[^/]+/runs/(?!.*/(tasks|log|clear|mark|note)(/|$)).+"
)
#: seconds after which relative times count as changed: the page's own clock has the same
_STEP = 10
#: a form that acts once must not be shown twice
_ONCE = b'name="once"'


class Unchanged:
    """Middleware: a tag on pages that may be kept, 304 to a browser that has the page with the present tag."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not _KEPT.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if headers.get("hx-request"):  # fragments have a way of their own: ?have=
            await self.app(scope, receive, send)
            return
        tag = _tag(scope, headers)
        if tag in headers.get("if-none-match", ""):
            await send({"type": "http.response.start", "status": 304, "headers": _headers(tag).raw})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, _Tagging(tag, send).send)


class _Tagging:
    """Passes an answer on, with a tag if it is a page that may be kept."""

    def __init__(self, tag: str, send: Send) -> None:
        self._tag = tag
        self._send = send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            headers = MutableHeaders(raw=list(start["headers"]))
            if start["status"] == 200 and "set-cookie" not in headers and _ONCE not in message.get("body", b""):
                headers.update(_headers(self._tag))
            await self._send({**start, "headers": headers.raw})
        await self._send(message)


def _headers(tag: str) -> MutableHeaders:
    return MutableHeaders(
        {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Accept-Language, Accept-Encoding"}
    )


def _tag(scope: Scope, headers: Headers) -> str:
    actions: Actions = scope["app"].state.actions
    pages = actions.pages
    step = 1 if pages.busy else _STEP
    parts = (
        *(str(scope["app"].state.live.mark), pages.commits, int(pages.now().timestamp()) // step),
        *(scope["path"], scope["query_string"], headers.get("cookie", ""), headers.get("accept-language", "")),
    )
    return f'W/"{hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()}"'
