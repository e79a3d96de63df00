"""What the pages about the server itself ask for: how it is, how it is set up, its log, what is in its folders.

Numbers of the kernel and of files are read in threads; nothing here costs anything while nobody looks.
"""

from __future__ import annotations

import asyncio
import platform
import sqlite3
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import anyio.to_thread
import msgspec

from asyncflow import __version__
from asyncflow.config import Origin, Settings, shown_value, unused_airflow_variables
from asyncflow.core.census import Census
from asyncflow.core.inventory import Inventory
from asyncflow.core.models import TaskKey
from asyncflow.core.secrecy import MASK
from asyncflow.dagfiles.loader import Loader, LoadResult, Progress
from asyncflow.engine import measures
from asyncflow.engine.changes import Changes
from asyncflow.engine.clock import Clock
from asyncflow.engine.dag_folder import Folder, look_at
from asyncflow.engine.hiding import secrets_pattern
from asyncflow.engine.measures import Process
from asyncflow.engine.monitor import Bar, Jump, Lag, Monitor, quantiles
from asyncflow.engine.scheduler import Scheduler
from asyncflow.engine.serverlog import Excerpt, ServerLog
from asyncflow.executors.host import HostFacts, orders
from asyncflow.executors.oneshot import ChildFailed as ChildFailed
from asyncflow.executors.oneshot import ask_child
from asyncflow.store.database import Store

#: seconds the plugins may take to be imported
PATIENCE = 30.0
#: seconds between two looks at the disk, and for which a jump of the clock is told
_LOOK, _TOLD = 30.0, 600.0
#: seconds for which what was measured is told again
_FRESH = 1.0


class Hosts(Protocol):
    """What is asked of the executor."""

    def hosts(self) -> list[HostFacts]: ...

    @property
    def zygote_pid(self) -> int: ...


class LastLoad(NamedTuple):
    """The DAG file that was loaded last."""

    file: str
    at: datetime
    seconds: float
    error: str


class Alarms(NamedTuple):
    """What every page tells of, when it is bad."""

    trouble: str | None  #: why the last commit failed
    disk_total: int  #: bytes, 0 while it is not known
    disk_free: int
    jump: Jump | None  #: of the clock, not long ago


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How the server is."""

    now: datetime
    alarms: Alarms
    started_at: datetime
    lag: Lag  #: of the event loop, in the last minute
    worst_lag: float  #: since the start
    history: Sequence[Bar]
    census: Census
    inbox: int  #: facts that wait for the scheduler's next turn
    callbacks_due: int
    late_runs: int
    backfills: int
    starts: Lag  #: what the last thousand tries took from getting their slots to their process
    writes: Lag  #: what the last thousand transactions took
    database: int  #: bytes
    wal: int
    home: Path
    processes: Sequence[Process]
    start_mode: str
    slots: int
    folder: Path
    folder_exists: bool
    progress: Progress
    last_load: LastLoad | None
    import_errors: int
    last_event: datetime | None  #: of the journal, in this server's life
    seq: int  #: its number


class Setting(NamedTuple):
    """One setting in force."""

    name: str
    value: Any
    origin: Origin
    airflow: str
    default: Any
    doc: str


class ServerPages:
    """Reads for the pages about the server."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        scheduler: Scheduler,
        clock: Clock,
        monitor: Monitor,
        loader: Loader,
        hosts: Hosts,
        changes: Changes,
        starts: Collection[float],
    ) -> None:
        self.log = ServerLog(settings.server_log)
        self.origins: Mapping[str, Origin] = {}
        self.watch: Callable[[Callable[[], None]], None] = monitor.watch
        self._settings = settings
        self._store = store
        self._scheduler = scheduler
        self._clock = clock
        self._monitor = monitor
        self._loader = loader
        self._hosts = hosts
        self._changes = changes
        self._starts = starts
        self._started_at = clock.now()
        self._last_load: LastLoad | None = None
        self._last_event: tuple[int, datetime | None] = (0, None)
        self._inventory: tuple[object, Inventory] | None = None
        self._disk = (0, 0)
        self._asking = anyio.Lock()
        self._measuring = anyio.Lock()
        self._vitals: tuple[float, Vitals] | None = None
        self._log_watchers: list[Callable[[], None]] = []
        changes.listen(self._note_event)

    def _note_event(self, _names: object) -> None:
        seq = self._changes.mark.seq
        if seq != self._last_event[0]:
            self._last_event = (seq, self._clock.now())

    def loaded(self, result: LoadResult) -> None:
        """A file was loaded, well or not."""
        error = result.parsed.error
        message = error.message if error is not None else ""
        self._last_load = LastLoad(result.file, self._clock.now(), result.parsed.seconds, message)

    # ---- alarms -----------------------------------------------------------------------------------------------------

    async def look_around(self) -> None:
        """Keep an eye on the disk, until cancelled."""
        while True:
            await self._look_at_disk()
            await anyio.sleep(_LOOK)

    async def _look_at_disk(self) -> None:
        self._disk = await anyio.to_thread.run_sync(measures.disk, self._settings.home)

    @property
    def at_rest(self) -> threading.Event:
        """Set while the scheduler has nothing to do."""
        return self._scheduler.at_rest

    def alarms(self) -> Alarms:
        """What every page tells of; costs nothing."""
        jump = self._monitor.jump
        if jump is not None and abs((self._clock.now() - jump.at).total_seconds()) > _TOLD:
            jump = None
        return Alarms(self._scheduler.store_trouble, *self._disk, jump)

    # ---- health -----------------------------------------------------------------------------------------------------

    async def vitals(self) -> Vitals:
        """How the server is now; what was measured within the last second will do."""
        async with self._measuring:
            if self._vitals is None or anyio.current_time() - self._vitals[0] > _FRESH:
                self._vitals = (anyio.current_time(), await self._measured())
            return self._vitals[1]

    async def _measured(self) -> Vitals:
        settings, monitor, scheduler = self._settings, self._monitor, self._scheduler
        asks = await self._store.attention()
        processes = await anyio.to_thread.run_sync(measures.processes, self._hosts.zygote_pid, self._rows())
        sizes = await anyio.to_thread.run_sync(measures.sizes, settings.database, settings.dags)
        await self._look_at_disk()
        return Vitals(
            now=self._clock.now(),
            started_at=self._started_at,
            lag=monitor.lag(),
            worst_lag=monitor.worst_lag,
            history=list(monitor.history),
            alarms=self.alarms(),
            census=scheduler.world.census(),
            inbox=scheduler.waiting,
            callbacks_due=asks.callbacks_due,
            late_runs=asks.late_runs,
            backfills=asks.backfills,
            starts=quantiles(self._starts),
            writes=quantiles(self._store.write_seconds),
            database=sizes.database,
            wal=sizes.wal,
            home=settings.home,
            processes=processes,
            start_mode=settings.start_mode,
            slots=settings.slots,
            folder=settings.dags,
            folder_exists=sizes.folder,
            progress=self._loader.progress(),
            last_load=self._last_load,
            import_errors=asks.import_errors,
            last_event=self._last_event[1],
            seq=self._last_event[0],
        )

    def _rows(self) -> list[tuple[HostFacts, list[TaskKey]]]:
        world = self._scheduler.world
        return [
            (host, [key for token in host.tokens if (key := world.instance_of(token)) is not None])
            for host in self._hosts.hosts()
        ]

    # ---- set-up -----------------------------------------------------------------------------------------------------

    def settings(self) -> list[Setting]:
        """Every setting, in the order of the documentation; secrets are hidden."""
        return [
            Setting(
                item.name,
                shown_value(self._settings, item.name),
                self.origins.get(item.name, Origin("default")),
                item.metadata["airflow"],
                item.default,
                item.metadata["doc"],
            )
            for item in fields(Settings)
        ]

    def unused_variables(self) -> list[str]:
        """Airflow's settings in the environment that mean nothing here."""
        return unused_airflow_variables()

    async def inventory(self) -> Inventory:
        """Plugins and provider packages, as a process of its own finds them. Raises ChildFailed."""
        async with self._asking:
            stamp = await anyio.to_thread.run_sync(_stamp, self._settings.plugins_folder)
            if self._inventory is None or self._inventory[0] != stamp:
                question = msgspec.json.encode(orders(self._settings, "", "", "bare", None))
                answer = await ask_child("asyncflow.worker.inventory", question, PATIENCE)
                self._inventory = (stamp, msgspec.json.decode(answer, type=Inventory))
            return self._inventory[1]

    @property
    def plugins_folder(self) -> Path:
        """Where plugins are looked for."""
        return self._settings.plugins_folder

    def about(self) -> dict[str, dict[str, str]]:
        """What a bug report needs: versions and places."""
        settings = self._settings
        return {
            "versions": {
                "asyncflow": __version__,
                "Python": platform.python_version(),
                "SQLite": sqlite3.sqlite_version,
                "System": platform.platform(),
            },
            "places": {
                "Home directory": str(settings.home),
                "DAG folder": str(settings.dags),
                "Plugins folder": str(settings.plugins_folder),
                "Database": str(settings.database),
                "Logs of tasks": str(settings.logs),
                "Server log": str(settings.server_log),
                "Python interpreter": sys.executable,
            },
            "packages": _packages(),
        }

    # ---- the server's log -------------------------------------------------------------------------------------------

    @contextmanager
    def keeping_log(self) -> Iterator[None]:
        """What is logged meanwhile is kept, and those who watch the log are told of it in this event loop."""
        loop = asyncio.get_running_loop()

        def tell() -> None:
            loop.call_soon_threadsafe(self._log_written)

        self.log.when_written = tell
        with self.log.written():
            yield

    def watch_log(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called when something was logged. It must not block, nor log."""
        self._log_watchers.append(watcher)

    def _log_written(self) -> None:
        for watcher in self._log_watchers:
            watcher()

    async def read_log(self, number: int = 0, **asked: Any) -> Excerpt:
        """Some records of a part of the server's log, with stored secrets hidden."""
        pattern = await secrets_pattern(self._store)

        def read() -> Excerpt:
            found = self.log.read(number, **asked)
            if pattern is None:
                return found
            return found._replace(records=[it._replace(text=pattern.sub(MASK, it.text)) for it in found.records])

        return await anyio.to_thread.run_sync(read)

    # ---- the DAG folder ---------------------------------------------------------------------------------------------

    async def folder(self) -> Folder:
        """Why no DAG came of the DAG folder. Walks over it: only for somebody who has none."""
        return await anyio.to_thread.run_sync(
            look_at, self._settings.dags, self._loader.files, self._loader.progress(), self._settings
        )


# ---- in threads -----------------------------------------------------------------------------------------------------


def _stamp(folder: Path) -> object:
    """Changes when a plugin is edited or a package installed."""
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else []
    seen = [(str(path), _changed(path)) for path in files]
    return seen, [(path, _changed(Path(path))) for path in sys.path if path]


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _packages() -> dict[str, str]:
    """The packages that asyncflow is made of, with their versions."""
    found = {}
    try:
        names = [need.split(";")[0] for need in requires("asyncflow") or () if "extra ==" not in need]
    except PackageNotFoundError:
        names = []
    for name in names:
        bare = name.replace("[", "<").replace("=", "<").replace(">", "<").replace("~", "<").replace("!", "<")
        try:
            known = distribution(bare.split("<")[0].strip())
        except PackageNotFoundError:
            continue
        found[known.name] = known.version
    return dict(sorted(found.items(), key=lambda item: item[0].casefold()))
