"""What is listed of each DAG, which of them a query wants, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from asyncflow.core import timetable
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState
from asyncflow.core.ties import DagTies, ties_of
from asyncflow.core.timetable import TimetableSpec
from asyncflow.store.database import StoredImportError
from asyncflow.store.pages import BriefRun, ListedDag

#: missed intervals that are counted at most
MOST_MISSED = 20


class DagCard(msgspec.Struct, frozen=True, kw_only=True):
    """What is listed of a DAG's definition."""

    dag_id: str
    version: str
    name: str
    owner: str
    tags: tuple[str, ...]
    description: str
    schedule: str
    schedule_words: str
    timezone: str
    max_active_runs: int
    start_date: datetime | None
    end_date: datetime | None
    timetable: TimetableSpec
    by_datasets: bool
    has_params: bool
    task_ids: tuple[str, ...]
    ties: DagTies  #: to datasets and other DAGs


class DagQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which DAGs are listed, and in which order."""

    text: str = ""  #: in the id, the name, the owner or a tag
    tags: tuple[str, ...] = ()  #: any of them
    owner: str = ""
    status: str = "all"  #: a key of STATUSES
    sort: str = "name"  #: a key of SORTS
    descending: bool = False
    limit: int = 50
    offset: int = 0


class DagRow(msgspec.Struct, kw_only=True):
    """One DAG of the list."""

    dag: ListedDag
    card: DagCard
    run_states: Mapping[str, int] = {}
    last_run: BriefRun | None = None
    recent: Sequence[BriefRun] = ()  #: newest first
    task_states: Mapping[str, int] = {}  #: in the active runs, or else in the last one
    starred: bool = False  #: a favourite
    missed: int = 0  #: of a paused DAG: intervals that are due, MOST_MISSED at most
    #: in its schedule: since when the update of each is queued for the next run; None = awaited
    datasets: Mapping[str, datetime | None] = {}


class DagPage(NamedTuple):
    """One page of the list of DAGs."""

    rows: list[DagRow]
    matching: int  #: rows on all pages together
    statuses: dict[str, int]  #: by key of STATUSES: how many DAGs, whatever the other filters
    tags: list[str]  #: those of all DAGs
    owners: list[str]
    errors: list[StoredImportError]


def _finished(row: DagRow) -> bool:
    return row.last_run is not None and row.last_run.state is RunState.FAILED


#: which DAGs a tab of the list shows
STATUSES: dict[str, Callable[[DagRow], bool]] = {
    "all": lambda row: True,
    "active": lambda row: not row.dag.paused,
    "paused": lambda row: row.dag.paused,
    "running": lambda row: bool(row.run_states.get("running") or row.run_states.get("queued")),
    "failed": _finished,
    "broken": lambda row: row.dag.broken,
    "favourite": lambda row: row.starred,
}


def _lasted(run: BriefRun | None) -> timedelta | None:
    """How long a run took; of one that goes on nobody knows yet."""
    return run.ended_at - run.started_at if run and run.started_at and run.ended_at else None


def _broken(states: Mapping[str, int]) -> int:
    return states.get("failed", 0) + states.get("upstream_failed", 0)


#: by what the list is sorted; rows without a value come last
SORTS: dict[str, Callable[[DagRow], Any]] = {
    "name": lambda row: row.card.name.casefold(),
    "owner": lambda row: row.card.owner.casefold(),
    "schedule": lambda row: row.card.schedule,
    "last": lambda row: row.last_run.run_after if row.last_run else None,
    "next": lambda row: row.dag.next_run_after,
    "failed": lambda row: row.run_states.get("failed", 0),
    "paused": lambda row: row.dag.paused,
    "duration": lambda row: _lasted(row.last_run),
    "tasks": lambda row: (_broken(row.task_states), row.task_states.get("running", 0), sum(row.task_states.values())),
}
#: what only rows that are complete can be sorted by
OF_COMPLETE = frozenset({"tasks"})


def card_of(spec: DagSpec, version: str) -> DagCard:
    """The card of a version of a DAG."""
    return DagCard(
        dag_id=spec.dag_id,
        version=version,
        name=spec.display_name or spec.dag_id,
        owner=spec.owner,
        tags=spec.tags,
        description=spec.description or "",
        schedule=spec.schedule_text,
        schedule_words=timetable.describe(spec.timetable),
        timezone=spec.timezone,
        max_active_runs=spec.max_active_runs,
        start_date=spec.start_date,
        end_date=spec.end_date,
        timetable=spec.timetable,
        by_datasets=spec.dataset_expression is not None,
        has_params=bool(spec.params),
        task_ids=tuple(spec.tasks),
        ties=ties_of(spec),
    )


def has(card: DagCard, wanted: str) -> bool:
    """Whether a case-folded text is in the id or the name of a DAG."""
    return wanted in card.dag_id.casefold() or wanted in card.name.casefold()


def in_order(rows: Sequence[DagRow], value: Callable[[DagRow], Any], falling: bool) -> list[DagRow]:
    """By a value; rows without one come last, whichever way."""
    known = [row for row in rows if value(row) is not None]
    return sorted(known, key=value, reverse=falling) + [row for row in rows if value(row) is None]


def matches(card: DagCard, query: DagQuery) -> bool:
    """Whether a query is about a DAG, its status aside."""
    if query.owner and card.owner != query.owner:
        return False
    if query.tags and not set(query.tags) & set(card.tags):
        return False
    wanted = query.text.casefold()
    return not wanted or has(card, wanted) or any(wanted in text.casefold() for text in (card.owner, *card.tags))
