"""What the pages of one DAG ask for: structs, not JSON, since a grid has thousands of cells.

Versions of DAGs never change and neither does what was read of a run before its next line in the journal, so both are
kept in memory, a bounded number of each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from asyncflow.core.models import DagRun
from asyncflow.core.sentence import Sentence
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import FINISHED_RUN, RunState
from asyncflow.engine.clock import Clock
from asyncflow.errors import NotFound
from asyncflow.store.database import Store, StoredDag, StoredFile, StoredVersion
from asyncflow.store.grid import CellPart, NumberedRun, Readiness, TryBar, VersionLine
from asyncflow.store.past import PastRun
from asyncflow.store.rows import EPOCH

__all__ = [
    "CellPart",
    "DagPages",
    "GridWindow",
    "NumberedRun",
    "PastWindow",
    "StoredDag",
    "StoredFile",
    "StoredVersion",
    "VersionLine",
]

K = TypeVar("K")
V = TypeVar("V")

#: versions of DAGs, and (run, lines) answers, kept in memory
_VERSIONS_KEPT = 64
_RUNS_KEPT = 2000


class _Recent(Generic[K, V]):
    """The values that were used last, at most `size` of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        if len(self._values) > self._size:
            self._values.popitem(last=False)


class GridWindow(msgspec.Struct, kw_only=True, frozen=True):
    """Some runs of a DAG, oldest first."""

    runs: list[NumberedRun]
    seqs: dict[str, int]  #: by run id, the last line of the journal
    older: datetime | None  #: where the window before this one ends; None = there is none
    now: datetime


class PastWindow(NamedTuple):
    """Runs of a window as they were at an earlier moment, oldest first, and by their numbers what their tasks were."""

    runs: list[NumberedRun]
    cells: dict[int, list[CellPart]]


def _made(run: NumberedRun) -> datetime:
    """When a run was made of which the journal has no line."""
    return run.queued_at or run.started_at or run.run_after


def _went_on(run: NumberedRun, last: datetime | None, at: datetime) -> bool:
    """Whether a run is not any more what it was at a moment."""
    latest = last or run.ended_at
    return latest is None or latest > at


def _at(run: NumberedRun, then: PastRun, at: datetime) -> NumberedRun:
    """A run with the state and times of an earlier moment."""
    started = run.started_at if run.started_at is not None and run.started_at <= at else None
    ended = run.ended_at if run.ended_at is not None and run.ended_at <= at else None
    state = RunState.QUEUED if started is None else RunState.RUNNING if ended is None else run.state
    if then.line is not None:
        state = RunState(then.line.state)
        since = EPOCH + timedelta(microseconds=then.line.at)
        started = started or (since if state is not RunState.QUEUED else None)
        ended = since if state in FINISHED_RUN else None
    return msgspec.structs.replace(run, state=state, started_at=started, ended_at=ended)


class DagPages:
    """Reads for `/dags/<dag_id>/...`. Errors are those of `asyncflow.errors`."""

    def __init__(self, store: Store, clock: Clock, datasets: Callable[[DagSpec], dict[str, Any]]) -> None:
        #: which datasets the next run of a DAG waits for: `engine.datasets.dataset_fields`
        self.datasets = datasets
        self._store = store
        self._clock = clock
        self._versions: _Recent[tuple[str, str], StoredVersion] = _Recent(_VERSIONS_KEPT)
        self._specs: _Recent[tuple[str, str], DagSpec] = _Recent(_VERSIONS_KEPT)
        self._usual: _Recent[tuple[tuple[int, int], ...], dict[str, float]] = _Recent(_VERSIONS_KEPT)
        self._cells: _Recent[tuple[int, int, int], list[CellPart]] = _Recent(_RUNS_KEPT)

    async def dag(self, dag_id: str) -> StoredDag:
        """A DAG at its newest version."""
        dag = await self._store.load_dag(dag_id)
        if dag is None:
            raise NotFound("DAG", dag_id, [known.spec.dag_id for known in await self._store.load_dags()])
        # one object per version: what is worked out of it can be kept
        spec = self._specs.get((dag_id, dag.version))
        if spec is None:
            self._specs.put((dag_id, dag.version), dag.spec)
            return dag
        return msgspec.structs.replace(dag, spec=spec)

    async def version(self, dag_id: str, version: str) -> StoredVersion:
        """One version of a DAG with the text of its file."""
        known = self._versions.get((dag_id, version))
        if known is None:
            known = await self._store.load_version(dag_id, version)
            if known is None:
                names = [row.version for row in await self._store.dag_versions(dag_id)]
                raise NotFound(Sentence("version of DAG {dag!r} named", dag=dag_id), version, names)
            self._versions.put((dag_id, version), known)
        return known

    async def versions(self, dag_id: str) -> list[VersionLine]:
        """All versions of a DAG, newest first."""
        return await self._store.dag_versions(dag_id)

    async def specs(self, dag_id: str, versions: Sequence[str]) -> dict[str, DagSpec]:
        """The definitions of some versions; those that are no longer stored are left out."""
        found = {}
        for version in dict.fromkeys(versions):
            try:
                found[version] = (await self.version(dag_id, version)).spec
            except NotFound:
                continue
        return found

    async def file(self, file: str) -> StoredFile | None:
        """What the last good import of a file said about it."""
        return await self._store.file_facts(file)

    async def window(
        self,
        dag_id: str,
        *,
        limit: int,
        until: datetime | None = None,
        run_type: str | None = None,
        state: str | None = None,
        triggered_by: str | None = None,
        offset: int = 0,
    ) -> GridWindow:
        """The newest `limit` runs that were due at `until` or before, but for the first `offset` of these."""
        runs = await self._store.grid_runs(
            dag_id,
            until=until,
            run_type=run_type,
            state=state,
            triggered_by=triggered_by,
            limit=limit + 1,
            offset=offset,
        )
        older = runs[limit].run_after if len(runs) > limit else None
        shown = runs[:limit][::-1]
        seqs = await self._store.run_seqs(dag_id, [run.run_id for run in shown])
        return GridWindow(runs=shown, seqs=seqs, older=older, now=self._clock.now())

    async def cells(self, window: GridWindow, lines: Mapping[str, int]) -> dict[int, list[CellPart]]:
        """By the numbers of the window's runs: what the tasks in `lines` (task id -> line) came to."""
        shape = hash(tuple(lines.items()))
        keys = {run.id: (run.id, window.seqs[run.run_id], shape) for run in window.runs}
        found = {number: known for number, key in keys.items() if (known := self._cells.get(key)) is not None}
        missing = [number for number in keys if number not in found]
        if missing:
            read = await self._store.run_cells(missing, lines)
            found.update(read)
            for number in missing:
                if keys[number][1]:  # without a line in the journal nothing would tell that it changed
                    self._cells.put(keys[number], read[number])
        return found

    async def past(self, window: GridWindow, lines: Mapping[str, int], at: datetime) -> PastWindow:
        """The window as it was at a moment: runs that had not been made are not in it."""
        if not window.runs:
            return PastWindow([], {})
        dag_id = window.runs[0].dag_id
        spans = await self._store.past_spans(dag_id, [run.run_id for run in window.runs])
        there = [run for run in window.runs if (spans[run.run_id][0] or _made(run)) <= at]
        moved = {run.run_id: run.id for run in there if _went_on(run, spans[run.run_id][1], at)}
        cells = await self.cells(
            msgspec.structs.replace(window, runs=[r for r in there if r.run_id not in moved]), lines
        )
        read = await self._store.past_runs(dag_id, moved, lines, at) if moved else {}
        runs = []
        for run in there:
            then = read.get(run.run_id)
            if then is not None:
                cells[run.id] = then.cells
            runs.append(run if then is None else _at(run, then, at))
        return PastWindow(runs, cells)

    async def usual(self, window: GridWindow) -> dict[str, float]:
        """The median seconds of each task over the runs of a window that have ended."""
        ended = [run for run in window.runs if run.ended_at is not None]
        key = tuple((run.id, window.seqs[run.run_id]) for run in ended)
        known = self._usual.get(key)
        if known is None:
            known = await self._store.usual_seconds([run.id for run in ended])
            self._usual.put(key, known)
        return known

    async def around(self, dag_id: str, run_id: str | None, *, limit: int) -> tuple[NumberedRun | None, GridWindow]:
        """A run (the newest when none is named, None if there is none), and the newest `limit` runs to choose from."""
        window = await self.window(dag_id, limit=limit)
        if run_id is None:
            return (window.runs[-1] if window.runs else None), window
        run = next((run for run in window.runs if run.run_id == run_id), None)
        run = run or await self._store.numbered_run(dag_id, run_id)
        if run is None:
            await self.dag(dag_id)
            raise NotFound(
                Sentence("run of DAG {dag!r} named", dag=dag_id), run_id, [known.run_id for known in window.runs]
            )
        return run, window

    async def cells_of(self, run: NumberedRun, lines: Mapping[str, int]) -> tuple[list[CellPart], int]:
        """What the tasks in `lines` came to in one run, and the last line of the journal about it."""
        seqs = await self._store.run_seqs(run.dag_id, [run.run_id])
        window = GridWindow(runs=[run], seqs=seqs, older=None, now=self._clock.now())
        return (await self.cells(window, lines))[run.id], seqs[run.run_id]

    async def readiness(self, run: DagRun) -> list[Readiness]:
        """Since when the task instances of a run could have begun."""
        return await self._store.run_readiness(run.dag_id, run.run_id)

    async def tries(self, dag_id: str, run_id: str) -> list[TryBar]:
        """Every try of a run."""
        return await self._store.run_tries(dag_id, run_id)

    async def days(self, dag_id: str, start: datetime, end: datetime) -> dict[int, dict[str, int]]:
        """Runs per day (days since 1970, UTC) and state, of logical dates from `start` up to `end`."""
        return await self._store.run_days(dag_id, start, end)

    def now(self) -> datetime:
        """What the server's clock says."""
        return self._clock.now()
