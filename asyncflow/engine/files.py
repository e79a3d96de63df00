"""From loaded files to DAGs: versions, import errors, one owner per dag_id.

Gets each result of the loader, writes it to the store and tells the scheduler. Knows for every DAG which file at
which content its tries are started from. A file that breaks leaves its last good DAGs as they are.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import anyio
import msgspec

from asyncflow.core.messages import ImportFailure, Parsed
from asyncflow.core.models import DagRun
from asyncflow.core.specs import DagSpec
from asyncflow.core.world import World
from asyncflow.dagfiles.loader import LoadResult
from asyncflow.engine.clock import Clock
from asyncflow.engine.history import dates_ahead, finished_runs
from asyncflow.engine.scheduler import Scheduler
from asyncflow.store.database import Store, StoredDag

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """The last good import of a file: what its tries are started from."""

    file: str
    content_hash: str
    bare: bool  #: its import is not repeatable: each task process imports it afresh
    dag_ids: frozenset[str]


def version_of(spec: DagSpec, content_hash: str, *, repeatable: bool) -> str:
    """The version hash of a DAG: 16 hex digits over the file's content (helpers included) and the DAG it built.

    Dates of a file that is not repeatable are left out, or `start_date=datetime.now()` would make a new version at
    every refresh.
    """
    if not repeatable:
        tasks = {i: msgspec.structs.replace(t, start_date=None, end_date=None) for i, t in spec.tasks.items()}
        spec = msgspec.structs.replace(spec, start_date=None, end_date=None, tasks=tasks)
    digest = hashlib.sha256(content_hash.encode())
    digest.update(msgspec.msgpack.encode(spec, order="deterministic"))
    return digest.hexdigest()[:16]


def _date(run: DagRun | None) -> datetime | None:
    return run.logical_date if run is not None else None


#: Seconds an action waits for the import of its DAG's file at most.
PATIENCE = 60.0


class RememberSource(Protocol):
    """Tells the executor the text of a version that this server has not imported itself."""

    def __call__(self, file: str, content_hash: str, source: str, *, bare: bool) -> None: ...


class DagFiles:
    """The DAG files that are loaded now."""

    def __init__(
        self,
        *,
        store: Store,
        scheduler: Scheduler,
        clock: Clock,
        paused_at_creation: bool,
        retire: Callable[[str, str], None],
        reload: Callable[[str], None],
        exists: Callable[[str], bool],
        remember_source: RememberSource,
        when_loaded: Callable[[LoadedFile], None],
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._clock = clock
        self._paused_at_creation = paused_at_creation
        self._retire = retire
        self.reload = reload  #: have one file loaded again, though nothing changed
        self._exists = exists
        self._remember_source = remember_source
        self._when_loaded = when_loaded
        self._files: dict[str, LoadedFile] = {}
        self._file_of: dict[str, str] = {}
        self._seen: set[str] = set()  #: files with an import error or a good import in this server's life
        self._stored: dict[str, StoredDag] = {}  #: active DAGs as the store had them at the start
        self._contested: dict[str, set[str]] = {}  #: dag_ids a file builds that another file has
        self._scheduled: set[str] = set()  #: DAGs that the scheduler has been told of
        self._under_way = 0  #: imports that are being taken over
        self._looked = False  #: the first look at the folder is over
        self._moved = anyio.Event()  #: set, and replaced, when one of these three changes

    def owner(self, dag_id: str) -> LoadedFile | None:
        """The loaded file that a DAG comes from; None before its first load or after its file went away."""
        file = self._file_of.get(dag_id)
        return self._files.get(file) if file is not None else None

    async def ready(self, dag_id: str) -> None:
        """Return when the scheduler knows this DAG, or when no import is left that could tell it."""
        with anyio.move_on_after(PATIENCE):
            while dag_id not in self._scheduled and (self._under_way or not self._looked):
                await self._moved.wait()

    def _has_moved(self) -> None:
        self._moved.set()
        self._moved = anyio.Event()

    def remember(self, dags: Iterable[StoredDag]) -> None:
        """What the store knew at the start: the DAGs whose files have not been looked at yet."""
        self._stored = {dag.spec.dag_id: dag for dag in dags if dag.active}

    async def loaded(self, result: LoadResult) -> None:
        """Take over one import, good or bad."""
        self._under_way += 1
        try:
            await self._loaded(result)
        finally:
            self._under_way -= 1
            self._has_moved()

    async def _loaded(self, result: LoadResult) -> None:
        parsed, now = result.parsed, self._clock.now()
        self._seen.add(result.file)
        if parsed.error is not None:
            log.warning("%s: %s", result.file, parsed.error.message)
            await self._store.save_import_error(result.file, parsed.error, now)
            if result.file not in self._files and not await self._bring_back(result.file) and parsed.dags:
                # Nothing good is lost by it: the DAGs of the file that are sound run, as in Airflow.
                await self._take_over(result, self._claim(result.file, parsed)[0], now)
            return
        mine, stolen = self._claim(result.file, parsed)
        if stolen:
            await self._store.save_import_error(result.file, self._duplicate(result.file, stolen), now)
        else:
            await self._store.clear_import_error(result.file)
        self._contested[result.file] = {spec.dag_id for spec in stolen}
        await self._take_over(result, mine, now)

    async def _bring_back(self, file: str) -> bool:
        """A file that is broken at the start: its last good version, as the store has it, keeps running."""
        dags = [dag for dag in self._stored.values() if dag.file == file]
        known = next((row for row in await self._store.load_files() if row.file == file), None)
        if not dags or known is None:
            return False
        version = await self._store.load_version(dags[0].spec.dag_id, dags[0].version)
        if version is None:
            return False
        bare = bool(known.unrepeatable)
        self._remember_source(file, known.content_hash, version.source, bare=bare)
        after = LoadedFile(file, known.content_hash, bare, frozenset(dag.spec.dag_id for dag in dags))
        await self._put(after, [(dag.spec, dag.version, dag.paused) for dag in dags], dropped=[])
        self._when_loaded(after)
        return True

    def _claim(self, file: str, parsed: Parsed) -> tuple[list[DagSpec], list[DagSpec]]:
        """The DAGs this file may have, and those that another file had first."""
        mine: list[DagSpec] = []
        stolen: list[DagSpec] = []
        for spec in parsed.dags:
            (mine if self._owner_file(spec.dag_id) in (None, file) else stolen).append(spec)
        return mine, stolen

    def _owner_file(self, dag_id: str) -> str | None:
        """The file that has a DAG: loaded now, or the one it had before the start if that is still to be looked at."""
        if dag_id in self._file_of:
            return self._file_of[dag_id]
        stored = self._stored.get(dag_id)
        waiting = stored is not None and stored.file not in self._seen and self._exists(stored.file)
        return stored.file if stored is not None and waiting else None

    def _duplicate(self, file: str, stolen: list[DagSpec]) -> ImportFailure:
        first = stolen[0]
        return ImportFailure(
            file=file,
            line=first.line,
            kind="duplicate",
            message=f"The dag_id {first.dag_id!r} is already used by {self._owner_file(first.dag_id)}, which keeps it. "
            "Give this DAG another dag_id or remove one of the two files.",
        )

    async def _take_over(self, result: LoadResult, specs: list[DagSpec], now: datetime) -> None:
        file, before = result.file, self._files.get(result.file)
        for other in sorted({self._stored[s.dag_id].file for s in specs if s.dag_id in self._stored} - {file}):
            if other not in self._seen and not self._exists(other):
                await self.gone(other)  # renamed while no server ran
        bare = bool(result.parsed.unrepeatable) or result.parsed.error is not None  # no host is kept of a bad import
        versioned = [(spec, version_of(spec, result.content_hash, repeatable=not bare)) for spec in specs]
        paused = await self._store.save_dags(
            file,
            versioned,
            parsed=result.parsed,
            content_hash=result.content_hash,
            now=now,
            paused_at_creation=self._paused_at_creation,
        )
        after = LoadedFile(file, result.content_hash, bare, frozenset(spec.dag_id for spec in specs))
        dropped = sorted((before.dag_ids if before else frozenset()) - after.dag_ids)
        await self._put(after, [(spec, version, paused[spec.dag_id]) for spec, version in versioned], dropped)
        if before is not None and before.content_hash != after.content_hash:
            self._retire(file, before.content_hash)
        self._when_loaded(after)
        self._offer(dropped)

    async def _put(self, after: LoadedFile, dags: list[tuple[DagSpec, str, bool]], dropped: list[str]) -> None:
        """Have the scheduler know these DAGs (spec, version, paused) and forget the dropped ones."""
        self._files[after.file] = after
        for dag_id in dropped:
            self._file_of.pop(dag_id, None)
        for dag_id in after.dag_ids:
            self._file_of[dag_id] = after.file
        last = {spec.dag_id: await self._store.last_automated_run(spec.dag_id) for spec, _, _ in dags}
        taken = {spec.dag_id: await dates_ahead(self._store, spec, _date(last[spec.dag_id])) for spec, _, _ in dags}
        past = [row for spec, _, _ in dags for row in await finished_runs(self._store, spec)]

        def decide(world: World, when: datetime) -> None:
            for dag_id in dropped:
                world.remove_dag(dag_id, when)
            for run, tis in past:
                world.load_run(run, tis, when, history=True)
            for spec, version, paused in dags:
                dag_id = spec.dag_id
                world.put_dag(spec, version, paused=paused, last_run=last[dag_id], taken=taken[dag_id], now=when)

        await self._scheduler.do(decide)
        self._scheduled = (self._scheduled - set(dropped)) | after.dag_ids
        self._has_moved()

    def _offer(self, dag_ids: Iterable[str]) -> None:
        """These dag_ids are free: files that wanted one of them are loaded again."""
        free = set(dag_ids)
        for file, wanted in list(self._contested.items()):
            if wanted & free:
                self.reload(file)

    async def gone(self, file: str) -> None:
        """A file was deleted: its DAGs stay in the history, nothing of theirs is scheduled any more."""
        before = self._files.pop(file, None)
        await self._store.clear_import_error(file)
        await self._store.file_gone(file)
        dag_ids = sorted(before.dag_ids) if before else []
        for dag_id in dag_ids:
            self._file_of.pop(dag_id, None)
        self._scheduled -= set(dag_ids)

        def decide(world: World, when: datetime) -> None:
            for dag_id in dag_ids:
                world.remove_dag(dag_id, when)

        await self._scheduler.do(decide)
        if before is not None:
            self._retire(file, before.content_hash)
        self._contested.pop(file, None)
        self._offer(dag_ids)

    async def forget_missing(self) -> None:
        """After the first look at the folder: files the store still knows but which are not there."""
        for file in await self._store.known_files():
            if file not in self._seen:
                await self.gone(file)
        self._looked = True
        self._has_moved()
