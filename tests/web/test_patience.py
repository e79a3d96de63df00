"""Long work in a thread for a request."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest
from starlette.requests import Request

from asyncflow.engine.logs import Stop
from asyncflow.web.patience import unless_gone

pytestmark = pytest.mark.anyio


def request(gone: anyio.Event) -> Request:
    """A request whose asker goes away when told to."""
    begun = False

    async def receive() -> dict[str, Any]:
        nonlocal begun
        if not begun:
            begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "method": "GET", "path": "/", "headers": []}, receive)


def until_stopped(begun: threading.Event) -> Any:
    def work(stop: Stop) -> str:
        begun.set()
        pause = threading.Event()
        while not stop():
            pause.wait(0.005)
        return "stopped"

    return work


async def test_it_answers_as_soon_as_it_is_done() -> None:
    assert await unless_gone(request(anyio.Event()), lambda stop: "done", 60) == "done"


async def test_it_stops_when_nobody_waits_any_more() -> None:
    gone, begun = anyio.Event(), threading.Event()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(unless_gone, request(gone), until_stopped(begun), 60.0)
            await anyio.to_thread.run_sync(begun.wait)
            gone.set()


async def test_it_stops_when_its_time_is_up() -> None:
    with anyio.fail_after(5):
        assert await unless_gone(request(anyio.Event()), until_stopped(threading.Event()), 0.02) == "stopped"
