"""What the pages over all DAGs, of runs and of task instances ask for: structs, of windows only.

The list of DAGs is kept in memory (`dag_list`). The rest is read from the store each time, at a cost that does not grow
with history.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.sentence import Sentence
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import FINISHED, TaskState
from asyncflow.engine.changes import Changes
from asyncflow.engine.clock import Clock
from asyncflow.engine.dag_list import BARS, DagList
from asyncflow.engine.dag_rows import (
    MOST_MISSED,
    SORTS,
    STATUSES,
    DagCard,
    DagPage,
    DagQuery,
    DagRow,
    has,
)
from asyncflow.engine.paths import log_path
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import NotFound
from asyncflow.store.database import JournalLine, Store, StoredTry
from asyncflow.store.pages import BriefRun, RunSearch, Tried

__all__ = [
    "BARS",
    "MOST_MISSED",
    "SORTS",
    "STATUSES",
    "BriefRun",
    "DagCard",
    "DagPage",
    "DagQuery",
    "DagRow",
    "InstancePage",
    "Pages",
    "RunPage",
    "RunSearch",
    "StoredTry",
]

_BROKEN = frozenset({"failed", "upstream_failed"})


class Waiting(NamedTuple):
    """A task instance and, while it waits, the reason."""

    ti: TaskInstance
    why: str


class RunPage(NamedTuple):
    """One run, and a page of its task instances."""

    run: DagRun
    spec: DagSpec
    version: str  #: of `spec`, the newest
    states: dict[str, int]  #: how many instances are in each state
    rows: list[Waiting]
    matching: int
    older: str | None
    newer: str | None


class InstancePage(NamedTuple):
    """All that is known of one task instance."""

    run: DagRun
    spec: DagSpec
    ti: TaskInstance
    why: str
    tries: list[StoredTry]
    states: dict[str, dict[str, int]]  #: by task, of its neighbours: how many instances are in each state
    copies: int  #: instances of the same task in this run
    older: str | None = None  #: ids of the runs beside this one
    newer: str | None = None


class Pages:
    """Reads for `/`, `/runs`, `/search` and the pages of runs and task instances. Errors are of `asyncflow.errors`."""

    def __init__(
        self, *, store: Store, scheduler: Scheduler, clock: Clock, changes: Changes, logs: Path, folder: Path
    ) -> None:
        self.changes = changes
        self.folder = folder  #: where DAG files are looked for
        self._store = store
        self._scheduler = scheduler
        self._clock = clock
        self._logs = logs
        self._list = DagList(store=store, scheduler=scheduler, clock=clock, changes=changes)

    def now(self) -> datetime:
        """What the server's clock says."""
        return self._clock.now()

    # ---- all DAGs ---------------------------------------------------------------------------------------------------

    async def dags(self, query: DagQuery) -> DagPage:
        """One page of the list of DAGs, and what its filters offer."""
        return await self._list.page(query)

    async def matching_dags(self, query: DagQuery) -> list[str]:
        """The ids of all DAGs that a query is about, whatever its window."""
        return await self._list.matching(query)

    async def dag_row(self, dag_id: str) -> DagRow:
        """One DAG as the list has it. Raises NotFound."""
        return await self._list.row(dag_id)

    async def listed_dags(self) -> list[DagRow]:
        """Every DAG in the folder, by id."""
        return await self._list.listed()

    async def learn(self) -> None:
        """Have the list of DAGs ready before anybody asks."""
        await self._list.learn()

    async def run_states(self, dag_id: str) -> dict[str, int]:
        """How many runs of a DAG are in each state; zeros are left out."""
        return (await self._store.run_state_counts([dag_id])).get(dag_id, {})

    async def cards(self) -> list[DagCard]:
        """What is listed of every DAG in the folder, by id."""
        return await self._list.cards()

    # ---- runs -------------------------------------------------------------------------------------------------------

    async def runs(self, search: RunSearch, *, limit: int, offset: int = 0) -> list[DagRun]:
        """Runs, those that were due last first."""
        return await self._store.search_runs(search, limit=limit, offset=offset)

    async def dag_ids_with(self, text: str) -> list[str]:
        """The DAGs in the folder with `text` in their id or name."""
        wanted = text.casefold()
        return [card.dag_id for card in await self._list.cards() if has(card, wanted)]

    async def run(
        self,
        dag_id: str,
        run_id: str,
        *,
        state: str = "",
        text: str = "",
        task_id: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> RunPage:
        """A run and some of its task instances: what failed first, then in the DAG's order.

        `text` is a part of the task id; `task_id` the whole one, or that of a group.
        """
        run, spec, version = await self.run_alone(dag_id, run_id)
        names = await self._store.run_tasks(dag_id, run_id)
        places = {task_id: place for place, task_id in enumerate(spec.tasks)}
        if task_id:
            names = [row for row in names if row[0] == task_id or _is_in(spec, row[0], task_id)]
        names = [row for row in names if text in row[0]]
        chosen = [row for row in names if not state or row[2] == state]
        chosen.sort(key=lambda row: (row[2] not in _BROKEN, places.get(row[0], len(places)), row[0], row[1]))
        window = [(task_id, map_index) for task_id, map_index, _ in chosen[offset : offset + limit]]
        tis = await self._store.some_tasks(dag_id, run_id, window)
        beside = await self._store.run_neighbours(dag_id, run_id)
        return RunPage(
            run=run,
            spec=spec,
            version=version,
            states=_count(row[2] for row in names),
            rows=[Waiting(ti, self._why(ti)) for ti in tis],
            matching=len(chosen),
            older=beside.get("older"),
            newer=beside.get("newer"),
        )

    async def run_alone(self, dag_id: str, run_id: str) -> tuple[DagRun, DagSpec, str]:
        """A run, the newest definition of its DAG and the version of that. Raises NotFound."""
        dag = await self._store.load_dag(dag_id)
        if dag is None:
            raise NotFound("DAG", dag_id, [card.dag_id for card in await self._list.cards()])
        found = await self._store.run_alone(dag_id, run_id)
        if found is None:
            known = await self._store.search_runs(RunSearch(dag_ids=[dag_id]), limit=200)
            raise NotFound(Sentence("run of DAG {dag!r} named", dag=dag_id), run_id, [run.run_id for run in known])
        return found, dag.spec, dag.version

    def _why(self, ti: TaskInstance) -> str:
        if ti.state in FINISHED or ti.state is TaskState.RUNNING:
            return ""
        return self._scheduler.world.why(ti.key, self._clock.now())

    async def journal(self, dag_id: str, run_id: str, *, after: int = 0, limit: int = 200) -> list[JournalLine]:
        """What happened to a run and its task instances, oldest first."""
        return await self._store.journal(after, dag_id=dag_id, run_id=run_id, limit=limit)

    async def tried(self, dag_id: str, run_id: str, *, limit: int, offset: int = 0) -> list[Tried]:
        """The tries of a run that wrote a log, the one that started last first."""
        return await self._store.tried(dag_id, run_id, limit, offset)

    # ---- task instances ---------------------------------------------------------------------------------------------

    async def instance(self, key: TaskKey) -> InstancePage:
        """One task instance, its tries and its neighbours."""
        run, spec, _ = await self.run_alone(key.dag_id, key.run_id)
        names = await self._store.run_tasks(key.dag_id, key.run_id)
        found = await self._store.some_tasks(key.dag_id, key.run_id, [(key.task_id, key.map_index)])
        if not found:
            known = {f"{task_id}[{index}]" if index >= 0 else task_id for task_id, index, _ in names}
            raise NotFound(
                Sentence("task instance in run {run!r} of DAG {dag!r} named", run=key.run_id, dag=key.dag_id),
                key.task_id,
                known,
            )
        task = spec.tasks.get(key.task_id)
        beside = {*task.upstream, *task.downstream} if task else set()
        states: dict[str, dict[str, int]] = {task_id: {} for task_id in beside}
        for task_id, _, state in names:
            if task_id in states:
                states[task_id][state] = states[task_id].get(state, 0) + 1
        runs = await self._store.run_neighbours(key.dag_id, key.run_id)
        return InstancePage(
            run=run,
            spec=spec,
            ti=found[0],
            why=self._why(found[0]),
            tries=await self._store.list_tries(key),
            states=states,
            copies=sum(row[0] == key.task_id for row in names),
            older=runs.get("older"),
            newer=runs.get("newer"),
        )

    async def rendered(self, key: TaskKey) -> dict[str, Any]:
        """The rendered template fields of the last try, masked."""
        return await self._store.rendered(key) or {}

    def log_path(self, key: TaskKey, try_number: int) -> Path:
        """Where the log of a try is, or will be."""
        return log_path(self._logs, *key, try_number)

    @property
    def commits(self) -> int:
        """How many transactions the store has committed since it was opened."""
        return self._store.writes

    @property
    def busy(self) -> bool:
        """Whether a task is at work."""
        return bool(self._scheduler.world.live_tokens())

    @property
    def healthy(self) -> bool:
        """Whether the database takes what the scheduler writes."""
        return self._scheduler.store_trouble is None


def _is_in(spec: DagSpec, task_id: str, wanted: str) -> bool:
    """Whether a task is in a group, or in one that is in it."""
    task = spec.tasks.get(task_id)
    group_id = task.group_id if task else None
    while group_id is not None and group_id != wanted:
        group = spec.groups.get(group_id)
        group_id = group.parent if group else None
    return group_id is not None


def _count(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
