"""Valid rows; override what matters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from asyncflow.core.commands import SaveRun, SaveTask
from asyncflow.core.messages import Parsed
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.specs import DagSpec, TaskSpec
from asyncflow.core.states import RunState, RunType
from asyncflow.core.timetable import NullTimetable
from asyncflow.store.database import Store

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
DAY = timedelta(days=1)


def a_spec(dag_id: str = "d", **fields: Any) -> DagSpec:
    given: dict[str, Any] = {"tasks": {"a": TaskSpec(task_id="a")}, **fields}
    return DagSpec(dag_id=dag_id, timetable=NullTimetable(), **given)


def parsed(source: str = "# d.py", **fields: Any) -> Parsed:
    return Parsed(host_id="h", file="d.py", source=source, **fields)


def a_run(run_id: str = "r", **fields: Any) -> DagRun:
    given: dict[str, Any] = {"dag_id": "d", "run_after": NOW, "state": RunState.RUNNING, **fields}
    return DagRun(run_id=run_id, **given)


def a_ti(task_id: str = "a", **fields: Any) -> TaskInstance:
    given: dict[str, Any] = {"dag_id": "d", "run_id": "r", **fields}
    return TaskInstance(task_id=task_id, **given)


async def with_run(store: Store, *task_ids: str, **fields: Any) -> DagRun:
    """Store a run with these tasks."""
    run = a_run(**fields)
    tis = [a_ti(task_id, dag_id=run.dag_id, run_id=run.run_id) for task_id in task_ids]
    await store.commit([SaveRun(run=run), *(SaveTask(ti=ti) for ti in tis)])
    return run


def on_day(day: int, **fields: Any) -> dict[str, Any]:
    """Fields of a finished scheduled run of a day: 0 = the day of NOW."""
    date = NOW + day * DAY
    return {
        "run_id": f"day{day}",
        "run_type": RunType.SCHEDULED,
        "state": RunState.SUCCESS,
        "logical_date": date,
        "run_after": date + DAY,
        "ended_at": date + DAY,
        **fields,
    }
