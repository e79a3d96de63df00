"""Datasets and their events: functions over one connection."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from asyncflow.core.datasets import names, resolve
from asyncflow.core.models import DatasetConsumer, DatasetState
from asyncflow.core.timetable import DataInterval
from asyncflow.store.dags import StoredDag
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec, from_micros, names_json, to_micros


class StoredDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that was updated at least once."""

    uri: str
    name: str
    events: int
    last_at: datetime | None


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One update of a dataset; `source_dag_id` is empty for one from outside."""

    event_id: int
    uri: str
    name: str
    at: datetime
    extra: dict[str, Any]
    aliases: tuple[str, ...]
    source_dag_id: str
    source_run_id: str
    source_task_id: str
    source_map_index: int


_DATASETS = RowCodec(StoredDataset)
_EVENTS = RowCodec(StoredEvent)


def load_state(db: sqlite3.Connection, dags: Iterable[StoredDag]) -> DatasetState:
    """What a scheduler that starts must know; `dags` are those whose updates count."""
    aliases: dict[str, list[str]] = defaultdict(list)
    for alias, uri in db.execute(SQL["dataset_aliases"]):  # with the names of assets
        aliases[alias].append(uri)
    queued = queues(db)
    since = {dag_id: _moment(at) for dag_id, at in db.execute(SQL["dataset_consumers"])}
    last = db.execute(SQL["last_dataset_event"]).fetchone()
    consumers = [
        _consumer(db, dag, since.get(dag.spec.dag_id, dag.changed_at), queued.get(dag.spec.dag_id, {}), aliases)
        for dag in dags
        if dag.spec.dataset_expression is not None
    ]
    return DatasetState(
        consumers=tuple(consumers),
        aliases={alias: tuple(uris) for alias, uris in aliases.items()},
        last_id=last[0] if last else 0,
        last_at=from_micros(last[1]) if last else None,
    )


def _consumer(
    db: sqlite3.Connection, dag: StoredDag, since: datetime, queued: dict[str, datetime], aliases: dict[str, list[str]]
) -> DatasetConsumer:
    uris = resolve(*names(dag.spec.dataset_expression), aliases)
    upto = max(queued.values(), default=since)
    return DatasetConsumer(
        dag_id=dag.spec.dag_id,
        expression=dag.spec.dataset_expression,
        paused=dag.paused or not dag.active,
        since=since,
        queued=queued,
        before=_span(db, uris, since, upto),
        after=_span(db, uris, upto, None),
    )


def _span(db: sqlite3.Connection, uris: list[str], after: datetime, upto: datetime | None) -> DataInterval | None:
    where = {"uris": names_json(uris), "after": to_micros(after), "upto": to_micros(upto)}
    start, end = db.execute(SQL["dataset_span"], where).fetchone()
    return DataInterval(_moment(start), _moment(end)) if start is not None else None


def _moment(micros: int) -> datetime:
    at = from_micros(micros)
    assert at is not None
    return at


def list_datasets(db: sqlite3.Connection) -> list[StoredDataset]:
    return _DATASETS.load(db.execute(SQL["list_datasets"]))


def events(
    db: sqlite3.Connection, uri: str | None, alias: str | None, newest_first: bool, page: tuple[int, int]
) -> list[StoredEvent]:
    where = {"uri": _found(db, uri), "alias": alias, "limit": page[0], "offset": page[1]}
    name = ("events" if uri is None else "events_of_dataset") + ("_newest" if newest_first else "_oldest")
    return _EVENTS.load(db.execute(SQL[name], where))


def count_events(db: sqlite3.Connection, uri: str | None, alias: str | None) -> int:
    where = {"uri": _found(db, uri), "alias": alias}
    count: int = db.execute(SQL["count_dataset_events"], where).fetchone()[0]
    return count


def _found(db: sqlite3.Connection, uri: str | None) -> str | None:
    """The URI of a dataset that may have been called by its name; a URI that was never updated as it is."""
    row = None if uri is None else db.execute(SQL["find_dataset"], {"uri": uri}).fetchone()
    return uri if row is None else str(row[0])


def events_of_run(db: sqlite3.Connection, dag_id: str, run_id: str) -> list[StoredEvent]:
    return _EVENTS.load(db.execute(SQL["events_of_run"], {"dag_id": dag_id, "run_id": run_id}))


def runs_of_event(db: sqlite3.Connection, event_id: int) -> list[tuple[str, str]]:
    return [(dag_id, run_id) for dag_id, run_id in db.execute(SQL["runs_of_event"], {"event_id": event_id})]


def queues(db: sqlite3.Connection) -> dict[str, dict[str, datetime]]:
    found: dict[str, dict[str, datetime]] = defaultdict(dict)
    for dag_id, uri, at in db.execute(SQL["dataset_queues"]):
        found[dag_id][uri] = _moment(at)
    return dict(found)
