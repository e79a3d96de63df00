"""Pools: functions over one connection."""

from __future__ import annotations

import sqlite3

from asyncflow.core.models import Pool
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec

_POOLS = RowCodec(Pool)


def list_pools(db: sqlite3.Connection) -> list[Pool]:
    return _POOLS.load(db.execute(SQL["list_pools"]))


def put_pool(db: sqlite3.Connection, pool: Pool) -> None:
    db.execute(SQL["put_pool"], _POOLS.params(pool))


def delete_pool(db: sqlite3.Connection, name: str) -> bool:
    return db.execute(SQL["delete_pool"], {"name": name}).rowcount > 0
