"""`asyncflow serve`: the whole server, until it is told to stop.

SIGTERM and SIGINT end it; task processes go on under their hosts and a later server takes them over, unless
`stop_tasks` is asked for.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import anyio
import uvicorn

from asyncflow import __version__
from asyncflow.config import Origin, Settings
from asyncflow.engine.actions import Actions
from asyncflow.engine.assembly import Server, assemble
from asyncflow.engine.listener import Listener, most_connections
from asyncflow.errors import AsyncflowError, InvalidInput

log = logging.getLogger(__name__)

#: seconds after which a thread that works lets the event loop go on, if it wants to; Python's own is 5 ms. While people
#: click, a hand-off may find some thread at work each time that it gives the interpreter away: ten times and more
SWITCH_INTERVAL = 0.0002
#: Python's own, but for the last: what outlives two collections is looked through ten times as rarely. With what pages
#: keep that takes 10 to 40 ms, in which nothing is handed on; while people click, it came every few seconds
COLLECTIONS = (700, 10, 100)
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


async def serve(
    settings: Settings,
    make_app: Callable[[Actions], Any],
    *,
    stop_tasks: bool = False,
    on_ready: Callable[[str], None] = lambda address: None,
    origins: Mapping[str, Origin] | None = None,
) -> None:
    """Run until SIGTERM or SIGINT. `on_ready` gets the address of the web pages once they answer.

    `origins`: where each setting came from, for the page that shows them.

    Raises errors.HomeLocked if another server owns the home, errors.InvalidInput for an address that cannot be used.
    """
    if settings.host not in LOOPBACK:
        raise InvalidInput(
            f"host={settings.host!r}: there are no users and passwords yet, so only 127.0.0.1, ::1 and localhost "
            "are served."
        )
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(*COLLECTIONS)
    with contextlib.ExitStack() as kept, _last_words():
        async with anyio.create_task_group() as tasks, assemble(settings, tasks) as server:
            kept.enter_context(server.actions.server.keeping_log())  # ends after all else, to have its last words
            server.actions.server.origins = origins or {}
            log.info("asyncflow %s starts, process %s", __version__, os.getpid())
            try:
                await _run(server, tasks, make_app, on_ready)
            finally:
                with anyio.CancelScope(shield=True):
                    await server.pool.close(stop_tasks=stop_tasks)
                    await server.child_log.look(last=True)
                tasks.cancel_scope.cancel()


@contextlib.contextmanager
def _last_words() -> Iterator[None]:
    """Log what ends the server, unless it is a sentence for whoever started it."""
    try:
        yield
    except BaseExceptionGroup as errors:
        if isinstance(errors.split(AsyncflowError)[1], ExceptionGroup):
            log.critical("The server ends because of an error", exc_info=True)
        raise


async def _run(
    server: Server,
    tasks: anyio.abc.TaskGroup,
    make_app: Callable[[Actions], Any],
    on_ready: Callable[[str], None],
) -> None:
    tasks.start_soon(server.scheduler.run)
    # What an earlier server left behind must be known before its hosts can speak of it.
    tries = await server.restore()
    await tasks.start(_named(server.pool.run))
    web = _Web(server.settings, make_app(server.actions))
    await tasks.start(web.run)
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:  # whoever knows the address may stop it
        on_ready(web.address)
        tasks.start_soon(server.monitor.run, server.clock.now)
        tasks.start_soon(server.actions.server.look_around)
        tasks.start_soon(server.settle, tries)
        tasks.start_soon(server.outbox.run)
        tasks.start_soon(server.child_log.run)
        tasks.start_soon(server.retention.run)
        tasks.start_soon(_load, server)
        async for number in signals:
            log.info("Stopping on %s", signal.Signals(number).name)
            return


def _named(run: Callable[..., Any]) -> Callable[..., Any]:
    async def start(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        await run(task_status=task_status)

    return start


async def _load(server: Server) -> None:
    """Watch the DAG folder; after its first look, forget files and launches that nothing will ever come of."""

    async def after_first_look() -> None:
        await server.files.forget_missing()
        server.launcher.give_up_waiting()
        await server.actions.pages.learn()
        # What is in memory now stays there: a collector that walks through it again and again stops the loop for 40 ms.
        gc.freeze()
        server.outbox.folder_looked_at()

    await server.loader.run(after_first_look)


class _Web:
    """uvicorn inside our task group: we handle the signals, it serves."""

    def __init__(self, settings: Settings, app: Any) -> None:
        self._config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=partial(Listener, most=most_connections()),  # type: ignore[arg-type]  # anything that makes one
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _QuietServer(self._config)
        self.address = ""

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Serve until cancelled. Raises InvalidInput when the port is taken."""
        sock = _listening_socket(self._config.host, self._config.port)
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        self.address = f"http://{host}:{sock.getsockname()[1]}"
        task_status.started()
        try:
            await self._server.serve(sockets=[sock])
        finally:
            sock.close()


def _listening_socket(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)
    except OSError as error:
        sock.close()
        raise InvalidInput(
            f"Port {port} on {host} cannot be used ({error.strerror}); choose another one with --port."
        ) from None
    return sock


class _QuietServer(uvicorn.Server):
    """Leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
