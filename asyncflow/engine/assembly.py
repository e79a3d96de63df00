"""Puts the parts of a server together: store, world, scheduler, executor, loader, actions.

`serve` runs all of it; `offline` runs enough of it for one action. The only module that knows every edge.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.abc

from asyncflow.config import Settings, secret_key_from_environment
from asyncflow.core.messages import Hello, Request
from asyncflow.core.models import Pool
from asyncflow.core.world import World
from asyncflow.dagfiles.loader import Loader, LoadResult
from asyncflow.engine.actions import Actions
from asyncflow.engine.changes import Changes
from asyncflow.engine.childlog import ChildLog
from asyncflow.engine.clock import Clock, SystemClock
from asyncflow.engine.files import DagFiles, LoadedFile
from asyncflow.engine.history import finished_runs, runs_to_come
from asyncflow.engine.launcher import Launcher
from asyncflow.engine.lookout import Lookout
from asyncflow.engine.monitor import Monitor
from asyncflow.engine.outbox import Outbox
from asyncflow.engine.params import validate_conf
from asyncflow.engine.recovery import LeftBehind, left_behind, recover
from asyncflow.engine.retention import Retention
from asyncflow.engine.scheduler import Scheduler
from asyncflow.engine.server_pages import ServerPages
from asyncflow.engine.task_api import TaskRequests
from asyncflow.executors.hosts import HostPool
from asyncflow.executors.oneshot import ask_connection_child
from asyncflow.ipc.fingerprint import main_path
from asyncflow.store.credentials import Connection
from asyncflow.store.database import Store
from asyncflow.store.lock import HomeLock

DEFAULT_POOL = "default_pool"


def _world(settings: Settings) -> World:
    return World(
        parallelism=settings.slots,
        async_concurrency=settings.async_concurrency,
        new_token=lambda: secrets.token_hex(12),
    )


class Server:
    """The parts of a server, connected."""

    def __init__(
        self, settings: Settings, store: Store, clock: Clock, spawn: Callable[..., None], *, scheduling: bool
    ) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self.changes = Changes()
        self.pool = HostPool(settings, on_message=self._on_message, on_request=self._on_request)
        self.launcher = self._launcher(spawn)
        world = _world(settings)
        self.scheduler = Scheduler(
            world=world,
            store=store,
            clock=clock,
            carry_out=self.launcher.carry_out,
            after_commit=self.changes.committed,
            scheduling=scheduling,
        )
        self.files = self._dag_files()
        self.launcher.scheduler = self.scheduler
        self.launcher.lookout = Lookout(store=store, scheduler=self.scheduler, logs=settings.logs, spawn=spawn)
        self.launcher.files = self.files
        self.outbox = self._outbox()
        self.launcher.callback_done = self.outbox.done
        if scheduling:
            self.scheduler.keeper = self.outbox
        self.loader = self._loader()
        self.monitor = Monitor(self.scheduler)
        self.retention = Retention(
            store=store, clock=clock, changes=self.changes, audit_days=settings.audit_retention_days
        )
        self.child_log = ChildLog(settings.stderr_dir, store)
        self.actions = self._actions()
        self.actions.server = self._server_pages()
        self.requests = TaskRequests(
            store=store,
            scheduler=self.scheduler,
            actions=self.actions,
            variable_changed=self.loader.variable_changed,
            changes=self.changes,
        )

    def _launcher(self, spawn: Callable[..., None]) -> Launcher:
        return Launcher(
            executor=self.pool,
            logs=self.settings.logs,
            clock=self.clock,
            hostname=socket.gethostname(),
            grace=self.settings.killed_task_cleanup_time,
            spawn=spawn,
        )

    def _actions(self) -> Actions:
        return Actions(
            store=self.store,
            scheduler=self.scheduler,
            files=self.files,
            launcher=self.launcher,
            clock=self.clock,
            monitor=self.monitor,
            logs=self.settings.logs,
            validate_conf=validate_conf,
            variable_changed=self.loader.variable_changed,
            connection_changed=self.loader.connection_changed,
            ask_child=partial(ask_connection_child, self.settings),
            changes=self.changes,
            folder=self.settings.dags,
        )

    def _loader(self) -> Loader:
        return Loader(
            self.settings,
            parse=self.pool.parse,
            on_result=self._loaded,
            on_gone=self._gone,
            on_look=self.changes.noted,
        )

    def _server_pages(self) -> ServerPages:
        return ServerPages(
            settings=self.settings,
            store=self.store,
            scheduler=self.scheduler,
            clock=self.clock,
            monitor=self.monitor,
            loader=self.loader,
            hosts=self.pool,
            changes=self.changes,
            starts=self.launcher.starts,
        )

    def _outbox(self) -> Outbox:
        return Outbox(
            store=self.store,
            executor=self.pool,
            owner=self.files.owner,
            launcher=self.launcher,
            clock=self.clock,
            logs=self.settings.logs,
        )

    async def _loaded(self, result: LoadResult) -> None:
        await self.files.loaded(result)
        self.actions.server.loaded(result)
        for dag_id in (spec.dag_id for spec in result.parsed.dags):
            self.changes.noted(dag_id)
        self.changes.noted()

    async def _gone(self, file: str) -> None:
        await self.files.gone(file)
        self.changes.noted()

    def _file_loaded(self, file: LoadedFile) -> None:
        self.launcher.file_loaded(file)
        self.outbox.file_loaded(file)

    def _dag_files(self) -> DagFiles:
        return DagFiles(
            store=self.store,
            scheduler=self.scheduler,
            clock=self.clock,
            paused_at_creation=self.settings.dags_are_paused_at_creation,
            retire=self.pool.retire,
            reload=lambda file: self.loader.reload(file),
            exists=lambda file: Path(main_path(str(self.settings.dags), file)).exists(),
            remember_source=self.pool.remember_source,
            when_loaded=self._file_loaded,
        )

    def _on_message(self, message: Any) -> None:
        self.launcher.on_message(message)

    async def _on_request(self, hello: Hello, request: Request) -> Any:
        return await self.requests.answer(hello, request)

    async def restore(self) -> list[LeftBehind]:
        """Fill the world from the store: pools, active runs and their DAGs. The scheduler must run."""
        pools = await self._pools()
        runs = await self.store.load_active_runs()
        fills = await self.store.active_backfills()
        missed = [(row.dag_id, row.run_id, row.deadline) for row in await self.store.active_sla_misses()]
        needed = {run.dag_id for run, _ in runs} | {fill.dag_id for fill in fills}
        last = await self.store.last_automated_runs()
        known = await self.store.load_dags()
        self.files.remember(known)
        datasets = await self.store.load_datasets([dag for dag in known if dag.active])
        dags = [dag for dag in known if dag.spec.dag_id in needed]
        past = [row for dag in dags for row in await finished_runs(self.store, dag.spec)]
        past += [row for fill in fills for row in await runs_to_come(self.store, fill)]

        def decide(world: World, now: datetime) -> None:
            for pool in pools:
                world.put_pool(pool)
            world.load_missed(missed)
            for fill in fills:
                world.load_backfill(fill)
            world.load_datasets(datasets)
            for run, tis in past:
                world.load_run(run, tis, now, history=True)
            for dag in dags:
                last_run = last.get(dag.spec.dag_id)  # without it, intervals that have run would be planned again
                world.put_dag(dag.spec, dag.version, paused=dag.paused, last_run=last_run, active=dag.active, now=now)
            for run, tis in runs:
                world.load_run(run, tis, now)

        await self.scheduler.do(decide)
        tries = left_behind(runs)
        self.launcher.expect(row.token for row in tries)
        return tries

    async def _pools(self) -> list[Pool]:
        """All pools; the first start makes default_pool, and the connection that a FileSensor asks for if not told."""
        pools = await self.store.list_pools()
        if all(pool.name != DEFAULT_POOL for pool in pools):
            pool = Pool(name=DEFAULT_POOL, slots=self.settings.default_pool_slots, description="Default pool")
            await self.store.put_pool(pool)
            await self.store.connection_set(Connection(conn_id="fs_default", conn_type="fs", extra='{"path": "/"}'))
            pools.append(pool)
        return pools

    async def settle(self, tries: list[LeftBehind]) -> None:
        """Adopt, apply or give up the tries of an earlier server."""
        await recover(tries, remains=self.pool, launcher=self.launcher, grace=self.settings.adoption_timeout)


@asynccontextmanager
async def assemble(
    settings: Settings, tasks: anyio.abc.TaskGroup, *, clock: Clock | None = None, scheduling: bool = True
) -> AsyncIterator[Server]:
    """Lock the home directory, open the store, connect the parts. Nothing runs yet. Raises errors.HomeLocked.

    Without `scheduling` only actions change anything: no run is made and no try is launched.
    """
    for folder in (
        settings.home,
        settings.logs,
        settings.xcom_dir,
        settings.spool,
        settings.run_dir,
        settings.stderr_dir,
    ):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def spawn(function: Callable[..., Any], *args: Any) -> None:
        tasks.start_soon(function, *args)

    with HomeLock(settings.lock):
        store = await Store.open(
            settings.database, durability=settings.durability, secret_key=secret_key_from_environment()
        )
        try:
            yield Server(settings, store, clock or SystemClock(), spawn, scheduling=scheduling)
        finally:
            with anyio.CancelScope(shield=True):
                await store.close()
