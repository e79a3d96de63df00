"""From loaded files to DAGs: versions, import errors, one owner per dag_id.

Gets each result of the loader, writes it to the store and tells the scheduler. Knows for every DAG which file at
which content its tries are started from. A file that breaks leaves its last good DAGs as they are.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from asyncflow.core.messages import ImportFailure, Parsed
from asyncflow.core.models import DagRun
from asyncflow.core.specs import DagSpec
from asyncflow.core.world import World
from asyncflow.dagfiles.loader import LoadResult
from asyncflow.engine.clock import Clock
from asyncflow.engine.history import dates_ahead, finished_runs
from asyncflow.engine.scheduler import Scheduler
from asyncflow.store.database import Store

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
        when_loaded: Callable[[LoadedFile], None],
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._clock = clock
        self._paused_at_creation = paused_at_creation
        self._retire = retire
        self.reload = reload  #: have one file loaded again, though nothing changed
        self._when_loaded = when_loaded
        self._files: dict[str, LoadedFile] = {}
        self._file_of: dict[str, str] = {}
        self._seen: set[str] = set()  #: files with an import error or a good import in this server's life

    def owner(self, dag_id: str) -> LoadedFile | None:
        """The loaded file that a DAG comes from; None before its first load or after its file went away."""
        file = self._file_of.get(dag_id)
        return self._files.get(file) if file is not None else None

    async def loaded(self, result: LoadResult) -> None:
        """Take over one import, good or bad."""
        parsed, now = result.parsed, self._clock.now()
        self._seen.add(result.file)
        if parsed.error is not None:
            log.warning("%s: %s", result.file, parsed.error.message)
            await self._store.save_import_error(result.file, parsed.error, now)
            return
        mine, stolen = self._claim(result.file, parsed)
        if stolen:
            await self._store.save_import_error(result.file, self._duplicate(result.file, stolen), now)
        else:
            await self._store.clear_import_error(result.file)
        await self._take_over(result, mine, now)

    def _claim(self, file: str, parsed: Parsed) -> tuple[list[DagSpec], list[DagSpec]]:
        """The DAGs this file may have, and those that another file had first."""
        mine: list[DagSpec] = []
        stolen: list[DagSpec] = []
        for spec in parsed.dags:
            (mine if self._file_of.get(spec.dag_id, file) == file else stolen).append(spec)
        return mine, stolen

    def _duplicate(self, file: str, stolen: list[DagSpec]) -> ImportFailure:
        first = stolen[0]
        return ImportFailure(
            file=file,
            line=first.extra.get("line"),
            kind="duplicate",
            message=f"The dag_id {first.dag_id!r} is already used by {self._file_of[first.dag_id]}, which keeps it. "
            "Give this DAG another dag_id or remove one of the two files.",
        )

    async def _take_over(self, result: LoadResult, specs: list[DagSpec], now: datetime) -> None:
        file, before = result.file, self._files.get(result.file)
        bare = bool(result.parsed.unrepeatable)
        versioned = [(spec, version_of(spec, result.content_hash, repeatable=not bare)) for spec in specs]
        dag_ids = frozenset(spec.dag_id for spec in specs)
        paused = await self._store.save_dags(
            file,
            versioned,
            parsed=result.parsed,
            content_hash=result.content_hash,
            now=now,
            paused_at_creation=self._paused_at_creation,
        )
        after = LoadedFile(file, result.content_hash, bare, dag_ids)
        self._files[file] = after
        for dag_id in dag_ids:
            self._file_of[dag_id] = file
        dropped = sorted((before.dag_ids if before else frozenset()) - dag_ids)
        last = {spec.dag_id: await self._store.last_automated_run(spec.dag_id) for spec in specs}
        taken = {spec.dag_id: await dates_ahead(self._store, spec, _date(last[spec.dag_id])) for spec in specs}
        past = [row for spec in specs for row in await finished_runs(self._store, spec)]

        def decide(world: World, when: datetime) -> None:
            for dag_id in dropped:
                world.remove_dag(dag_id, when)
            for run, tis in past:
                world.load_run(run, tis, when, history=True)
            for spec, version in versioned:
                dag_id = spec.dag_id
                world.put_dag(
                    spec, version, paused=paused[dag_id], last_run=last[dag_id], taken=taken[dag_id], now=when
                )

        for dag_id in dropped:
            self._file_of.pop(dag_id, None)
        await self._scheduler.do(decide)
        if before is not None and before.content_hash != after.content_hash:
            self._retire(file, before.content_hash)
        self._when_loaded(after)

    async def gone(self, file: str) -> None:
        """A file was deleted: its DAGs stay in the history, nothing of theirs is scheduled any more."""
        before = self._files.pop(file, None)
        await self._store.clear_import_error(file)
        await self._store.file_gone(file)
        dag_ids = sorted(before.dag_ids) if before else []
        for dag_id in dag_ids:
            self._file_of.pop(dag_id, None)

        def decide(world: World, when: datetime) -> None:
            for dag_id in dag_ids:
                world.remove_dag(dag_id, when)

        await self._scheduler.do(decide)
        if before is not None:
            self._retire(file, before.content_hash)

    async def forget_missing(self) -> None:
        """After the first look at the folder: files the store still knows but which are not there."""
        for file in await self._store.known_files():
            if file not in self._seen:
                await self.gone(file)
