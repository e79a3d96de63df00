"""Rows as JSON-able dicts, the shape that actions answer with: Airflow's field words, times as ISO 8601 text."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from asyncflow.core.models import DagRun, TaskInstance


def iso(moment: datetime | None) -> str | None:
    """`2026-01-01T00:00:00+00:00`, as Airflow prints it."""
    return moment.isoformat() if moment is not None else None


def struct_dict(row: msgspec.Struct) -> dict[str, Any]:
    """The fields of a struct, values JSON-able."""
    return {name: _value(getattr(row, name)) for name in row.__struct_fields__}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, msgspec.Struct):
        return struct_dict(value)
    if isinstance(value, dict):
        return {str(k): _value(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_value(v) for v in value)
    if isinstance(value, str):
        return str(value)
    return value


def duration(start: datetime | None, end: datetime | None, now: datetime) -> float | None:
    """Seconds from start to end, or until now while it has not ended."""
    if start is None:
        return None
    return ((end or now) - start).total_seconds()


def run_dict(run: DagRun, now: datetime) -> dict[str, Any]:
    """A dag run."""
    return {**struct_dict(run), "duration": duration(run.started_at, run.ended_at, now)}


def task_dict(ti: TaskInstance, now: datetime) -> dict[str, Any]:
    """A task instance; a state of "none" is Airflow's null. The try's token stays here."""
    row = struct_dict(ti)
    del row["token"]
    row["state"] = None if row["state"] == "none" else row["state"]
    row["duration"] = duration(ti.started_at, ti.ended_at, now)
    return row
