"""The mapped copies of a task: which of them a page lists, how many are in each state, how long they took. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

from asyncflow.engine.instance_pages import Copy
from asyncflow.web import address
from asyncflow.web.run_view import ORDER, Count
from asyncflow.web.sorting import Column, Columns, Sort

COLUMNS = Columns(
    Column("State", "state"),
    Column("Copy", "index"),
    Column("Started", "started"),
    Column("Duration", "duration", falling=True),
    usual="index",
)
#: by what they are sorted; those without a value come last
SORTS: dict[str, Callable[[Copy, int], Any]] = {
    "index": lambda row, now: row.map_index,
    "state": lambda row, now: ORDER.index(row.state) if row.state in ORDER else len(ORDER),
    "started": lambda row, now: row.started,
    "duration": lambda row, now: None if row.started is None else (row.ended or now) - row.started,
}


class Times(NamedTuple):
    """How long those that have ended took, in seconds."""

    least: float
    middle: float
    most: float


def chosen(rows: Sequence[Copy], state: str, sort: Sort, now: datetime) -> list[Copy]:
    """Those in a state (in any, for ""), in an order."""
    by, moment = SORTS[sort.name], int(now.timestamp() * 1_000_000)
    wanted = [(by(row, moment), row) for row in rows if not state or row.state == state]
    known = sorted(((value, row) for value, row in wanted if value is not None), key=lambda it: it[0])
    ordered = [row for _, row in (reversed(known) if sort.falling else known)]
    return ordered + [row for value, row in wanted if value is None]


def counts(rows: Sequence[Copy], params: Mapping[str, str]) -> list[Count]:
    """The states that they are in; the links show those in a state alone."""
    many = Counter(row.state for row in rows)
    current = params.get("state", "")
    return [
        Count(
            state=state,
            count=many[state],
            href=address.query(params, state=None if current == state else state, page=None) or "?",
            current=current == state,
        )
        for state in ORDER
        if state in many
    ]


def times(rows: Sequence[Copy]) -> Times | None:
    """None while none has ended."""
    took = [row.ended - row.started for row in rows if row.started and row.ended]
    return Times(*(value / 1_000_000 for value in (min(took), median(took), max(took)))) if took else None
