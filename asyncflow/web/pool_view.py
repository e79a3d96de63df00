"""What the pages of pools show. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asyncflow.errors import InvalidInput
from asyncflow.web import address
from asyncflow.web.sorting import Column, Columns, Sort

#: width of a bar in its own units
WIDTH = 1000
COLUMNS = Columns(
    Column("Pool", "name"),
    Column("Slots", "slots", falling=True),
    Column("Running", "running", falling=True),
    Column("Queued", "queued", falling=True),
    Column("Deferred", "deferred", falling=True),
    Column("Open", "open", falling=True),
    Column("Waiting", "scheduled", falling=True),
    usual="name",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a bar: slots in one state."""

    state: str
    slots: int
    x: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLine:
    """A pool in the list. -1 = without limit."""

    name: str
    description: str
    slots: int
    include_deferred: bool
    running: int
    queued: int
    deferred: int
    scheduled: int
    open: int
    bar: tuple[Segment, ...]
    is_full: bool
    is_default: bool


def lines(pools: Sequence[Mapping[str, Any]], text: str = "", sort: Sort = COLUMNS.usual) -> list[PoolLine]:
    """Those with `text` in name or description, sorted."""
    found = [_line(pool) for pool in pools if text.lower() in f"{pool['name']} {pool['description']}".lower()]
    return sorted(found, key=_order(sort.name), reverse=sort.falling)


def _order(column: str) -> Callable[[PoolLine], tuple[Any, str]]:
    def order(line: PoolLine) -> tuple[Any, str]:
        value = getattr(line, column)
        if isinstance(value, str):
            return not line.is_default, value.casefold()
        return (float("inf") if value < 0 else value), line.name

    return order


def _line(pool: Mapping[str, Any]) -> PoolLine:
    used = {name: int(pool.get(name, 0)) for name in ("running", "queued", "deferred", "scheduled")}
    slots = int(pool["slots"])
    return PoolLine(
        name=pool["name"],
        description=pool["description"],
        slots=slots,
        include_deferred=pool["include_deferred"],
        **used,
        open=int(pool.get("open", slots)),
        bar=bar(slots, used, include_deferred=pool["include_deferred"]),
        is_full=slots >= 0 and pool.get("open", slots) == 0,
        is_default=pool["name"] == "default_pool",
    )


def bar(slots: int, used: Mapping[str, int], *, include_deferred: bool) -> tuple[Segment, ...]:
    """Slots by state, side by side; what is open is what the bar leaves free. A pool may be over-full."""
    states = ("running", "queued", "deferred") if include_deferred else ("running", "queued")
    whole = max(slots, sum(used[state] for state in states), 1)
    segments, start = [], 0
    for state in states:
        if used[state]:
            x, end = start * WIDTH // whole, (start + used[state]) * WIDTH // whole
            segments.append(Segment(state=state, slots=used[state], x=x, width=max(end - x, 1)))
            start += used[state]
    return tuple(segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A task instance that has to do with a pool."""

    id: str  #: for the row
    name: str
    path: str
    dag_id: str
    run_id: str
    run_path: str
    state: str
    pool_slots: int
    priority_weight: int
    since: str | None
    why: str


def holders(rows: Sequence[Mapping[str, Any]]) -> list[Holder]:
    """Task instances as `Actions.pool_use` gives them."""
    return [
        Holder(
            id=f"{row['dag_id']}:{row['run_id']}:{row['task_id']}:{row['map_index']}",
            name=row["task_id"] if row["map_index"] < 0 else f"{row['task_id']}[{row['map_index']}]",
            path=address.task_path(row["dag_id"], row["run_id"], row["task_id"], row["map_index"]),
            dag_id=row["dag_id"],
            run_id=row["run_id"],
            run_path=address.run_path(row["dag_id"], row["run_id"]),
            state=row["state"] or "none",
            pool_slots=row["pool_slots"],
            priority_weight=row["priority_weight"],
            since=row["started_at"] or row["queued_at"] or row["scheduled_at"],
            why=row["why"],
        )
        for row in rows
    ]


def entered(form: Mapping[str, Any]) -> dict[str, Any]:
    """What a form says of a pool, for `Actions.set_pool`. Raises InvalidInput."""
    text = str(form.get("slots", "")).strip()
    try:
        slots = int(text)
    except ValueError:
        raise InvalidInput("Slots: {text!r} is not a whole number.", text=text) from None
    return {
        "name": str(form.get("name", "")).strip(),
        "slots": slots,
        "description": str(form.get("description", "")).strip(),
        "include_deferred": bool(form.get("include_deferred")),
    }
