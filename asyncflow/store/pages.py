"""Reads of the pages over all DAGs, of runs and of task instances: windows whose cost does not grow with history."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState, RunType
from asyncflow.store.dags import read_spec
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec, from_micros, names_json, to_micros
from asyncflow.store.sqlite import Database
from asyncflow.store.writes import RUNS, TASKS

#: before and after any run
_BOUNDS = (-(2**62), 2**62)
_ACTIVE = {RunState.QUEUED, RunState.RUNNING}


class ListedDag(msgspec.Struct, frozen=True, kw_only=True):
    """A DAG in the folder, without its definition."""

    dag_id: str
    file: str
    version: str
    paused: bool
    next_logical_date: datetime | None
    next_interval_start: datetime | None
    next_interval_end: datetime | None
    next_run_after: datetime | None
    broken: bool  #: the newest text of its file cannot be loaded
    error_line: int | None


class BriefRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as one bar of a row; `id` is its number in the database."""

    id: int
    dag_id: str
    run_id: str
    state: RunState
    run_type: RunType
    logical_date: datetime | None
    run_after: datetime
    started_at: datetime | None
    ended_at: datetime | None


class Tried(NamedTuple):
    """One try that wrote a log."""

    task_id: str
    map_index: int
    try_number: int
    started_at: datetime | None


class RunSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are wanted; None = all. Bounds are inclusive and about the moment a run was due."""

    dag_ids: Sequence[str] | None = None
    states: Sequence[RunState] | None = None
    run_types: Sequence[RunType] | None = None
    due_from: datetime | None = None
    due_to: datetime | None = None
    run_id: str | None = None  #: a part of the run id
    by: Literal["due", "started", "duration", "state"] = "due"
    falling: bool = True


#: (by, falling) -> the query whose index has that order
_ORDERS = {
    ("started", True): "page_runs_by_start_newest",
    ("started", False): "page_runs_by_start_oldest",
    ("duration", True): "page_runs_by_duration_longest",
    ("duration", False): "page_runs_by_duration_shortest",
    ("state", True): "page_runs_by_state_falling",
    ("state", False): "page_runs_by_state_rising",
}
#: query that looks at few runs -> those that sort them (falling, rising)
_SORTED = {
    "page_active_runs": ("page_sorted_active_runs_falling", "page_sorted_active_runs_rising"),
    "page_find_runs_of_dag": ("page_sorted_of_dag_runs_falling", "page_sorted_of_dag_runs_rising"),
    "page_unscheduled_runs": ("page_sorted_unscheduled_runs_falling", "page_sorted_unscheduled_runs_rising"),
    "page_failed_runs": ("page_sorted_failed_runs_falling", "page_sorted_failed_runs_rising"),
}
_DAGS = RowCodec(ListedDag)
_BRIEF = RowCodec(BriefRun)


def listed_dags(db: sqlite3.Connection) -> list[ListedDag]:
    return _DAGS.load(db.execute(SQL["page_dags"]))


def newest_specs(db: sqlite3.Connection, dag_ids: Sequence[str]) -> list[tuple[str, str, DagSpec]]:
    rows = db.execute(SQL["page_specs"], {"dag_ids": json.dumps(dag_ids)})
    return [(dag_id, version, read_spec(data, dag_id)) for dag_id, version, data in rows]


def newest_runs(db: sqlite3.Connection) -> list[BriefRun]:
    return _BRIEF.load(db.execute(SQL["page_last_runs"]))


def recent_runs(db: sqlite3.Connection, dag_ids: Sequence[str], limit: int) -> list[BriefRun]:
    return _BRIEF.load(db.execute(SQL["page_recent_runs"], {"dag_ids": json.dumps(dag_ids), "limit": limit}))


def run_state_counts(db: sqlite3.Connection, dag_ids: Sequence[str] | None) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for dag_id, state, count in db.execute(SQL["run_counts"], {"dag_ids": names_json(dag_ids)}):
        found.setdefault(dag_id, {})[state] = count
    return found


def task_states(db: sqlite3.Connection, runs: Sequence[int]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {run: {} for run in runs}
    for run, state, count in db.execute(SQL["page_task_states"], {"runs": json.dumps(runs)}):
        found[run][state] = count
    return found


def search_runs(db: sqlite3.Connection, search: RunSearch, limit: int, offset: int) -> list[DagRun]:
    bounds = to_micros(search.due_from), to_micros(search.due_to)
    where = {
        "dag_id": search.dag_ids[0] if search.dag_ids else None,
        "dag_ids": names_json(search.dag_ids),
        "states": names_json(search.states),
        "run_types": names_json(search.run_types),
        "due_from": _BOUNDS[0] if bounds[0] is None else bounds[0],
        "due_to": _BOUNDS[1] if bounds[1] is None else bounds[1],
        "run_id": search.run_id,
        "by": search.by,
        "limit": limit,
        "offset": offset,
    }
    return RUNS.load(db.execute(SQL[_query(search)], where))


def _query(search: RunSearch) -> str:
    """The query that looks at the fewest runs and gives them in the order that is wanted."""
    road = _road(search)
    if search.by == "due" and search.falling:
        return road
    if road in _SORTED:
        return _SORTED[road][0 if search.falling else 1]
    return _ORDERS.get((search.by, search.falling), "page_find_runs_oldest")


def _road(search: RunSearch) -> str:
    """The query whose index leaves the fewest runs to look at."""
    if search.states and set(search.states) <= _ACTIVE:
        return "page_active_runs"
    if search.dag_ids is not None and len(search.dag_ids) == 1:
        return "page_find_runs_of_dag"
    if search.run_types and RunType.SCHEDULED not in search.run_types:
        return "page_unscheduled_runs"
    return "page_failed_runs" if search.states and set(search.states) == {RunState.FAILED} else "page_find_runs"


def run_alone(db: sqlite3.Connection, dag_id: str, run_id: str) -> DagRun | None:
    return RUNS.load_one(db.execute(SQL["load_run"], {"dag_id": dag_id, "run_id": run_id}))


def runs_named(db: sqlite3.Connection, text: str, limit: int) -> list[tuple[str, str, str]]:
    where = {"text": text, "after": f"{text}\U0010ffff", "limit": limit}
    return [(dag_id, run_id, state) for dag_id, run_id, state in db.execute(SQL["page_runs_named"], where)]


def runs_called(db: sqlite3.Connection, run_id: str, limit: int) -> list[tuple[str, str, str]]:
    rows = db.execute(SQL["page_runs_called"], {"run_id": run_id, "limit": limit})
    return [(dag_id, run_id, state) for dag_id, run_id, state in rows]


def run_tasks(db: sqlite3.Connection, dag_id: str, run_id: str) -> list[tuple[str, int, str]]:
    return db.execute(SQL["page_run_tasks"], {"dag_id": dag_id, "run_id": run_id}).fetchall()


def some_tasks(db: sqlite3.Connection, dag_id: str, run_id: str, keys: Sequence[tuple[str, int]]) -> list[TaskInstance]:
    return TASKS.load(db.execute(SQL["page_tasks"], {"dag_id": dag_id, "run_id": run_id, "keys": json.dumps(keys)}))


def neighbours(db: sqlite3.Connection, dag_id: str, run_id: str) -> dict[str, str]:
    place = db.execute(SQL["page_run_place"], {"dag_id": dag_id, "run_id": run_id}).fetchone()
    if place is None:
        return {}
    where = {"dag_id": dag_id, "id": place[0], "run_after": place[1]}
    sides = {"older": SQL["page_older"], "newer": SQL["page_newer"]}
    rows = {side: db.execute(sql, where).fetchone() for side, sql in sides.items()}
    return {side: row[0] for side, row in rows.items() if row is not None}


def tried(db: sqlite3.Connection, dag_id: str, run_id: str, limit: int, offset: int) -> list[Tried]:
    where = {"dag_id": dag_id, "run_id": run_id, "limit": limit, "offset": offset}
    rows = db.execute(SQL["page_tried"], where)
    return [Tried(task_id, map_index, number, from_micros(at)) for task_id, map_index, number, at in rows]


class PageReads(Database):
    """The methods of `Store` for these pages."""

    async def listed_dags(self) -> list[ListedDag]:
        """Every DAG in the folder, by id."""
        return await self._read(listed_dags)

    async def newest_specs(self, dag_ids: Sequence[str]) -> list[tuple[str, str, DagSpec]]:
        """(dag_id, version, definition) of some DAGs."""
        return await self._read(newest_specs, dag_ids)

    async def newest_runs(self) -> list[BriefRun]:
        """The newest run of every DAG in the folder that has one."""
        return await self._read(newest_runs)

    async def recent_runs(self, dag_ids: Sequence[str], limit: int) -> list[BriefRun]:
        """The newest `limit` runs of each DAG, newest first."""
        return await self._read(recent_runs, dag_ids, limit)

    async def run_state_counts(self, dag_ids: Sequence[str] | None = None) -> dict[str, dict[str, int]]:
        """By DAG (of these, or of all) and state: how many runs; zeros are left out."""
        return await self._read(run_state_counts, dag_ids)

    async def task_states(self, runs: Sequence[int]) -> dict[int, dict[str, int]]:
        """By a run's number and state: how many task instances."""
        return await self._read(task_states, runs)

    async def search_runs(self, search: RunSearch, *, limit: int, offset: int = 0) -> list[DagRun]:
        """In the order that is wanted."""
        return await self._read(search_runs, search, limit, offset)

    async def run_alone(self, dag_id: str, run_id: str) -> DagRun | None:
        """A run without its task instances."""
        return await self._read(run_alone, dag_id, run_id)

    async def runs_named(self, text: str, limit: int) -> list[tuple[str, str, str]]:
        """(dag_id, run_id, state) of runs whose id begins with `text`, in falling order."""
        return await self._read(runs_named, text, limit)

    async def runs_called(self, run_id: str, limit: int) -> list[tuple[str, str, str]]:
        """(dag_id, run_id, state) of runs with this very id."""
        return await self._read(runs_called, run_id, limit)

    async def run_tasks(self, dag_id: str, run_id: str) -> list[tuple[str, int, str]]:
        """(task_id, map_index, state) of a run, by name; empty for a run that does not exist."""
        return await self._read(run_tasks, dag_id, run_id)

    async def some_tasks(self, dag_id: str, run_id: str, keys: Sequence[tuple[str, int]]) -> list[TaskInstance]:
        """These (task_id, map_index) of a run, in this order."""
        return await self._read(some_tasks, dag_id, run_id, keys)

    async def run_neighbours(self, dag_id: str, run_id: str) -> dict[str, str]:
        """The run ids of the "older" and the "newer" run of the DAG, where there are such."""
        return await self._read(neighbours, dag_id, run_id)

    async def tried(self, dag_id: str, run_id: str, limit: int, offset: int) -> list[Tried]:
        """The tries of a run that wrote a log, the one that started last first."""
        return await self._read(tried, dag_id, run_id, limit, offset)
