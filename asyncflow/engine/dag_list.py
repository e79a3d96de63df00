"""The list of all DAGs, in memory: what is listed of each (`dag_rows`) is read again only where something has changed.

A DAG's definition is decoded once per version; what is listed of it is its card. The facts about its runs are kept
until a commit names the DAG; the table of DAGs, until a commit names any DAG itself or something else wrote to the
store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import anyio
import msgspec

from asyncflow.core import timetable
from asyncflow.core.states import FINISHED_RUN
from asyncflow.core.timetable import CustomTimetable, DataInterval
from asyncflow.engine.changes import Changes, Named
from asyncflow.engine.clock import Clock
from asyncflow.engine.dag_rows import (
    MOST_MISSED,
    OF_COMPLETE,
    SORTS,
    STATUSES,
    DagCard,
    DagPage,
    DagQuery,
    DagRow,
    card_of,
    in_order,
    matches,
)
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import NotFound
from asyncflow.store.database import Store, StoredImportError
from asyncflow.store.pages import BriefRun, ListedDag

#: bars of a DAG in the list
BARS = 14
#: DAGs whose runs are read again one by one; for more, all are read
_FEW = 200
#: definitions decoded before the event loop gets its turn
_AT_ONCE = 50


class _Overview(NamedTuple):
    """What is the same on all pages of the list."""

    key: tuple[int, int, int]
    rows: dict[str, DagRow]  #: by id, in the order of names
    statuses: dict[str, int]
    tags: list[str]
    owners: list[str]
    errors: list[StoredImportError]


class DagList:
    """The DAGs in the folder, for the list of them and for all that looks for one."""

    def __init__(self, *, store: Store, scheduler: Scheduler, clock: Clock, changes: Changes) -> None:
        self._store = store
        self._scheduler = scheduler
        self._clock = clock
        self._cards: dict[str, DagCard] = {}
        self._ahead: dict[str, _Ahead] = {}
        #: states of task instances by the number of a finished run; forgotten when anything changes in it
        self._states: dict[int, dict[str, int]] = {}
        self._numbers: dict[Named, int] = {}
        #: counts of runs by state, newest run and newest runs by DAG; true but for the DAGs in `_stale` (None: for all)
        self._run_states: dict[str, dict[str, int]] = {}
        self._last_runs: dict[str, BriefRun | None] = {}
        self._recent: dict[str, list[BriefRun]] = {}
        self._stale: set[str] | None = None
        self._looking = anyio.Lock()
        self._looks = 0  #: how often facts about runs were read anew
        self._whole_look = 0  #: the last time that was done for all DAGs
        self._looked_at: dict[str, int] = {}  #: and for a DAG
        self._named = 0  #: how many changes were about a DAG itself, or about none
        self._overview: _Overview | None = None
        self._starred: frozenset[str] = frozenset()
        changes.listen(self._forget)

    def _forget(self, names: frozenset[Named]) -> None:
        for name in names:
            if self._stale is not None:
                self._stale.add(name[0])
            if not name[1]:
                self._named += 1
            number = self._numbers.pop(name, None)
            if number is not None:
                self._states.pop(number, None)

    async def page(self, query: DagQuery) -> DagPage:
        """One page of the list, and what its filters offer."""
        all_of_it = await self._all()
        chosen = [row for row in all_of_it.rows.values() if STATUSES[query.status](row) and matches(row.card, query)]
        complete = query.sort in OF_COMPLETE
        if complete:
            chosen = await self._complete(chosen)
        if query.sort != "name" or query.descending:
            chosen = in_order(chosen, SORTS[query.sort], query.descending)
        window = chosen[query.offset : query.offset + query.limit]
        return DagPage(
            rows=window if complete else await self._complete(window),
            matching=len(chosen),
            statuses=all_of_it.statuses,
            tags=all_of_it.tags,
            owners=all_of_it.owners,
            errors=all_of_it.errors,
        )

    async def matching(self, query: DagQuery) -> list[str]:
        """The ids of all DAGs that a query is about, whatever its window; by id."""
        rows = (await self._all()).rows.values()
        return sorted(row.dag.dag_id for row in rows if STATUSES[query.status](row) and matches(row.card, query))

    async def row(self, dag_id: str) -> DagRow:
        """One DAG as the list has it. Raises NotFound."""
        rows = (await self._all()).rows
        if dag_id not in rows:
            raise NotFound("DAG", dag_id, rows)
        return (await self._complete([rows[dag_id]]))[0]

    async def cards(self) -> list[DagCard]:
        """What is listed of every DAG in the folder, by id."""
        rows = (await self._all()).rows
        return [rows[dag_id].card for dag_id in sorted(rows)]

    async def listed(self) -> list[DagRow]:
        """Every DAG in the folder, by id, without what only a page of the list shows."""
        rows = (await self._all()).rows
        return [rows[dag_id] for dag_id in sorted(rows)]

    async def learn(self) -> None:
        """Have everything ready before anybody asks."""
        await self._all()

    async def _all(self) -> _Overview:
        await self._look_again()
        key = (self._store.other_writes, self._named, self._looks)  # before the reads: what changes later counts again
        known = self._overview
        if known is None or known.key[:2] != key[:2] or known.key[2] < self._whole_look:
            known = await self._made_anew(key)
        elif known.key != key:
            known = self._up_to_date(known, key)
        self._overview = known
        return known

    def _up_to_date(self, known: _Overview, key: tuple[int, int, int]) -> _Overview:
        """The same with the rows of those DAGs made anew whose runs were read since."""
        rows, statuses = dict(known.rows), dict(known.statuses)
        for dag_id, look in self._looked_at.items():
            if look > known.key[2] and dag_id in rows:
                before, after = rows[dag_id], self._row(rows[dag_id].dag)
                rows[dag_id] = after
                for name, test in STATUSES.items():
                    statuses[name] += test(after) - test(before)
        return known._replace(key=key, rows=rows, statuses=statuses)

    def _row(self, dag: ListedDag) -> DagRow:
        return DagRow(
            dag=dag,
            card=self._cards[dag.dag_id],
            run_states=self._run_states.get(dag.dag_id, {}),
            last_run=self._last_runs.get(dag.dag_id),
            starred=dag.dag_id in self._starred,
        )

    async def _made_anew(self, key: tuple[int, int, int]) -> _Overview:
        listed = await self._store.listed_dags()
        self._starred = frozenset(await self._store.favourites())
        await self._learn(listed)
        rows = list(map(self._row, listed))
        rows.sort(key=SORTS["name"])
        return _Overview(
            key=key,
            rows={row.dag.dag_id: row for row in rows},
            statuses={name: sum(map(test, rows)) for name, test in STATUSES.items()},
            tags=sorted({tag for row in rows for tag in row.card.tags}, key=str.casefold),
            owners=sorted({row.card.owner for row in rows if row.card.owner}, key=str.casefold),
            errors=await self._store.list_import_errors(),
        )

    async def _look_again(self) -> None:
        """Read the runs of DAGs where something has changed since they were last read; at first, of all."""
        async with self._looking:  # who comes second must not be answered from what the first is about to replace
            stale, self._stale = self._stale, set()
            if stale is not None and not stale:
                return
            self._looks += 1
            try:
                if stale is None or len(stale) > _FEW:
                    self._recent.clear()
                    self._run_states = await self._store.run_state_counts()
                    self._last_runs = {run.dag_id: run for run in await self._store.newest_runs()}
                    self._whole_look = self._looks
                else:
                    await self._look_at(stale)
                    self._looked_at |= dict.fromkeys(stale, self._looks)
            except BaseException:
                self._stale = None
                raise

    async def _look_at(self, stale: set[str]) -> None:
        counts = await self._store.run_state_counts(sorted(stale))
        recent: dict[str, list[BriefRun]] = {dag_id: [] for dag_id in stale}
        for run in await self._store.recent_runs(sorted(stale), BARS):
            recent[run.dag_id].append(run)
        self._recent |= recent
        for dag_id, runs in recent.items():
            self._run_states[dag_id] = counts.get(dag_id, {})
            self._last_runs[dag_id] = runs[0] if runs else None

    async def _learn(self, listed: Sequence[ListedDag]) -> None:
        """Make the cards of DAGs that are new, or have a new version."""
        known = self._cards
        missing = [dag.dag_id for dag in listed if dag.dag_id not in known or known[dag.dag_id].version != dag.version]
        for at in range(0, len(missing), _AT_ONCE):
            for dag_id, version, spec in await self._store.newest_specs(missing[at : at + _AT_ONCE]):
                known[dag_id] = card_of(spec, version)

    async def _complete(self, rows: Sequence[DagRow]) -> list[DagRow]:
        """The rows with what is shown of the DAGs on one page alone."""
        recent = await self._recent_runs([row.dag.dag_id for row in rows])
        looked_at = {dag_id: _at_work(runs) for dag_id, runs in recent.items()}
        states = await self._task_states([run for runs in looked_at.values() for run in runs])
        now, world = self._clock.now(), self._scheduler.world
        missed = {row.dag.dag_id: await self._missed(row, now) for row in rows if row.dag.paused}
        return [
            msgspec.structs.replace(
                row,
                recent=recent[row.dag.dag_id],
                task_states=_sum([states[run.id] for run in looked_at[row.dag.dag_id]]),
                missed=missed.get(row.dag.dag_id, 0),
                datasets=world.dataset_queue(row.dag.dag_id) if row.card.by_datasets else {},
            )
            for row in rows
        ]

    async def _recent_runs(self, dag_ids: Sequence[str]) -> dict[str, list[BriefRun]]:
        found = {dag_id: self._recent[dag_id] for dag_id in dag_ids if dag_id in self._recent}
        missing: dict[str, list[BriefRun]] = {dag_id: [] for dag_id in dag_ids if dag_id not in found}
        if missing:
            looks = self._looks
            for run in await self._store.recent_runs(list(missing), BARS):
                missing[run.dag_id].append(run)
            if looks == self._looks:  # else somebody has learned meanwhile that something changed, perhaps in these
                self._recent |= missing
        return found | missing

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

    async def _missed(self, row: DagRow, now: datetime) -> int:
        """How many intervals of a DAG are due, MOST_MISSED at most."""
        dag, card = row.dag, row.card
        if dag.next_run_after is None or dag.next_run_after > now or isinstance(card.timetable, CustomTimetable):
            return 0
        ahead = self._ahead.get(dag.dag_id)
        if ahead is None or ahead.start != (dag.version, dag.next_run_after):
            ahead = self._ahead[dag.dag_id] = _Ahead(dag, card)
            await anyio.lowlevel.checkpoint()  # a millisecond each, when a list is looked at for the first time
        return ahead.due(now)


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


def _at_work(runs: Sequence[BriefRun]) -> Sequence[BriefRun]:
    """The runs whose tasks are counted: the active ones, or else the last."""
    return [run for run in runs if run.state not in FINISHED_RUN] or runs[:1]


def _sum(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    if len(parts) == 1:
        return dict(parts[0])
    total: dict[str, int] = {}
    for part in parts:
        for state, count in part.items():
            total[state] = total.get(state, 0) + count
    return total
