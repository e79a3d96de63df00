"""Reads of the pages of backfills. Functions over a reader's connection, and their methods."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from asyncflow.core.models import BackfillOptions, DagRun
from asyncflow.core.states import BackfillState
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec, names_json, to_micros
from asyncflow.store.sqlite import Database
from asyncflow.store.writes import RUNS

#: (of one DAG, falling) -> query
_QUERIES = {
    (False, True): "page_backfills_falling",
    (False, False): "page_backfills_rising",
    (True, True): "page_backfills_of_dag_falling",
    (True, False): "page_backfills_of_dag_rising",
}


class BackfillSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which backfills are wanted; None = all."""

    dag_id: str | None = None
    states: Sequence[str] | None = None
    by: Literal["created", "dag", "state", "ended", "who"] = "created"
    falling: bool = True


class BackfillLine(msgspec.Struct, frozen=True, kw_only=True):
    """One backfill of a list."""

    backfill_id: int
    dag_id: str
    state: BackfillState
    paused: bool
    position: int  #: dates that have had their turn
    total: int  #: dates
    options: BackfillOptions
    created_at: datetime
    ended_at: datetime | None
    triggered_by: str
    reason: str


_LINES = RowCodec(BackfillLine)


def backfill_lines(db: sqlite3.Connection, search: BackfillSearch, limit: int, offset: int) -> list[BackfillLine]:
    where = {
        "dag_id": search.dag_id,
        "states": names_json(search.states),
        "by": search.by,
        "limit": limit,
        "offset": offset,
    }
    return _LINES.load(db.execute(SQL[_QUERIES[search.dag_id is not None, search.falling]], where))


def backfill_states(db: sqlite3.Connection, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {number: {} for number in ids}
    for number, state, count in db.execute(SQL["page_backfill_runs"], {"ids": json.dumps(ids)}):
        found[number][state] = count
    return found


def runs_on(db: sqlite3.Connection, dag_id: str, dates: Sequence[datetime]) -> list[DagRun]:
    where = {"dag_id": dag_id, "dates": json.dumps([to_micros(date) for date in dates])}
    return RUNS.load(db.execute(SQL["page_runs_on"], where))


def runs_between(db: sqlite3.Connection, dag_id: str, start: datetime, end: datetime, limit: int) -> list[DagRun]:
    where = {"dag_id": dag_id, "start": to_micros(start), "end": to_micros(end), "limit": limit}
    return RUNS.load(db.execute(SQL["page_runs_between"], where))


class BackfillReads(Database):
    """The methods of `Store` for these pages."""

    async def backfill_lines(
        self, search: BackfillSearch | None = None, *, limit: int, offset: int = 0
    ) -> list[BackfillLine]:
        """Some backfills, in the order that is wanted."""
        return await self._read(backfill_lines, search or BackfillSearch(), limit, offset)

    async def backfill_states(self, ids: Sequence[int]) -> dict[int, dict[str, int]]:
        """By backfill and state: how many of its runs."""
        return await self._read(backfill_states, ids)

    async def runs_on(self, dag_id: str, dates: Sequence[datetime]) -> list[DagRun]:
        """The runs of a DAG with these logical dates."""
        return await self._read(runs_on, dag_id, dates)

    async def runs_between(self, dag_id: str, start: datetime, end: datetime, *, limit: int) -> list[DagRun]:
        """The runs of a DAG with a logical date from `start` up to `end`, oldest first."""
        return await self._read(runs_between, dag_id, start, end, limit)
