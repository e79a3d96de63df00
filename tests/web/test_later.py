"""Pages that are made in a thread."""

from __future__ import annotations

import threading

import anyio
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from asyncflow.web.later import ASIDE, Later

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_page_is_made_beside_the_event_loop_one_at_a_time() -> None:
    turn = anyio.CapacityLimiter(1)
    told: list[float] = []
    made_in: list[int] = []
    at_once, most = 0, 0

    def make() -> str:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        made_in.append(threading.get_ident())
        at_once -= 1
        return "<p>쪽</p>"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Later(make, turn=turn, status_code=202)({**scope, ASIDE: told.append}, receive, send)

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
