"""Reads of the pages of one DAG: windows over its runs. Functions over a reader's connection, and their methods."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from asyncflow.core.models import DagRun
from asyncflow.core.states import TaskState
from asyncflow.store.dags import StoredFile
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec, from_micros, to_micros
from asyncflow.store.sqlite import Database

#: later than any run
_FOREVER = 2**62


class NumberedRun(DagRun, kw_only=True):
    """A run with its number in the database, by which its task instances are found."""

    id: int


class CellPart(NamedTuple):
    """The task instances of one run and one line that are in one state."""

    line: int
    state: str
    many: int
    try_number: int  #: the highest
    started_at: datetime | None  #: the first
    ended_at: datetime | None  #: the last
    queued_at: datetime | None  #: the first
    mapped: bool  #: copies of a mapped task are among them


class TryBar(msgspec.Struct, frozen=True, kw_only=True):
    """When one try waited and ran."""

    task_id: str
    map_index: int
    try_number: int
    state: TaskState
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Since when a task instance could have begun."""

    task_id: str
    map_index: int
    rendered_map_index: str | None
    scheduled_at: datetime | None


class VersionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a DAG in the list of them. Equal `source_hash` = the same text of the file."""

    version: str
    file: str
    source_hash: str
    created_at: datetime


_RUNS = RowCodec(NumberedRun)
_TRIES = RowCodec(TryBar)
_READINESS = RowCodec(Readiness)
_VERSIONS = RowCodec(VersionLine)
_FILES = RowCodec(StoredFile)


def grid_runs(
    db: sqlite3.Connection,
    dag_id: str,
    until: datetime | None,
    run_type: str | None,
    state: str | None,
    triggered_by: str | None,
    page: tuple[int, int],
) -> list[NumberedRun]:
    where = {
        "dag_id": dag_id,
        "until": _FOREVER if until is None else to_micros(until),
        "run_type": run_type,
        "state": state,
        "triggered_by": triggered_by,
        "limit": page[0],
        "offset": page[1],
    }
    return _RUNS.load(db.execute(SQL["grid_runs"], where))


def numbered_run(db: sqlite3.Connection, dag_id: str, run_id: str) -> NumberedRun | None:
    return _RUNS.load_one(db.execute(SQL["numbered_run"], {"dag_id": dag_id, "run_id": run_id}))


def run_seqs(db: sqlite3.Connection, dag_id: str, run_ids: Sequence[str]) -> dict[str, int]:
    rows = db.execute(SQL["run_seqs"], {"dag_id": dag_id, "run_ids": json.dumps(run_ids)})
    return {run_id: seq or 0 for run_id, seq in rows}


def run_cells(db: sqlite3.Connection, runs: Sequence[int], lines: Mapping[str, int]) -> dict[int, list[CellPart]]:
    where = {"runs": json.dumps(runs), "lines": json.dumps(dict(lines), ensure_ascii=False)}
    found: dict[int, list[CellPart]] = {run: [] for run in runs}
    for run, line, state, count, number, started, ended, queued, mapped in db.execute(SQL["run_cells"], where):
        moments = (from_micros(started), from_micros(ended), from_micros(queued))
        found[run].append(CellPart(line, state, count, number, *moments, bool(mapped)))
    return found


def run_tries(db: sqlite3.Connection, dag_id: str, run_id: str) -> list[TryBar]:
    return _TRIES.load(db.execute(SQL["run_tries"], {"dag_id": dag_id, "run_id": run_id}))


def run_readiness(db: sqlite3.Connection, dag_id: str, run_id: str) -> list[Readiness]:
    return _READINESS.load(db.execute(SQL["run_readiness"], {"dag_id": dag_id, "run_id": run_id}))


def run_days(db: sqlite3.Connection, dag_id: str, start: datetime, end: datetime) -> dict[int, dict[str, int]]:
    days: dict[int, dict[str, int]] = {}
    where = {"dag_id": dag_id, "start": to_micros(start), "end": to_micros(end)}
    for day, state, count in db.execute(SQL["run_days"], where):
        days.setdefault(day, {})[state] = count
    return days


def dag_versions(db: sqlite3.Connection, dag_id: str) -> list[VersionLine]:
    return _VERSIONS.load(db.execute(SQL["dag_versions"], {"dag_id": dag_id}))


def file_facts(db: sqlite3.Connection, file: str) -> StoredFile | None:
    return _FILES.load_one(db.execute(SQL["file_facts"], {"file": file}))


class GridReads(Database):
    """The methods of `Store` for the pages of one DAG."""

    async def grid_runs(
        self,
        dag_id: str,
        *,
        until: datetime | None = None,
        run_type: str | None = None,
        state: str | None = None,
        triggered_by: str | None = None,
        limit: int,
        offset: int = 0,
    ) -> list[NumberedRun]:
        """Runs due at `until` or before, newest first; `triggered_by` without what follows its colon."""
        return await self._read(grid_runs, dag_id, until, run_type, state, triggered_by, (limit, offset))

    async def numbered_run(self, dag_id: str, run_id: str) -> NumberedRun | None:
        """One run with its number."""
        return await self._read(numbered_run, dag_id, run_id)

    async def run_seqs(self, dag_id: str, run_ids: Sequence[str]) -> dict[str, int]:
        """The number of the journal's last line about each run, 0 for none."""
        return await self._read(run_seqs, dag_id, run_ids)

    async def run_cells(self, runs: Sequence[int], lines: Mapping[str, int]) -> dict[int, list[CellPart]]:
        """By the runs' numbers: what the tasks in `lines` (task id -> line) came to."""
        return await self._read(run_cells, runs, lines)

    async def run_tries(self, dag_id: str, run_id: str) -> list[TryBar]:
        """Every try of a run."""
        return await self._read(run_tries, dag_id, run_id)

    async def run_readiness(self, dag_id: str, run_id: str) -> list[Readiness]:
        """Since when the task instances of a run could have begun."""
        return await self._read(run_readiness, dag_id, run_id)

    async def run_days(self, dag_id: str, start: datetime, end: datetime) -> dict[int, dict[str, int]]:
        """Runs per day (days since 1970, UTC) and state, of logical dates from `start` up to `end`."""
        return await self._read(run_days, dag_id, start, end)

    async def dag_versions(self, dag_id: str) -> list[VersionLine]:
        """All versions of a DAG, newest first."""
        return await self._read(dag_versions, dag_id)

    async def file_facts(self, file: str) -> StoredFile | None:
        """What the last good import of a file said about it; None if there was none."""
        return await self._read(file_facts, file)
