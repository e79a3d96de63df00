"""Backfills and what was late: functions over a connection."""

from __future__ import annotations

import sqlite3
from datetime import datetime

import msgspec

from asyncflow.core.models import Backfill
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec

BACKFILLS = RowCodec(Backfill)


class StoredSlaMiss(msgspec.Struct, frozen=True, kw_only=True):
    """A task (or, with an empty task_id, a run) that was not done when it should have been."""

    dag_id: str
    run_id: str
    logical_date: datetime | None
    task_id: str
    deadline: datetime
    missed_at: datetime


_MISSES = RowCodec(StoredSlaMiss)


def active_backfills(db: sqlite3.Connection) -> list[Backfill]:
    return BACKFILLS.load(db.execute(SQL["active_backfills"]))


def load_backfill(db: sqlite3.Connection, backfill_id: int) -> Backfill | None:
    return BACKFILLS.load_one(db.execute(SQL["load_backfill"], {"backfill_id": backfill_id}))


def list_backfills(db: sqlite3.Connection, dag_id: str | None, limit: int) -> list[Backfill]:
    return BACKFILLS.load(db.execute(SQL["list_backfills"], {"dag_id": dag_id, "limit": limit}))


def last_backfill(db: sqlite3.Connection) -> int:
    last: int = db.execute(SQL["last_backfill"]).fetchone()[0]
    return last


def list_sla_misses(db: sqlite3.Connection, dag_id: str | None, run_id: str | None, limit: int) -> list[StoredSlaMiss]:
    where = {"dag_id": dag_id, "run_id": run_id, "limit": limit}
    return _MISSES.load(db.execute(SQL["list_sla_misses"], where))


def active_sla_misses(db: sqlite3.Connection) -> list[StoredSlaMiss]:
    return _MISSES.load(db.execute(SQL["active_sla_misses"]))
