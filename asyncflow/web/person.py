"""Who asks: whatever comes through a page is done by a person, and is recorded as such."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from asyncflow.engine.audit import acting


class Person:
    """Middleware: what happens inside a request is done through the UI. The name follows when there are users."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with acting("ui"):
            await self.app(scope, receive, send)
