"""One fragment for many tabs: what was made for the first of those that show the same serves the others, too.

A fetch that an event caused says in a header which event: its topic, and the mark that the answer must have reached. An
answer that was begun at that mark or later will do, whoever it was made for: the reader's form token is put in. All
that happened after the mark is told by a later event. Fetches without the header are always answered anew.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from time import thread_time
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asyncflow.engine.changes import Mark, read_mark
from asyncflow.web.events import PACE
from asyncflow.web.kept import Kept
from asyncflow.web.later import ASIDE
from asyncflow.web.security import COOKIE
from asyncflow.web.templating import PRINT

#: header of a fetch: topic and mark of the event that caused it
SEEN = "asyncflow-seen"
#: answers that are kept, and the largest of them in bytes
_KEPT, _LARGEST = 48, 600_000
#: stands for the reader's form token in what is kept: no page has such characters
_TOKEN = b"\x00token\x00"


class _Answer(NamedTuple):
    """A fragment, with `_TOKEN` in it."""

    mark: Mark  #: when it was begun
    name: str  #: what `?have=` calls it
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _Asked(NamedTuple):
    """Who asks for what."""

    mark: Mark
    key: tuple[str, str, str, str]
    have: str
    query: str  #: without `have`
    token: bytes


class Shared:
    """Middleware, inside of the one that compresses."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._answers = Kept[_Answer](_KEPT)
        self._under_way: dict[tuple[str, str, str, str], anyio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _asked(scope)
        if asked is None:
            await self.app(scope, receive, send)
            return
        answer = await self._answer(asked, scope, receive)
        if isinstance(answer, _Recorder):
            await answer.replay(send)
        elif answer.name == asked.have:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            body = answer.body.replace(_TOKEN, asked.token)
            headers = MutableHeaders(raw=list(answer.headers))
            headers["content-length"] = str(len(body))
            await send({"type": "http.response.start", "status": 200, "headers": headers.raw})
            await send({"type": "http.response.body", "body": body})

    async def _answer(self, asked: _Asked, scope: Scope, receive: Receive) -> _Answer | _Recorder:
        """What is kept, or else what was made for this reader now."""
        while True:
            kept = self._answers.get(asked.key)
            if kept is not None and kept.mark >= asked.mark:
                return kept
            if asked.key not in self._under_way:
                return await self._made(asked, scope, receive)
            await self._under_way[asked.key].wait()

    async def _made(self, asked: _Asked, scope: Scope, receive: Receive) -> _Answer | _Recorder:
        mark = scope["app"].state.live.mark
        ended = self._under_way[asked.key] = anyio.Event()
        try:
            made = _Recorder()
            await self.app({**scope, "query_string": asked.query.encode()}, receive, made.send)
            answer = made.answer(mark, asked.token)
            if answer is None:
                return made
            self._answers.keep([(asked.key, answer)])
            return answer
        finally:
            del self._under_way[asked.key]
            ended.set()


class _Recorder:
    """Takes an answer down instead of sending it."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    async def send(self, message: Message) -> None:
        self._messages.append(message)

    async def replay(self, send: Send) -> None:
        """Send it after all."""
        for message in self._messages:
            await send(message)

    def answer(self, mark: Mark, token: bytes) -> _Answer | None:
        """What may be shown to others; None for errors, and for what sets a cookie."""
        start, *rest = self._messages
        headers, body = Headers(raw=start["headers"]), b"".join(message["body"] for message in rest)
        shareable = start["status"] == 200 and PRINT in headers and "set-cookie" not in headers
        if not shareable or len(body) > _LARGEST:
            return None
        return _Answer(mark, headers[PRINT], headers.raw, body.replace(token, _TOKEN))


def _asked(scope: Scope) -> _Asked | None:
    """What a fetch asks for, if it may be answered with what others got."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    headers = Headers(scope=scope)
    _, _, text = headers.get(SEEN, "").partition(" ")
    mark, cookies = read_mark(text), Request(scope).cookies
    token = cookies.pop(COOKIE, "")
    now: Mark = scope["app"].state.live.mark
    if mark is None or len(token) < 20 or mark.server != now.server or mark > now:
        return None
    params = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    query = urlencode([(name, value) for name, value in params if name != "have"])
    have = dict(params).get("have", "")
    wishes = repr(sorted(cookies.items()))
    return _Asked(
        mark=mark,
        key=(scope["path"], query, wishes, headers.get("accept-language", "")),
        have=have,
        query=query,
        token=token.encode("latin-1"),
    )


class Metered:
    """Middleware, outside of all: what fetches after events cost goes into the budget of the stream."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = Headers(scope=scope).get(SEEN) if scope["type"] == "http" else None
        if seen is None:
            await self.app(scope, receive, send)
            return
        aside: list[float] = []
        work = _Timed(_coroutine(self.app, {**scope, ASIDE: aside.append}, receive, send))
        await work
        topic = seen.partition(" ")[0]
        if topic in PACE:
            scope["app"].state.live.budget.spent(topic, work.seconds + sum(aside) + _AROUND)


#: seconds that the server spends on a request before and after the application
_AROUND = 0.0005


async def _coroutine(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


class _Timed:
    """Something awaitable; `seconds` it was at work, its waits not counted."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self.seconds = 0.0
        self._work = work

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._work.__await__()
        step: Callable[[], Any] = partial(steps.send, None)
        while True:
            begun = thread_time()
            try:
                waits_for = step()
            except StopIteration:
                return
            finally:
                self.seconds += thread_time() - begun
            try:
                step = partial(steps.send, (yield waits_for))
            except BaseException as error:  # cancelled, too: what is at work decides what comes of it
                step = partial(steps.throw, error)
