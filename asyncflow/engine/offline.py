"""Actions without a running server: the same objects in this process, for as long as one command takes.

Holds the home's lock meanwhile. The DAG folder is imported (so that what is listed is what is there), nothing is
scheduled and no task starts: a run that is triggered waits in the store for the next `asyncflow serve`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc

from asyncflow.config import Settings
from asyncflow.engine.actions import Actions
from asyncflow.engine.assembly import Server, assemble


async def _start(server: Server, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    await server.pool.run(task_status=task_status)


async def _load_folder(server: Server, tasks: anyio.abc.TaskGroup) -> None:
    looked = anyio.Event()

    async def after_first_look() -> None:
        await server.files.forget_missing()
        looked.set()

    tasks.start_soon(server.loader.run, after_first_look)
    await looked.wait()


@asynccontextmanager
async def open_actions(settings: Settings, *, load: bool = True) -> AsyncIterator[Actions]:
    """The Actions of a server that is not running. `load`: import the DAG folder first.

    Raises errors.HomeLocked if a server runs after all.
    """
    async with anyio.create_task_group() as tasks, assemble(settings, tasks, scheduling=False) as server:
        tasks.start_soon(server.scheduler.run)
        await server.restore()
        try:
            if load:
                await tasks.start(_start, server)
                await _load_folder(server, tasks)
            yield server.actions
        finally:
            with anyio.CancelScope(shield=True):
                await server.pool.close(stop_tasks=False)
            tasks.cancel_scope.cancel()
