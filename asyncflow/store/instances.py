"""Reads for the page of one task instance: what it pushed, of long values the beginning; what happened to it."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import NamedTuple

from asyncflow.core.models import TaskKey
from asyncflow.store.queries import SQL
from asyncflow.store.rows import from_micros
from asyncflow.store.runs import JournalLine, journal_lines
from asyncflow.store.spill import SpillFiles
from asyncflow.store.sqlite import Database
from asyncflow.store.writes import key_params


class XComHead(NamedTuple):
    """One XCom as a list shows it."""

    key: str
    head: str  #: the beginning of its JSON text
    size: int  #: characters of the whole; of a long one, bytes
    at: datetime


class Copy(NamedTuple):
    """One mapped copy of a task; moments in microseconds since 1970, for there may be ten thousand."""

    map_index: int
    state: str
    started: int | None
    ended: int | None


def copies_of_task(db: sqlite3.Connection, key: TaskKey) -> list[Copy]:
    return [Copy._make(row) for row in db.execute(SQL["copies_of_task"], key_params(key))]


def xcom_heads(db: sqlite3.Connection, spill: SpillFiles, key: TaskKey, most: int, limit: int) -> list[XComHead]:
    rows = db.execute(SQL["xcom_heads"], {**key_params(key), "most": most, "limit": limit})
    found = []
    for name, head, size, file, at in rows:
        if file is not None:
            head, size = spill.head(file, most)
        pushed_at = from_micros(at)
        assert pushed_at is not None
        found.append(XComHead(name, head, size, pushed_at))
    return found


def journal_of_task(db: sqlite3.Connection, key: TaskKey, after_seq: int, limit: int) -> list[JournalLine]:
    where = {**key_params(key), "after_seq": after_seq, "limit": limit}
    return journal_lines(db.execute(SQL["list_journal_of_task"], where))


class InstanceReads(Database):
    """The methods of `Store` for the page of one task instance."""

    async def xcom_heads(self, key: TaskKey, *, most: int, limit: int = 200) -> list[XComHead]:
        """The first `most` characters of what an instance pushed, last push first."""
        return await self._read(xcom_heads, self._spill, key, most, limit)

    async def copies_of_task(self, key: TaskKey) -> list[Copy]:
        """All mapped copies of the task in its run; `map_index` of the key does not matter."""
        return await self._read(copies_of_task, key)

    async def journal_of_task(self, key: TaskKey, *, after_seq: int = 0, limit: int = 200) -> list[JournalLine]:
        """Lines about one task instance after `after_seq`, oldest first."""
        return await self._read(journal_of_task, key, after_seq, limit)
