"""Pages that are made in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from time import monotonic

import anyio
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from asyncflow.web.later import ASIDE, PATIENCE, Later, Making

pytestmark = pytest.mark.anyio


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


async def test_a_page_is_made_beside_the_event_loop_one_at_a_time() -> None:
    making = Making(_set())
    told: list[float] = []
    made_in: list[int] = []
    at_once, most = 0, 0

    def make() -> Iterator[str]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        made_in.append(threading.get_ident())
        yield "<p>"
        at_once -= 1
        yield "쪽</p>"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Later(make, making, 202)({**scope, ASIDE: told.append}, receive, send)

    answers: list[httpx.Response] = []
    transport = httpx.ASGITransport(app)
    client = httpx.AsyncClient(transport=transport, base_url="http://site")
    async with client, anyio.create_task_group() as tasks:

        async def fetch() -> None:
            answers.append(await client.get("/"))

        for _ in range(3):
            tasks.start_soon(fetch)
    assert [(answer.status_code, answer.text) for answer in answers] == [(202, "<p>쪽</p>")] * 3
    assert {answer.headers["content-length"] for answer in answers} == {str(len("<p>쪽</p>".encode()))}
    assert threading.get_ident() not in made_in
    assert most == 1
    assert len(told) == 3


async def test_the_thread_rests_while_the_scheduler_has_something_to_do() -> None:
    at_rest = _set()
    pieces: list[str] = []

    def work() -> None:
        pieces.append("done")
        at_rest.set()

    def make() -> Iterator[str]:
        at_rest.clear()  # something has come in
        threading.Timer(0.01, work).start()
        yield "a"
        pieces.append("b")
        yield "b"

    assert await Making(at_rest).text({}, make) == "ab"
    assert pieces == ["done", "b"]


async def test_a_page_does_not_wait_for_ever_for_the_scheduler() -> None:
    begun = monotonic()
    assert await Making(threading.Event()).text({}, lambda: iter("abcdef")) == "abcdef"
    assert monotonic() - begun >= PATIENCE * 0.9
