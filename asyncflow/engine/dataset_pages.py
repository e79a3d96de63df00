"""What the pages of datasets and of the dependencies between DAGs ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import NamedTuple

import msgspec

from asyncflow.core.datasets import names
from asyncflow.core.ties import DagTies
from asyncflow.engine.hiding import hide_secrets
from asyncflow.engine.pages import Pages
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import NotFound
from asyncflow.store.database import Store, StoredEvent
from asyncflow.store.dataset_pages import EventRun, EventSearch

__all__ = ["DatasetPages", "DatasetRow", "Effect", "Event", "EventRun", "EventSearch", "StoredEvent", "TiedDag"]


class TiedDag(NamedTuple):
    """A DAG with its ties to others."""

    dag_id: str
    name: str
    paused: bool
    ties: DagTies


class DatasetRow(msgspec.Struct, kw_only=True):
    """One dataset that a DAG in the folder names, or that was ever updated."""

    uri: str
    name: str = ""
    events: int = 0
    last_at: datetime | None = None
    producers: list[tuple[str, str]] = []  #: (dag_id, task_id)
    readers: list[tuple[str, str]] = []  #: tasks that have it among their inlets
    consumers: list[str] = []  #: DAGs with it in their schedule


class Event(NamedTuple):
    """An update of a dataset."""

    event: StoredEvent
    extra: str  #: JSON on one line, stored secrets masked; "" for none
    runs: list[EventRun]  #: that it led to


class Effect(NamedTuple):
    """What an update would do to one DAG that has the dataset in its schedule."""

    dag_id: str
    paused: bool
    queued: bool  #: an update of it waits already
    starts: bool  #: a run would be made


class DatasetPages:
    """Reads for `/datasets/...` and `/dependencies`. Errors are those of `asyncflow.errors`."""

    def __init__(self, store: Store, scheduler: Scheduler, pages: Pages) -> None:
        self._store = store
        self._scheduler = scheduler
        self._pages = pages
        #: the datasets that these DAGs name, worked out once for the same DAGs
        self._named: tuple[list[TiedDag], dict[str, DatasetRow]] = ([], {})

    async def dags(self) -> list[TiedDag]:
        """All DAGs in the folder, by id."""
        rows = await self._pages.listed_dags()
        return [TiedDag(row.dag.dag_id, row.card.name, row.dag.paused, row.card.ties) for row in rows]

    async def datasets(self) -> list[DatasetRow]:
        """All datasets, by URI."""
        rows = dict(self._named_by(await self.dags()))
        for stored in await self._store.list_datasets():
            row = copy(rows.get(stored.uri) or DatasetRow(uri=stored.uri))
            row.name = stored.name or row.name
            row.events, row.last_at = stored.events, stored.last_at
            rows[stored.uri] = row
        return [rows[uri] for uri in sorted(rows)]

    def _named_by(self, dags: list[TiedDag]) -> dict[str, DatasetRow]:
        known, rows = self._named
        if len(known) != len(dags) or any(a.ties is not b.ties for a, b in zip(known, dags, strict=True)):
            rows = {}
            for dag in dags:
                note(rows, dag)
            self._named = (dags, rows)
        return rows

    async def dataset(self, uri: str) -> DatasetRow:
        """One, by URI or name. Raises NotFound."""
        rows = await self.datasets()
        found = next((row for row in rows if uri in (row.uri, row.name)), None)
        if found is None:
            raise NotFound("dataset", uri, [row.uri for row in rows])
        return found

    def queue(self, dag_id: str) -> Mapping[str, datetime | None]:
        """What a DAG waits for: by dataset, since when its update is queued; None = awaited."""
        return self._scheduler.world.dataset_queue(dag_id)

    def effects(self, row: DatasetRow, paused: Mapping[str, bool]) -> list[Effect]:
        """What an update would do now, by DAG."""
        waiters = self._scheduler.world.dataset_waiters(row.uri)
        return [
            Effect(dag_id, paused.get(dag_id, False), bool(self.queue(dag_id).get(row.uri)), waiters.get(dag_id, False))
            for dag_id in dict.fromkeys([*row.consumers, *waiters])
        ]

    async def events(self, search: EventSearch, *, limit: int) -> list[Event]:
        """Some updates, in the order that is wanted."""
        return await self._full(await self._store.page_events(search, limit=limit))

    async def events_of_run(self, dag_id: str, run_id: str) -> list[Event]:
        """The updates that a run was made for, newest first."""
        return await self._full((await self._store.events_of_run(dag_id, run_id))[::-1])

    async def _full(self, found: Sequence[StoredEvent]) -> list[Event]:
        texts = [
            msgspec.json.format(msgspec.json.encode(event.extra), indent=0).decode() if event.extra else ""
            for event in found
        ]
        if any(texts):
            texts = await hide_secrets(self._store, texts)
        runs = await self._store.event_runs([event.event_id for event in found])
        return [Event(event, text, runs[event.event_id]) for event, text in zip(found, texts, strict=True)]


def note(rows: dict[str, DatasetRow], dag: TiedDag) -> None:
    """Note what a DAG makes, reads and waits for."""
    for tie in dag.ties.makes:
        if tie.uri:
            row = rows.setdefault(tie.uri, DatasetRow(uri=tie.uri))
            row.name = tie.name or row.name
            row.producers.append((dag.dag_id, tie.task_id))
    for tie in dag.ties.reads:
        if tie.uri:
            rows.setdefault(tie.uri, DatasetRow(uri=tie.uri)).readers.append((dag.dag_id, tie.task_id))
    if dag.ties.condition is not None:
        for uri in names(dag.ties.condition)[0]:
            rows.setdefault(uri, DatasetRow(uri=uri)).consumers.append(dag.dag_id)
