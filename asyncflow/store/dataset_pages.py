"""Reads of the pages of datasets: windows over their events. Functions over a connection, and their methods."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from asyncflow.store.datasets import StoredEvent
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec, to_micros
from asyncflow.store.sqlite import Database

#: later than any event
_FOREVER = 2**62
_EVENTS = RowCodec(StoredEvent)


class EventRun(NamedTuple):
    """A run that an event led to."""

    dag_id: str
    run_id: str
    state: str


def page_events(
    db: sqlite3.Connection, uri: str | None, dag_id: str | None, before: datetime | None, limit: int
) -> list[StoredEvent]:
    where = {
        "uri": uri,
        "dag_id": dag_id,
        "before": _FOREVER if before is None else to_micros(before),
        "limit": limit,
    }
    if uri is not None:
        return _EVENTS.load(db.execute(SQL["page_events_of"], where))
    return _EVENTS.load(db.execute(SQL["page_events" if dag_id is None else "page_events_from"], where))


def event_runs(db: sqlite3.Connection, events: Sequence[int]) -> dict[int, list[EventRun]]:
    found: dict[int, list[EventRun]] = {event: [] for event in events}
    for event, dag_id, run_id, state in db.execute(SQL["page_event_runs"], {"events": json.dumps(events)}):
        found[event].append(EventRun(dag_id, run_id, state))
    return found


class DatasetReads(Database):
    """The methods of `Store` for these pages."""

    async def page_events(
        self, *, uri: str | None = None, dag_id: str | None = None, before: datetime | None = None, limit: int
    ) -> list[StoredEvent]:
        """Events before a moment, newest first; of one dataset, or made by one DAG."""
        return await self._read(page_events, uri, dag_id, before, limit)

    async def event_runs(self, events: Sequence[int]) -> dict[int, list[EventRun]]:
        """By event: the runs that it led to."""
        return await self._read(event_runs, events)
