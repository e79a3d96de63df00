"""The pages of a DAG over a real server: a DAG with a group and a mapped task, and runs of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
from anyio.abc import TaskGroup

from asyncflow.config import Settings
from asyncflow.core.commands import Journal, SaveRun, SaveTask, SaveTry, Write
from asyncflow.core.messages import Parsed
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.specs import DagSpec, TaskGroupSpec, TaskSpec
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.core.timetable import CronIntervalTimetable
from asyncflow.engine.assembly import Server, assemble
from asyncflow.web.app import make_app

DAY0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SOURCE = 'from airflow import DAG\n\nwith DAG("etl"):  # <script>\n    pass\n'


def a_spec(dag_id: str = "etl", **changed: Any) -> DagSpec:
    """start >> [load.users, load.orders[]] >> end, the loads in the group "load"."""
    tasks = {
        "start": TaskSpec(
            task_id="start", label="start", operator="EmptyOperator", downstream=("load.orders", "load.users")
        ),
        "load.users": TaskSpec(
            task_id="load.users", label="users", group_id="load", upstream=("start",), downstream=("end",)
        ),
        "load.orders": TaskSpec(
            task_id="load.orders",
            label="orders",
            group_id="load",
            upstream=("start",),
            downstream=("end",),
            is_mapped=True,
        ),
        "end": TaskSpec(task_id="end", label="end", upstream=("load.orders", "load.users")),
    }
    group = TaskGroupSpec(group_id="load", label="load", children=("load.users", "load.orders"))
    given: dict[str, Any] = {
        "timetable": CronIntervalTimetable(expression="0 0 * * *"),
        "schedule_text": "0 0 * * *",
        "tasks": tasks,
        "groups": {"load": group},
        "file": "etl.py",
        "start_date": DAY0,
        **changed,
    }
    return DagSpec(dag_id=dag_id, **given)


def a_run(day: int = 0, dag_id: str = "etl", **changed: Any) -> DagRun:
    """The scheduled run of a day, which took ten seconds and went well."""
    date = DAY0 + day * DAY
    given: dict[str, Any] = {
        "run_id": f"scheduled__{date.isoformat()}",
        "run_type": RunType.SCHEDULED,
        "state": RunState.SUCCESS,
        "logical_date": date,
        "data_interval_start": date,
        "data_interval_end": date + DAY,
        "run_after": date + DAY,
        "started_at": date + DAY,
        "ended_at": date + DAY + timedelta(seconds=10),
        "version": "v1",
        **changed,
    }
    return DagRun(dag_id=dag_id, **given)


def a_ti(run: DagRun, task_id: str, **changed: Any) -> TaskInstance:
    """A task instance that ran for two seconds, one second after its run had started."""
    start = (run.started_at or run.run_after) + timedelta(seconds=1)
    given: dict[str, Any] = {
        "state": TaskState.SUCCESS,
        "try_number": 1,
        "queued_at": start - timedelta(seconds=1),
        "started_at": start,
        "ended_at": start + timedelta(seconds=2),
        **changed,
    }
    return TaskInstance(dag_id=run.dag_id, run_id=run.run_id, task_id=task_id, **given)


def a_try(ti: TaskInstance, number: int, **changed: Any) -> SaveTry:
    """A try with the times of its task instance."""
    given: dict[str, Any] = {
        "state": ti.state,
        "queued_at": ti.queued_at,
        "started_at": ti.started_at,
        "ended_at": ti.ended_at,
        "token": f"{ti.task_id}-{ti.map_index}-{number}",
        **changed,
    }
    return SaveTry(key=TaskKey(*ti.key), try_number=number, **given)


class DagHome:
    """A server with the DAG `etl`, and a browser for its pages."""

    def __init__(self, server: Server) -> None:
        self.store = server.store
        self.pages = server.actions.dag_pages
        self._app = make_app(server.actions)

    async def save(self, spec: DagSpec, version: str = "v1", *, at: datetime = DAY0, source: str = SOURCE) -> None:
        parsed = Parsed(host_id="h", file=spec.file, source=source, seconds=0.25)
        await self.store.save_dags(spec.file, [(spec, version)], parsed=parsed, now=at, paused_at_creation=False)

    async def add(self, run: DagRun, *tis: TaskInstance, journal: bool = True) -> None:
        """Store a run with its task instances, and a line about it."""
        writes: list[Write] = [SaveRun(run=run), *(SaveTask(ti=ti) for ti in tis)]
        writes += [a_try(ti, ti.try_number) for ti in tis if ti.try_number]
        if journal:
            writes.append(Journal(at=run.run_after, event="run.made", dag_id=run.dag_id, run_id=run.run_id))
        await self.store.commit(writes)

    async def get(self, path: str, **cookies: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", cookies=cookies) as client:
            return await client.get(path)

    async def page(self, path: str, **cookies: str) -> str:
        """The text of a page that must be there."""
        answer = await self.get(path, **cookies)
        assert answer.status_code == 200, answer.text
        return answer.text


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Server, TaskGroup]]:
    """A server without processes of its own, which knows no DAG; and the tasks that end before it."""
    settings = Settings(home=folder, dags=folder / "dags")
    async with anyio.create_task_group() as tasks, assemble(settings, tasks, scheduling=False) as server:
        tasks.start_soon(server.scheduler.run)
        await server.restore()
        await server.files.forget_missing()  # the folder has been looked at: actions wait for that
        yield server, tasks
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def dag_home(folder: Path) -> AsyncIterator[DagHome]:
    async with running(folder) as (server, _):
        home = DagHome(server)
        await home.save(a_spec())
        yield home
