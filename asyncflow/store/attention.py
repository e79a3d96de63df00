"""How much there is that asks for somebody's attention, or is under way beside the runs."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from asyncflow.store.queries import SQL
from asyncflow.store.sqlite import Database


class Attention(NamedTuple):
    """Counts."""

    import_errors: int
    callbacks_due: int
    late_runs: int  #: active ones
    backfills: int


class AttentionReads(Database):
    """Counts without reading what is counted."""

    async def attention(self) -> Attention:
        return await self._read(_count)


def _count(db: sqlite3.Connection) -> Attention:
    return Attention(*db.execute(SQL["count_attention"]).fetchone())
