"""What the audit log shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from asyncflow.engine.browse import AuditLine, AuditSearch
from asyncflow.errors import InvalidInput
from asyncflow.web import address
from asyncflow.web.paging import Turn
from asyncflow.web.sorting import Column, Columns, Sort

VIAS = ("ui", "cli")
COLUMNS = Columns(Column("Time", "time", falling=True), usual="-time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something that a person did."""

    id: int
    at: datetime
    by: str
    action: str
    dag_id: str
    dag_path: str
    run_id: str
    run_path: str
    task: str
    task_path: str
    arguments: tuple[tuple[str, str], ...]  #: (name, value)
    touched: int | None
    error: str


def search(params: Mapping[str, str]) -> AuditSearch:
    """What an address asks for. Raises InvalidInput."""
    dag_id, run_id = params.get("dag_id", "").strip() or None, params.get("run_id") or None
    task_id = params.get("task_id", "").strip() or None
    if (run_id or task_id) and not dag_id:
        raise InvalidInput("run_id= and task_id= in the address need dag_id=.")
    return AuditSearch(
        dag_id=dag_id,
        run_id=run_id,
        task_id=task_id,
        via=address.choice(params, "via", VIAS),
        action=params.get("action") or None,
        at_from=address.date(params, "from"),
        at_to=address.date(params, "to"),
        text=params.get("q", "").strip() or None,
    )


def beside(search: AuditSearch, sort: Sort, turn: Turn) -> AuditSearch:
    """The lines of one page: those behind a line, or, the nearest first, those in front of it. Raises InvalidInput."""
    falling = sort.falling != turn.back
    line = address.number({"line": turn.place}, "line", 0, most=2**62) if turn.place else None
    return msgspec.structs.replace(search, falling=falling, **({"before": line} if falling else {"after": line}))


def line(row: AuditLine) -> Line:
    """One line, with links to what it was about."""
    copy = f"[{row.map_index}]" if row.map_index >= 0 else ""
    run_path = address.run_path(row.dag_id, row.run_id) if row.dag_id and row.run_id else ""
    has_task = run_path and row.task_id
    return Line(
        id=row.id,
        at=row.at,
        by=f"{row.who} ({row.via})" if row.who else row.via,
        action=row.action,
        dag_id=row.dag_id,
        dag_path=address.dag_path(row.dag_id) if row.dag_id else "",
        run_id=row.run_id,
        run_path=run_path,
        task=f"{row.task_id}{copy}",
        task_path=address.task_path(row.dag_id, row.run_id, row.task_id, row.map_index) if has_task else "",
        arguments=tuple((name, shown(value)) for name, value in row.arguments.items()),
        touched=row.touched,
        error=row.error,
    )


def shown(value: Any) -> str:
    """A value of an argument: a text as it is, lists by their members, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return msgspec.json.encode(value).decode()
