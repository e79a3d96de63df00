"""What the lists over all DAGs ask for: task instances, runs, and what people did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.states import FINISHED, TaskState
from asyncflow.engine.clock import Clock
from asyncflow.engine.scheduler import Scheduler
from asyncflow.store.browse import PAGE_SECONDS, AuditLine, AuditSearch, Order, Place, TaskSearch, TaskWindow
from asyncflow.store.database import Store
from asyncflow.store.pages import RunSearch

__all__ = [
    "COUNTED",
    "MOST",
    "AuditLine",
    "AuditSearch",
    "BrowsePages",
    "Matching",
    "Order",
    "Place",
    "RunSearch",
    "TaskSearch",
    "TasksPage",
]

#: how far a list is counted, and how many one action is about at most
COUNTED, MOST = 1000, 2000
#: seconds that may go by until all that match an action are found, and for a page that is to look further
_PATIENCE, _LONG = 2.0, 0.5


class Matching(NamedTuple):
    """How many match."""

    number: int
    complete: bool  #: False: at least so many


class TasksPage(NamedTuple):
    """One page of the list of task instances."""

    window: TaskWindow
    whys: list[str]  #: of each row, while it waits
    matching: Matching
    place: Place | None  #: that it is beside; None: it is the first page
    back: bool  #: in front of that place


class BrowsePages:
    """Reads of `/tasks` and `/audit`, and of what is selected there."""

    def __init__(self, store: Store, scheduler: Scheduler, clock: Clock) -> None:
        self._store = store
        self._scheduler = scheduler
        self._clock = clock

    async def tasks(
        self, search: TaskSearch, *, place: Place | None = None, limit: int, patient: bool = False
    ) -> TasksPage:
        """One page behind `place`, or for a search that goes `back`, in front of it.

        Where too few are in front of it to fill a page, it is the first one. A `patient` reader lets it look further.
        """
        seconds = _LONG if patient else PAGE_SECONDS
        window = await self._store.search_tasks(search, place=place, limit=limit, seconds=seconds)
        forth = msgspec.structs.replace(search, back=False)
        if search.back and window.next is None and len(window.rows) < limit:
            search, place = forth, None
            window = await self._store.search_tasks(search, limit=limit, seconds=seconds)
        if place is None and window.next is None:
            matching = Matching(len(window.rows), True)
        else:
            matching = Matching(*await self._store.count_tasks(forth, most=COUNTED))
        return TasksPage(window, [self._why(ti) for ti in window.rows], matching, place, search.back)

    def _why(self, ti: TaskInstance) -> str:
        if ti.state in FINISHED or ti.state is TaskState.RUNNING:
            return ""
        return self._scheduler.world.why(ti.key, self._clock.now())

    async def matching_tasks(self, search: TaskSearch) -> tuple[list[TaskKey], bool]:
        """The first MOST that match, and whether these are all."""
        return await self._store.matching_tasks(search, most=MOST, seconds=_PATIENCE)

    async def count_runs(self, search: RunSearch) -> int | None:
        """How many runs match; None where only a look at each of them could tell."""
        if search.run_types or search.due_from or search.due_to or search.run_id:
            return None
        counts = await self._store.run_state_counts(search.dag_ids)
        wanted = None if search.states is None else {state.value for state in search.states}
        return sum(
            number
            for states in counts.values()
            for state, number in states.items()
            if wanted is None or state in wanted
        )

    async def matching_runs(self, search: RunSearch) -> tuple[list[tuple[str, str]], bool]:
        """(dag_id, run_id) of the first MOST that match, and whether these are all."""
        runs = await self._store.search_runs(search, limit=MOST + 1)
        return [(run.dag_id, run.run_id) for run in runs[:MOST]], len(runs) <= MOST

    async def pools(self) -> list[str]:
        """The names of all pools."""
        return [pool.name for pool in await self._store.list_pools()]

    async def audit(self, search: AuditSearch, *, limit: int) -> list[AuditLine]:
        """What people did, newest first."""
        return await self._store.audit_lines(search, limit=limit)

    async def audit_actions(self) -> Sequence[str]:
        """The actions that people have taken so far."""
        return await self._store.audit_actions()
