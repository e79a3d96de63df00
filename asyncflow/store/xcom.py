"""Reads of XComs: functions over a reader's connection. The writes are in `writes` (they come with a task's result)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

import msgspec

from asyncflow.store.queries import SQL
from asyncflow.store.rows import from_micros, names_json
from asyncflow.store.spill import SpillFiles


class StoredXCom(msgspec.Struct, frozen=True, kw_only=True):
    """One XCom; `value` is the encoded JSON text (`authoring.xcom`)."""

    task_id: str
    run_id: str
    map_index: int
    key: str
    value: str
    at: datetime  #: when it was pushed


def xcom_rows(
    db: sqlite3.Connection,
    spill: SpillFiles,
    dag_id: str,
    run_id: str,
    task_ids: Sequence[str] | None,
    key: str | None,
    map_indexes: Sequence[int] | None,
    include_prior_dates: bool,
) -> list[StoredXCom]:
    where = {
        "dag_id": dag_id,
        "run_id": run_id,
        "task_ids": names_json(task_ids),
        "key": key,
        "map_indexes": names_json(map_indexes),
    }
    name = "xcom_rows_prior" if include_prior_dates else "xcom_rows"
    rows = []
    for run, task_id, map_index, name_, value, file, at in db.execute(SQL[name], where):
        pushed_at = from_micros(at)
        assert pushed_at is not None
        text = spill.read(file) if value is None else value
        rows.append(StoredXCom(task_id=task_id, run_id=run, map_index=map_index, key=name_, value=text, at=pushed_at))
    return rows
