"""A listening server whose DAGs and runs are written straight into its store, with any history one wishes for."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import uvicorn
from anyio.from_thread import BlockingPortal

from asyncflow.engine.assembly import Server
from asyncflow.web.app import make_app
from tests.web.dag_home import DagHome, running

T = TypeVar("T")


class DagSite:
    """A server that listens, with its DAGs and runs."""

    def __init__(self, portal: BlockingPortal, server: Server, address: str) -> None:
        self._portal = portal
        self.server = server
        self.home = DagHome(server)
        self.address = address

    def ask(self, function: Callable[..., Awaitable[T]], *args: Any, **kw: Any) -> T:
        """Await something of the server."""

        async def asked() -> T:
            return await function(*args, **kw)

        return self._portal.call(asked)


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[tuple[Server, str]]:
    """A server without a scheduler, and its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        async with running(folder) as (server, tasks):
            config = uvicorn.Config(
                make_app(server.actions), log_level="critical", lifespan="off", timeout_graceful_shutdown=3
            )
            web, ended = uvicorn.Server(config), anyio.Event()
            tasks.start_soon(_serve, web, listener, ended)
            with anyio.fail_after(10):
                while not web.started:  # noqa: ASYNC110 - uvicorn has no event for it
                    await anyio.sleep(0.01)
            yield server, f"http://127.0.0.1:{listener.getsockname()[1]}"
            web.should_exit = True
            await ended.wait()


async def _serve(web: uvicorn.Server, listener: socket.socket, ended: anyio.Event) -> None:
    await web.serve(sockets=[listener])
    ended.set()
