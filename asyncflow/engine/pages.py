"""What the pages over all DAGs, of runs and of task instances ask for: structs, of windows only.

A DAG's definition is decoded once per version; what is listed of it (its card) stays in memory. The rest is read from
the store each time, at a cost that does not grow with history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import msgspec

from asyncflow.core import timetable
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import FINISHED, FINISHED_RUN, RunState, TaskState
from asyncflow.core.timetable import CustomTimetable, DataInterval, TimetableSpec
from asyncflow.engine.changes import Changes, Named
from asyncflow.engine.clock import Clock
from asyncflow.engine.hiding import hide_secrets
from asyncflow.engine.paths import log_path
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import NotFound
from asyncflow.store.database import JournalLine, Store, StoredImportError, StoredTry, StoredXCom
from asyncflow.store.pages import BriefRun, ListedDag, RunSearch, Tried

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

#: bars of a DAG in the list
BARS = 14
#: DAGs whose runs are read again one by one; for more, all are read
_FEW = 200
#: definitions decoded before the event loop gets its turn
_AT_ONCE = 50
#: missed intervals that are counted at most
MOST_MISSED = 20
_BROKEN = frozenset({"failed", "upstream_failed"})


class DagCard(msgspec.Struct, frozen=True, kw_only=True):
    """What is listed of a DAG's definition."""

    dag_id: str
    version: str
    name: str
    owner: str
    tags: tuple[str, ...]
    description: str
    schedule: str
    schedule_words: str
    timezone: str
    max_active_runs: int
    start_date: datetime | None
    end_date: datetime | None
    timetable: TimetableSpec
    by_datasets: bool
    has_params: bool
    task_ids: tuple[str, ...]


class DagQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which DAGs are listed, and in which order."""

    text: str = ""  #: in the id, the name, the owner or a tag
    tags: tuple[str, ...] = ()  #: any of them
    owner: str = ""
    status: str = "all"  #: a key of STATUSES
    sort: str = "name"  #: a key of SORTS
    descending: bool = False
    limit: int = 50
    offset: int = 0


class DagRow(msgspec.Struct, kw_only=True):
    """One DAG of the list."""

    dag: ListedDag
    card: DagCard
    run_states: Mapping[str, int] = {}
    last_run: BriefRun | None = None
    recent: Sequence[BriefRun] = ()  #: newest first
    task_states: Mapping[str, int] = {}  #: in the active runs, or else in the last one
    missed: int = 0  #: of a paused DAG: intervals that are due, MOST_MISSED at most
    #: in its schedule: since when the update of each is queued for the next run; None = awaited
    datasets: Mapping[str, datetime | None] = {}


class DagPage(NamedTuple):
    """One page of the list of DAGs."""

    rows: list[DagRow]
    matching: int  #: rows on all pages together
    statuses: dict[str, int]  #: by key of STATUSES: how many DAGs, whatever the other filters
    tags: list[str]  #: those of all DAGs
    owners: list[str]
    errors: list[StoredImportError]


class Found(NamedTuple):
    """What a search came to."""

    dags: list[DagCard]
    tasks: list[tuple[str, str]]  #: (dag_id, task_id)
    runs: list[tuple[str, str, str]]  #: (dag_id, run_id, state)


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


def _finished(row: DagRow) -> bool:
    return row.last_run is not None and row.last_run.state is RunState.FAILED


#: which DAGs a tab of the list shows
STATUSES: dict[str, Callable[[DagRow], bool]] = {
    "all": lambda row: True,
    "active": lambda row: not row.dag.paused,
    "paused": lambda row: row.dag.paused,
    "running": lambda row: bool(row.run_states.get("running") or row.run_states.get("queued")),
    "failed": _finished,
    "broken": lambda row: row.dag.broken,
}


def _moment(moment: datetime | None) -> tuple[bool, float]:
    return moment is None, moment.timestamp() if moment else 0.0


#: by what the list is sorted; rows without a value come last when ascending
SORTS: dict[str, Callable[[DagRow], Any]] = {
    "name": lambda row: row.card.name.casefold(),
    "owner": lambda row: row.card.owner.casefold(),
    "schedule": lambda row: row.card.schedule,
    "last": lambda row: _moment(row.last_run.run_after if row.last_run else None),
    "next": lambda row: _moment(row.dag.next_run_after),
    "failed": lambda row: row.run_states.get("failed", 0),
    "running": lambda row: row.run_states.get("running", 0),
}


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
        self._cards: dict[str, DagCard] = {}
        self._ahead: dict[str, _Ahead] = {}
        #: states of task instances by the number of a finished run; forgotten when anything changes in it
        self._states: dict[int, dict[str, int]] = {}
        self._numbers: dict[Named, int] = {}
        #: counts of runs by state and newest run, by DAG; true but for the DAGs in `_stale` (None: for all)
        self._run_states: dict[str, dict[str, int]] = {}
        self._last_runs: dict[str, BriefRun | None] = {}
        self._stale: set[str] | None = None
        self._looking = anyio.Lock()
        changes.listen(self._forget)

    def now(self) -> datetime:
        """What the server's clock says."""
        return self._clock.now()

    def _forget(self, names: frozenset[Named]) -> None:
        for name in names:
            if self._stale is not None:
                self._stale.add(name[0])
            number = self._numbers.pop(name, None)
            if number is not None:
                self._states.pop(number, None)

    # ---- all DAGs ---------------------------------------------------------------------------------------------------

    async def dags(self, query: DagQuery) -> DagPage:
        """One page of the list of DAGs, and what its filters offer."""
        rows = await self._rows()
        statuses = {name: sum(map(test, rows)) for name, test in STATUSES.items()}
        chosen = [row for row in rows if STATUSES[query.status](row) and _matches(row.card, query)]
        chosen.sort(key=SORTS["name"])
        chosen.sort(key=SORTS[query.sort], reverse=query.descending)
        shown = chosen[query.offset : query.offset + query.limit]
        await self._complete(shown)
        return DagPage(
            rows=shown,
            matching=len(chosen),
            statuses=statuses,
            tags=sorted({tag for row in rows for tag in row.card.tags}, key=str.casefold),
            owners=sorted({row.card.owner for row in rows if row.card.owner}, key=str.casefold),
            errors=await self._store.list_import_errors(),
        )

    async def matching_dags(self, query: DagQuery) -> list[str]:
        """The ids of all DAGs that a query is about, whatever its window."""
        rows = await self._rows()
        return [row.dag.dag_id for row in rows if STATUSES[query.status](row) and _matches(row.card, query)]

    async def dag_row(self, dag_id: str) -> DagRow:
        """One DAG as the list has it. Raises NotFound."""
        rows = [row for row in await self._rows() if row.dag.dag_id == dag_id]
        if not rows:
            raise NotFound("DAG", dag_id, self._cards)
        await self._complete(rows)
        return rows[0]

    async def run_states(self, dag_id: str) -> dict[str, int]:
        """How many runs of a DAG are in each state; zeros are left out."""
        return (await self._store.run_state_counts([dag_id])).get(dag_id, {})

    async def _rows(self) -> list[DagRow]:
        listed = await self._store.listed_dags()
        await self._learn(listed)
        await self._look_again()
        return [
            DagRow(
                dag=dag,
                card=self._cards[dag.dag_id],
                run_states=self._run_states.get(dag.dag_id, {}),
                last_run=self._last_runs.get(dag.dag_id),
            )
            for dag in listed
        ]

    async def _look_again(self) -> None:
        """Read the runs of DAGs where something has changed since they were last read; at first, of all."""
        async with self._looking:  # who comes second must not be answered from what the first is about to replace
            stale, self._stale = self._stale, set()
            everything = stale is None or len(stale) > _FEW
            try:
                if everything:
                    self._run_states = await self._store.run_state_counts()
                    self._last_runs = {run.dag_id: run for run in await self._store.newest_runs()}
                elif stale:
                    counts = await self._store.run_state_counts(sorted(stale))
                    last = {run.dag_id: run for run in await self._store.recent_runs(sorted(stale), 1)}
                    for dag_id in stale:
                        self._run_states[dag_id] = counts.get(dag_id, {})
                        self._last_runs[dag_id] = last.get(dag_id)
            except BaseException:
                self._stale = None
                raise

    async def learn(self) -> None:
        """Have the cards of all DAGs ready before anybody asks."""
        await self._learn(await self._store.listed_dags())

    async def _learn(self, listed: Sequence[ListedDag]) -> None:
        """Make the cards of DAGs that are new, or have a new version."""
        known = self._cards
        missing = [dag.dag_id for dag in listed if dag.dag_id not in known or known[dag.dag_id].version != dag.version]
        for at in range(0, len(missing), _AT_ONCE):
            for dag_id, version, spec in await self._store.newest_specs(missing[at : at + _AT_ONCE]):
                known[dag_id] = _card(spec, version)

    async def _complete(self, rows: Sequence[DagRow]) -> None:
        """Read what is shown of the DAGs on the page alone."""
        for row in rows:
            if row.card.by_datasets:
                row.datasets = self._scheduler.world.dataset_queue(row.dag.dag_id)
        recent: dict[str, list[BriefRun]] = {row.dag.dag_id: [] for row in rows}
        for run in await self._store.recent_runs(list(recent), BARS):
            recent[run.dag_id].append(run)
        looked_at = {dag_id: _at_work(runs) for dag_id, runs in recent.items()}
        states = await self._task_states([run for runs in looked_at.values() for run in runs])
        now = self._clock.now()
        for row in rows:
            row.recent = recent[row.dag.dag_id]
            row.task_states = _sum(states[run.id] for run in looked_at[row.dag.dag_id])
            row.missed = self._missed(row, now) if row.dag.paused else 0

    async def _task_states(self, runs: Sequence[BriefRun]) -> dict[int, dict[str, int]]:
        known = {run.id: self._states[run.id] for run in runs if run.id in self._states}
        missing = {run.id: run for run in runs if run.id not in known}
        for number, run in missing.items():  # noted before the read: a change during it must undo what is kept
            if run.state in FINISHED_RUN:
                self._numbers[run.dag_id, run.run_id] = number
        if missing:
            known |= (read := await self._store.task_states(list(missing)))
            for number, run in missing.items():
                if self._numbers.get((run.dag_id, run.run_id)) == number:
                    self._states[number] = read[number]
        return known

    def _missed(self, row: DagRow, now: datetime) -> int:
        """How many intervals of a DAG are due, MOST_MISSED at most."""
        dag, card = row.dag, row.card
        if dag.next_run_after is None or dag.next_run_after > now or isinstance(card.timetable, CustomTimetable):
            return 0
        ahead = self._ahead.get(dag.dag_id)
        if ahead is None or ahead.start != (dag.version, dag.next_run_after):
            ahead = self._ahead[dag.dag_id] = _Ahead(dag, card)
        return ahead.due(now)

    # ---- search -----------------------------------------------------------------------------------------------------

    async def search(self, text: str, *, limit: int = 20) -> Found:
        """DAGs and tasks whose id or name has `text` in it, and runs whose id begins with it."""
        listed = await self._store.listed_dags()
        await self._learn(listed)
        wanted = text.casefold()
        dags: list[DagCard] = []
        tasks: list[tuple[str, str]] = []
        for dag in listed:
            card = self._cards[dag.dag_id]
            if len(dags) < limit and _has(card, wanted):
                dags.append(card)
            if len(tasks) < limit:
                tasks += [(dag.dag_id, task_id) for task_id in card.task_ids if wanted in task_id.casefold()]
        dags.sort(key=lambda card: (not card.dag_id.casefold().startswith(wanted), card.dag_id))
        return Found(dags, tasks[:limit], await self._store.runs_named(text, limit))

    # ---- runs -------------------------------------------------------------------------------------------------------

    async def runs(self, search: RunSearch, *, limit: int, offset: int = 0) -> list[DagRun]:
        """Runs, those that were due last first."""
        return await self._store.search_runs(search, limit=limit, offset=offset)

    async def dag_ids_with(self, text: str) -> list[str]:
        """The DAGs in the folder with `text` in their id or name."""
        listed = await self._store.listed_dags()
        await self._learn(listed)
        wanted = text.casefold()
        return [dag.dag_id for dag in listed if _has(self._cards[dag.dag_id], wanted)]

    async def run(
        self, dag_id: str, run_id: str, *, state: str = "", text: str = "", limit: int = 100, offset: int = 0
    ) -> RunPage:
        """A run and some of its task instances: what failed first, then in the DAG's order."""
        run, spec, version = await self._run(dag_id, run_id)
        names = await self._store.run_tasks(dag_id, run_id)
        places = {task_id: place for place, task_id in enumerate(spec.tasks)}
        chosen = [row for row in names if (not state or row[2] == state) and (not text or text in row[0])]
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

    async def _run(self, dag_id: str, run_id: str) -> tuple[DagRun, DagSpec, str]:
        dag = await self._store.load_dag(dag_id)
        if dag is None:
            raise NotFound("DAG", dag_id, [row.dag_id for row in await self._store.listed_dags()])
        found = await self._store.run_alone(dag_id, run_id)
        if found is None:
            known = await self._store.search_runs(RunSearch(dag_ids=[dag_id]), limit=200)
            raise NotFound(f"run of DAG {dag_id!r} named", run_id, [run.run_id for run in known])
        return found, dag.spec, dag.version

    def _why(self, ti: TaskInstance) -> str:
        if ti.state in FINISHED or ti.state is TaskState.RUNNING:
            return ""
        return self._scheduler.world.why(ti.key, self._clock.now())

    async def journal(self, dag_id: str, run_id: str, *, after: int = 0, limit: int = 200) -> list[JournalLine]:
        """What happened to a run and its task instances, oldest first."""
        return await self._store.journal(after, dag_id=dag_id, run_id=run_id, limit=limit)

    async def tried(self, dag_id: str, run_id: str, *, limit: int = 200) -> list[Tried]:
        """The tries of a run that wrote a log, in the order of their start."""
        await self._run(dag_id, run_id)
        return await self._store.tried(dag_id, run_id, limit)

    # ---- task instances ---------------------------------------------------------------------------------------------

    async def instance(self, key: TaskKey) -> InstancePage:
        """One task instance, its tries and its neighbours."""
        run, spec, _ = await self._run(key.dag_id, key.run_id)
        names = await self._store.run_tasks(key.dag_id, key.run_id)
        found = await self._store.some_tasks(key.dag_id, key.run_id, [(key.task_id, key.map_index)])
        if not found:
            known = {f"{task_id}[{index}]" if index >= 0 else task_id for task_id, index, _ in names}
            raise NotFound(f"task instance in run {key.run_id!r} of DAG {key.dag_id!r} named", key.task_id, known)
        task = spec.tasks.get(key.task_id)
        beside = {*task.upstream, *task.downstream} if task else set()
        states: dict[str, dict[str, int]] = {task_id: {} for task_id in beside}
        for task_id, _, state in names:
            if task_id in states:
                states[task_id][state] = states[task_id].get(state, 0) + 1
        return InstancePage(
            run=run,
            spec=spec,
            ti=found[0],
            why=self._why(found[0]),
            tries=await self._store.list_tries(key),
            states=states,
            copies=sum(row[0] == key.task_id for row in names),
        )

    async def rendered(self, key: TaskKey) -> dict[str, Any]:
        """The rendered template fields of the last try, masked."""
        return await self._store.rendered(key) or {}

    async def xcoms(self, key: TaskKey) -> list[StoredXCom]:
        """What a task instance pushed, by the order of pushes; stored secrets in it read ***."""
        rows = await self._store.xcom_rows(
            dag_id=key.dag_id, run_id=key.run_id, task_ids=[key.task_id], map_indexes=[key.map_index]
        )
        shown = await hide_secrets(self._store, [row.value for row in rows])
        return [msgspec.structs.replace(row, value=text) for row, text in zip(rows, shown, strict=True)]

    def log_path(self, key: TaskKey, try_number: int) -> Path:
        """Where the log of a try is, or will be."""
        return log_path(self._logs, *key, try_number)

    @property
    def healthy(self) -> bool:
        """Whether the database takes what the scheduler writes."""
        return self._scheduler.store_trouble is None


class _Ahead:
    """The moments at which a DAG's intervals are due, worked out as far as they have passed."""

    def __init__(self, dag: ListedDag, card: DagCard) -> None:
        self.start = (dag.version, dag.next_run_after)
        assert dag.next_run_after is not None
        self._card = card
        self._moments = [dag.next_run_after]
        start, end = dag.next_interval_start, dag.next_interval_end
        self._last = DataInterval(start, end) if start and end else None

    def due(self, now: datetime) -> int:
        while self._last is not None and self._moments[-1] <= now and len(self._moments) <= MOST_MISSED:
            info = timetable.next_run(
                self._card.timetable,
                last=self._last,
                earliest=self._card.start_date,
                latest=self._card.end_date,
                catchup=True,
                now=now,
            )
            self._last = info.data_interval if info else None
            if info:
                self._moments.append(info.run_after)
        return min(MOST_MISSED, sum(moment <= now for moment in self._moments))


def _card(spec: DagSpec, version: str) -> DagCard:
    return DagCard(
        dag_id=spec.dag_id,
        version=version,
        name=spec.display_name or spec.dag_id,
        owner=spec.owner,
        tags=spec.tags,
        description=spec.description or "",
        schedule=spec.schedule_text,
        schedule_words=timetable.describe(spec.timetable),
        timezone=spec.timezone,
        max_active_runs=spec.max_active_runs,
        start_date=spec.start_date,
        end_date=spec.end_date,
        timetable=spec.timetable,
        by_datasets=spec.dataset_expression is not None,
        has_params=bool(spec.params),
        task_ids=tuple(spec.tasks),
    )


def _has(card: DagCard, wanted: str) -> bool:
    return wanted in card.dag_id.casefold() or wanted in card.name.casefold()


def _matches(card: DagCard, query: DagQuery) -> bool:
    if query.owner and card.owner != query.owner:
        return False
    if query.tags and not set(query.tags) & set(card.tags):
        return False
    wanted = query.text.casefold()
    return not wanted or _has(card, wanted) or any(wanted in text.casefold() for text in (card.owner, *card.tags))


def _at_work(runs: Sequence[BriefRun]) -> Sequence[BriefRun]:
    """The runs whose tasks are counted: the active ones, or else the last."""
    return [run for run in runs if run.state not in FINISHED_RUN] or runs[:1]


def _sum(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for state, count in part.items():
            total[state] = total.get(state, 0) + count
    return total


def _count(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
