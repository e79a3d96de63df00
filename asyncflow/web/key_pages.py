"""The page on which a reader gives actions other keys, or none."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asyncflow.web import preferences
from asyncflow.web.keys import KEYS, as_cookie
from asyncflow.web.security import checked_form
from asyncflow.web.templating import page


async def show(request: Request) -> Response:
    """The form with all keys."""
    wishes = preferences.preferences(request)
    return page(request, "keys.html", keys=[(key, text, wishes.key_for(key)) for key, text in KEYS.items()])


async def save(request: Request) -> Response:
    """Keep the keys of the form in a cookie. Raises InvalidInput for what cannot be."""
    form = await checked_form(request)
    wished = {key: key if form.get("reset") else str(form.get(f"key-{key}", key)).strip() for key in KEYS}
    response = RedirectResponse("/keys", status_code=303)
    preferences.keep(request, response, preferences.KEYMAP, as_cookie(wished))
    return response


ROUTES = (Route("/keys", show, name="keys"), Route("/keys", save, methods=["POST"], name="save_keys"))
