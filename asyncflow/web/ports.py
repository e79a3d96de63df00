"""What the pages call: the actions of the engine, their one door to it."""

from __future__ import annotations

from starlette.requests import Request

from asyncflow.engine.actions import Actions

__all__ = ["Actions", "actions_of"]


def actions_of(request: Request) -> Actions:
    """The actions that the application answering this request was made with."""
    actions: Actions = request.app.state.actions
    return actions
