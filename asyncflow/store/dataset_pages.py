"""Reads of the pages of datasets: windows over their events. Functions over a connection, and their methods."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from asyncflow.store.datasets import StoredEvent
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec, to_micros
from asyncflow.store.sqlite import Database

#: later, and earlier, than any event
_FOREVER = 2**62
#: (of all, of one dataset or made by one DAG; newest first) -> query
_QUERIES = {
    ("all", True): "page_events",
    ("all", False): "page_events_oldest",
    ("from", True): "page_events_from",
    ("from", False): "page_events_from_oldest",
    ("of", True): "page_events_of",
    ("of", False): "page_events_of_oldest",
}


class EventSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are wanted; None = all. Moments are not included."""

    uri: str | None = None
    dag_id: str | None = None  #: that made it
    before: datetime | None = None
    after: datetime | None = None
    falling: bool = True  #: the newest first


_EVENTS = RowCodec(StoredEvent)


class EventRun(NamedTuple):
    """A run that an event led to."""

    dag_id: str
    run_id: str
    state: str


def page_events(db: sqlite3.Connection, search: EventSearch, limit: int) -> list[StoredEvent]:
    where = {
        "uri": search.uri,
        "dag_id": search.dag_id,
        "before": _FOREVER if search.before is None else to_micros(search.before),
        "after": -_FOREVER if search.after is None else to_micros(search.after),
        "limit": limit,
    }
    kind = "of" if search.uri is not None else "from" if search.dag_id is not None else "all"
    return _EVENTS.load(db.execute(SQL[_QUERIES[kind, search.falling]], where))


def event_runs(db: sqlite3.Connection, events: Sequence[int]) -> dict[int, list[EventRun]]:
    found: dict[int, list[EventRun]] = {event: [] for event in events}
    for event, dag_id, run_id, state in db.execute(SQL["page_event_runs"], {"events": json.dumps(events)}):
        found[event].append(EventRun(dag_id, run_id, state))
    return found


class DatasetReads(Database):
    """The methods of `Store` for these pages."""

    async def page_events(self, search: EventSearch, *, limit: int) -> list[StoredEvent]:
        """Some events, in the order that is wanted."""
        return await self._read(page_events, search, limit)

    async def event_runs(self, events: Sequence[int]) -> dict[int, list[EventRun]]:
        """By event: the runs that it led to."""
        return await self._read(event_runs, events)
