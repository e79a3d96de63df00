"""What keeps other sites out: a check of the host's name, a token on every form, headers that let in only what is ours.

There are no users yet and the server listens on this machine only, so a request for any other host name is a site
that points its own name here (DNS rebinding).
The token is a double-submit cookie: a random value in a SameSite=Strict, HttpOnly cookie, repeated in a hidden field
of each form. Another site can neither read it nor send the cookie along. To browsers all ports of a machine are one
site with the same cookies, so a server beside this one could: a form must come from our own port, as its Origin says.
"""

from __future__ import annotations

import hmac
import secrets

from starlette.datastructures import FormData, Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "asyncflow_form"
FIELD = "form_token"

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


#: names under which a server on this machine is asked for
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", ""})


class Guard:
    """Middleware: refuses foreign hosts and origins; security headers on every answer, and no caching of pages."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        live = getattr(scope["app"].state, "live", None)
        if live is not None:  # before anything is read: a page must hear of what changes while it is made
            scope.setdefault("state", {})["mark"] = str(live.mark)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/") or message["status"] >= 400:
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        app = _refused(Headers(scope=scope), scope["method"]) or self.app
        await app(scope, receive, with_headers)


def _refused(headers: Headers, method: str) -> ASGIApp | None:
    """The answer to a request that another site made a browser send."""
    host = headers.get("host", "")
    name = host_name(host)
    if name not in _LOCAL and not name.endswith(".localhost"):
        return PlainTextResponse(f"This server answers for localhost only, not for {name!r}.", 421)
    origin = headers.get("origin")
    if origin is not None and method not in ("GET", "HEAD") and origin.partition("://")[2].lower() != host.lower():
        return PlainTextResponse(f"This form came from another site, {origin[:200]!r}. Nothing was done.", 403)
    return None


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower()


def form_token(request: Request) -> str:
    """The token that forms of the page answered to this request must carry."""
    if not hasattr(request.state, "form_token"):
        request.state.form_token = request.cookies.get(COOKIE) or secrets.token_urlsafe(32)
    return str(request.state.form_token)


def keep_token(request: Request, response: Response) -> None:
    """Give the browser its cookie, when this page made a new token."""
    if request.cookies.get(COOKIE) is None and hasattr(request.state, "form_token"):
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, request.state.form_token, samesite="strict", httponly=True, secure=secure)


async def checked_form(request: Request) -> FormData:
    """The fields of a form that was sent from one of our pages. Raises HTTPException 403 for any other."""
    form = await request.form()
    sent, kept = form.get(FIELD), request.cookies.get(COOKIE)
    if not kept or not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), kept.encode()):
        raise HTTPException(403, "This form did not come from a page of this server. Reload the page and try again.")
    return form
