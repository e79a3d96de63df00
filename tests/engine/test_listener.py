"""Connections that are too many, too slow or too long-winded are closed with a sentence."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from asyncflow.engine import listener
from asyncflow.engine.listener import Listener, most_connections

pytestmark = pytest.mark.anyio
ASKS = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def listening(most: int) -> AsyncIterator[tuple[int, Any]]:
    """Its port, and the connections that are open."""
    config, state = Config(app, log_config=None, lifespan="off", ws="none"), ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Listener(config=config, server_state=state, app_state={}, most=most), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1], state.connections
    server.close()
    for connection in list(state.connections):
        connection.transport.abort()


async def told(reader: asyncio.StreamReader) -> str:
    """All that comes until the connection is closed."""
    with anyio.fail_after(20):
        return (await reader.read()).decode()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """To one request; the connection is kept."""
    writer.write(ASKS)
    with anyio.fail_after(20):
        return (await reader.readuntil(b"ok")).decode()


async def test_one_connection_too_many_is_closed_and_the_others_go_on() -> None:
    async with listening(most=2) as (port, connections):
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        said = await told(reader)
        assert said.startswith("HTTP/1.1 503 ")
        assert said.endswith("Too many windows are open: there are 2 connections. Close some of them.")
        writer.close()
        for one in kept:
            assert "200 OK" in await answer(*one)
            one[1].close()
        with anyio.fail_after(20):
            while connections:
                await anyio.lowlevel.checkpoint()
        again = await asyncio.open_connection("127.0.0.1", port)
        assert "200 OK" in await answer(*again)
        again[1].close()


@pytest.mark.parametrize("begun", [b"", ASKS[:-2]])
async def test_a_head_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(listener, "PATIENCE", 0.01)
    async with listening(most=2) as (port, connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        said = await told(reader)
        assert said.startswith("HTTP/1.1 408 ")
        assert said.endswith("The head of the request did not arrive within half a minute.")
        writer.close()


async def test_an_answered_connection_is_not_given_up_while_it_rests() -> None:
    async with listening(most=2) as (port, connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert "200 OK" in await answer(reader, writer)
        assert [connection._given_up for connection in connections] == [None]
        writer.close()


async def test_a_head_without_end_is_not_read_to_its_end() -> None:
    async with listening(most=2) as (port, connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASKS[:-2] + b"X-Long: " + b"a" * listener.LONGEST)
        said = await told(reader)
        assert said.startswith("HTTP/1.1 431 ")
        assert said.endswith("The head of a request may have 64 kB. Clear the cookies of this site.")
        writer.close()


def test_browsers_get_a_part_of_the_open_files_that_are_allowed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        most = most_connections()
        assert most == int(listener.SHARE * min(listener.WANTED, resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        assert most >= 192
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
