"""Reads of dag runs, task instances and the journal: functions over a reader's connection, each one snapshot."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec

from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec, names_json, to_micros
from asyncflow.store.writes import RUNS, TASKS, key_params


class StoredTry(msgspec.Struct, frozen=True, kw_only=True):
    """One try as it was recorded; times are aware UTC, None = it did not come to that."""

    try_number: int
    token: str
    state: TaskState
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    pid: int | None
    exit_code: int | None
    signal: int | None
    reason: str
    error: str
    cpu_seconds: float | None
    peak_rss_kb: int | None
    version: str


class JournalLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal; `seq` grows by one from line to line and is never used again."""

    seq: int
    at: datetime
    event: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    before: str
    after: str
    actor: str
    details: dict[str, Any] | None


class PendingCallback(msgspec.Struct, frozen=True, kw_only=True):
    """A callback that was not reported done yet."""

    callback_id: str
    payload: dict[str, Any]
    tries: int


class DagSummary(msgspec.Struct, kw_only=True):
    """What the DAG list shows of a DAG's runs."""

    last_run: DagRun | None = None  #: the newest by run_after
    run_states: dict[str, int] = {}  #: state -> how many runs, zeros left out


_TRIES = RowCodec(StoredTry)
_LINES = RowCodec(JournalLine)
_CALLBACKS = RowCodec(PendingCallback)

LoadedRun = tuple[DagRun, list[TaskInstance]]


def load_active_runs(db: sqlite3.Connection) -> list[LoadedRun]:
    runs = RUNS.load(db.execute(SQL["load_active_runs"]))
    tasks: dict[tuple[str, str], list[TaskInstance]] = {}
    for names, group in groupby(TASKS.load(db.execute(SQL["load_active_tasks"])), lambda ti: (ti.dag_id, ti.run_id)):
        tasks[names] = list(group)
    return [(run, tasks.get((run.dag_id, run.run_id), [])) for run in runs]


def load_run(db: sqlite3.Connection, dag_id: str, run_id: str) -> LoadedRun | None:
    where = {"dag_id": dag_id, "run_id": run_id}
    run = RUNS.load_one(db.execute(SQL["load_run"], where))
    return None if run is None else (run, list_tasks(db, dag_id, run_id))


def list_tasks(db: sqlite3.Connection, dag_id: str, run_id: str) -> list[TaskInstance]:
    return TASKS.load(db.execute(SQL["list_tasks"], {"dag_id": dag_id, "run_id": run_id}))


def load_task(db: sqlite3.Connection, key: TaskKey) -> TaskInstance | None:
    return TASKS.load_one(db.execute(SQL["load_task"], key_params(key)))


def find_runs(
    db: sqlite3.Connection,
    dag_id: str | None,
    states: Sequence[RunState] | None,
    run_types: Sequence[RunType] | None,
    logical: tuple[datetime | None, datetime | None],
    page: tuple[int, int],
    oldest_first: bool,
) -> list[DagRun]:
    name = ("find_runs" if dag_id is None else "find_runs_of_dag") + ("_oldest" if oldest_first else "_newest")
    where = {
        "dag_id": dag_id,
        "states": names_json(states),
        "run_types": names_json(run_types),
        "logical_from": to_micros(logical[0]),
        "logical_to": to_micros(logical[1]),
        "limit": page[0],
        "offset": page[1],
    }
    return RUNS.load(db.execute(SQL[name], where))


def run_before(
    db: sqlite3.Connection,
    dag_id: str,
    logical_date: datetime,
    states: Sequence[RunState] | None,
    run_types: Sequence[RunType] | None,
) -> DagRun | None:
    where = {
        "dag_id": dag_id,
        "logical_date": to_micros(logical_date),
        "states": names_json(states),
        "run_types": names_json(run_types),
    }
    return RUNS.load_one(db.execute(SQL["run_before"], where))


def runs_by_id(db: sqlite3.Connection, dag_id: str, run_ids: Sequence[str]) -> list[DagRun]:
    return RUNS.load(db.execute(SQL["runs_by_id"], {"dag_id": dag_id, "run_ids": names_json(run_ids)}))


def last_automated_run(db: sqlite3.Connection, dag_id: str) -> DagRun | None:
    return RUNS.load_one(db.execute(SQL["last_automated_run"], {"dag_id": dag_id}))


def last_automated_runs(db: sqlite3.Connection) -> dict[str, DagRun]:
    return {run.dag_id: run for run in RUNS.load(db.execute(SQL["last_automated_runs"]))}


def run_exists(db: sqlite3.Connection, dag_id: str, run_id: str, logical_date: datetime | None) -> str | None:
    where = {"dag_id": dag_id, "run_id": run_id, "logical_date": to_micros(logical_date)}
    row = db.execute(SQL["run_exists"], where).fetchone()
    return None if row is None else str(row[0])


def dag_summaries(db: sqlite3.Connection, dag_ids: Sequence[str] | None) -> dict[str, DagSummary]:
    wanted = {"dag_ids": names_json(dag_ids)}
    summaries = {run.dag_id: DagSummary(last_run=run) for run in RUNS.load(db.execute(SQL["last_runs"], wanted))}
    for dag_id, state, count in db.execute(SQL["run_counts"], wanted):
        summaries.setdefault(dag_id, DagSummary()).run_states[state] = count
    return summaries


def list_tries(db: sqlite3.Connection, key: TaskKey) -> list[StoredTry]:
    return _TRIES.load(db.execute(SQL["list_tries"], key_params(key)))


def load_rendered(db: sqlite3.Connection, key: TaskKey) -> dict[str, Any] | None:
    row = db.execute(SQL["load_rendered"], key_params(key)).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=dict[str, Any])


def list_journal(
    db: sqlite3.Connection, after_seq: int, dag_id: str | None, run_id: str | None, limit: int
) -> list[JournalLine]:
    name = "list_journal" if dag_id is None else "list_journal_of_dag" if run_id is None else "list_journal_of_run"
    where = {"after_seq": after_seq, "dag_id": dag_id, "run_id": run_id, "limit": limit}
    return journal_lines(db.execute(SQL[name], where))


def journal_lines(rows: sqlite3.Cursor) -> list[JournalLine]:
    """Rows of the journal as structs."""
    return _LINES.load(rows)


def last_seq(db: sqlite3.Connection) -> int:
    seq: int = db.execute(SQL["last_seq"]).fetchone()[0]
    return seq


def list_pending_callbacks(db: sqlite3.Connection) -> list[PendingCallback]:
    return _CALLBACKS.load(db.execute(SQL["list_pending_callbacks"]))


def load_meta(db: sqlite3.Connection, key: str) -> str | None:
    row = db.execute(SQL["load_meta"], {"key": key}).fetchone()
    return None if row is None else str(row[0])
