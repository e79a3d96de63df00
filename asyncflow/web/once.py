"""A form that is sent twice acts once: each carries a random key, and the first answer under a key is the answer."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import anyio
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

FIELD = "once"
#: answers that are kept
_KEPT = 2000


def new_key() -> str:
    """For the hidden field of a form."""
    return secrets.token_urlsafe(12)


class Once:
    """The answers to forms (addresses to go to) by key."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, str] = OrderedDict()
        self._under_way: dict[str, anyio.Event] = {}

    async def answer(self, form: FormData, act: Callable[[], Awaitable[str]]) -> str:
        """What `act` returned when this form came first. An act that raises may be tried again."""
        key = str(form.get(FIELD, "")) or new_key()
        while key in self._under_way:
            await self._under_way[key].wait()
        if key not in self._answers:
            ended = self._under_way[key] = anyio.Event()
            try:
                self._answers[key] = await act()
                if len(self._answers) > _KEPT:
                    self._answers.popitem(last=False)
            finally:
                del self._under_way[key]
                ended.set()
        return self._answers[key]


async def once(request: Request, form: FormData, act: Callable[[], Awaitable[str]]) -> Response:
    """Do it once, however often the form comes, then go where `act` says."""
    return RedirectResponse(await request.app.state.once.answer(form, act), status_code=303)
