"""What the pages of backfills ask for: windows over their dates, with the runs of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from asyncflow.core.models import Backfill, BackfillDate, DagRun
from asyncflow.engine.clock import Clock
from asyncflow.errors import NotFound
from asyncflow.store.backfill_pages import BackfillLine, BackfillSearch
from asyncflow.store.database import Store

__all__ = ["BackfillLine", "BackfillList", "BackfillPage", "BackfillPages", "BackfillSearch"]


class BackfillList(NamedTuple):
    """Some backfills."""

    rows: list[BackfillLine]
    states: Mapping[int, Mapping[str, int]]  #: by number and state: how many runs
    more: bool  #: there are others behind them


class BackfillPage(NamedTuple):
    """One backfill, and some of its dates."""

    row: Backfill
    states: Mapping[str, int]  #: how many of its runs are in each state
    dates: Sequence[tuple[BackfillDate, DagRun | None]]  #: in the order of their turns
    first: int  #: place of the first of them
    timezone: str


class BackfillPages:
    """Reads for `/backfills` and the calendar. Errors are those of `asyncflow.errors`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def now(self) -> datetime:
        """What the server's clock says."""
        return self._clock.now()

    async def list(self, search: BackfillSearch, *, limit: int, offset: int = 0) -> BackfillList:
        """A page of them."""
        rows = await self._store.backfill_lines(search, limit=limit + 1, offset=offset)
        states = await self._store.backfill_states([row.backfill_id for row in rows[:limit]])
        return BackfillList(rows[:limit], states, len(rows) > limit)

    async def one(self, backfill_id: int, *, first: int, limit: int) -> BackfillPage:
        """One with its dates from the place `first` on."""
        row = await self._store.load_backfill(backfill_id)
        if row is None:
            known = await self._store.backfill_lines(limit=100)
            raise NotFound("backfill", str(backfill_id), [str(line.backfill_id) for line in known])
        shown = row.dates[first : first + limit]
        runs = {run.logical_date: run for run in await self._runs_on(row.dag_id, shown)}
        dag = await self._store.load_dag(row.dag_id)
        return BackfillPage(
            row=row,
            states=(await self._store.backfill_states([backfill_id]))[backfill_id],
            dates=[(entry, runs.get(entry.logical_date)) for entry in shown],
            first=first,
            timezone=dag.spec.timezone if dag else "UTC",
        )

    async def _runs_on(self, dag_id: str, dates: Sequence[BackfillDate]) -> Sequence[DagRun]:
        return await self._store.runs_on(dag_id, [entry.logical_date for entry in dates])

    async def runs_between(self, dag_id: str, start: datetime, end: datetime, *, limit: int) -> Sequence[DagRun]:
        """The runs of a DAG with a logical date from `start` up to `end`, oldest first."""
        return await self._store.runs_between(dag_id, start, end, limit=limit)
