"""What the pages of datasets show: which are listed and in which order, who waits for one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from asyncflow.core.datasets import words
from asyncflow.core.ties import DagTies
from asyncflow.engine.dataset_pages import DatasetRow, EventSearch, TiedDag
from asyncflow.web import address
from asyncflow.web.address import segment
from asyncflow.web.paging import Turn
from asyncflow.web.sorting import Column, Columns, Sort

COLUMNS = Columns(
    Column("Dataset", "name"),
    Column("Last event", "last", falling=True),
    Column("Events", "events", falling=True),
    Column("Produced by", "producers", falling=True),
    Column("Consumed by", "consumers", falling=True),
    usual="name",
)
#: those of a list of events
EVENTS = Columns(Column("When", "time", falling=True), usual="-time")
#: pages of this section: what the tab says -> address
TABS = {
    "Datasets": "/datasets",
    "Events": "/datasets/events",
    "Graph": "/datasets/graph",
    "DAG dependencies": "/dependencies",
}


def _moment(moment: datetime | None) -> float:
    return moment.timestamp() if moment else float("-inf")


SORTS: dict[str, Callable[[DatasetRow], Any]] = {
    "name": lambda row: (row.name or row.uri).casefold(),
    "last": lambda row: _moment(row.last_at),
    "events": lambda row: row.events,
    "producers": lambda row: len(row.producers),
    "consumers": lambda row: len(row.consumers),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetQuery:
    """Which datasets are listed, and in which order."""

    text: str
    dag_id: str  #: only those that this DAG makes, reads or waits for
    sort: Sort


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A DAG with a dataset in its schedule, and how far its next run is."""

    dag_id: str
    name: str
    path: str
    paused: bool
    since: datetime | None  #: since when an update of the dataset is queued for it
    missing: tuple[str, ...]  #: what else of its condition has had no update yet
    condition: str


def dataset_path(uri: str) -> str:
    """Where the page of a dataset is: in the address' query, since a URI is full of slashes."""
    return f"/datasets/show?uri={segment(uri)}"


def asked(params: Mapping[str, str]) -> DatasetQuery:
    """What the address asks for. Raises InvalidInput."""
    return DatasetQuery(
        text=params.get("q", "").strip().casefold(),
        dag_id=params.get("dag_id", ""),
        sort=COLUMNS.asked(params),
    )


def chosen(rows: Sequence[DatasetRow], query: DatasetQuery) -> list[DatasetRow]:
    """The rows of the list."""
    found = [row for row in rows if _matches(row, query)]
    found.sort(key=SORTS["name"])
    found.sort(key=SORTS[query.sort.name], reverse=query.sort.falling)
    return found


def _matches(row: DatasetRow, query: DatasetQuery) -> bool:
    if query.text and query.text not in row.uri.casefold() and query.text not in row.name.casefold():
        return False
    dags = {*row.consumers, *(dag_id for dag_id, _ in (*row.producers, *row.readers))}
    return not query.dag_id or query.dag_id in dags


def beside(search: EventSearch, sort: Sort, turn: Turn) -> EventSearch:
    """The events of one page: those behind a moment, or, the nearest first, those in front of it. Raises."""
    falling, at = sort.falling != turn.back, address.date({"place": turn.place}, "place")
    if at is None:
        return msgspec.structs.replace(search, falling=falling)
    if falling:
        return msgspec.structs.replace(search, falling=True, before=min(at, search.before or at))
    return msgspec.structs.replace(search, falling=False, after=at)


def waiters(
    row: DatasetRow, dags: Mapping[str, TiedDag], queue: Callable[[str], Mapping[str, datetime | None]]
) -> list[Waiter]:
    """The DAGs that wait for a dataset."""
    return [waiter(dags[dag_id], row.uri, queue(dag_id)) for dag_id in row.consumers if dag_id in dags]


def waiter(dag: TiedDag, uri: str, queue: Mapping[str, datetime | None]) -> Waiter:
    """One DAG that waits for it, by what is queued for its next run."""
    return Waiter(
        dag_id=dag.dag_id,
        name=dag.name,
        path=f"{address.dag_path(dag.dag_id)}/datasets",
        paused=dag.paused,
        since=queue.get(uri),
        missing=tuple(name for name, at in queue.items() if at is None and name != uri),
        condition=condition_of(dag.ties),
    )


def condition_of(ties: DagTies) -> str:
    """What a DAG waits for, in words; "" if it waits for no dataset."""
    return "" if ties.condition is None else words(ties.condition)
