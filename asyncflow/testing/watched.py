"""What the scheduler asks for sensors without a process, answered from what a played DAG knows."""

from __future__ import annotations

import datetime as dt
import logging

from asyncflow.core.commands import LogLines, LookForFile, LookUpRun
from asyncflow.core.messages import RunContext
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.core.world import World
from asyncflow.ipc.files import first_match
from asyncflow.testing.memory import MemoryApi

log = logging.getLogger("airflow.task")


def answer(act: LookUpRun | LookForFile | LogLines, world: World, api: MemoryApi, now: dt.datetime) -> None:
    """Look into the api's runs, or for the file, and tell the world; a line of the log is one of this process."""
    match act:
        case LookUpRun():
            runs = [run for (dag_id, _), run in api.runs.items() if dag_id == act.dag_id]
            found = next((run for run in runs if run.logical_date == act.logical_date), None)
            rows = None if found is None else (_row(act.dag_id, found), _instances(act.dag_id, found, api))
            near = [_row(act.dag_id, run) for run in runs]
            world.run_looked_up(act.dag_id, act.logical_date, rows, near=near, now=now)
        case LookForFile():
            path = first_match(act.pattern, recursive=act.recursive)
            world.file_looked_for(act.key, act.token, path, now)
        case LogLines():
            for line in act.lines:
                log.info("%s", line)


def _row(dag_id: str, run: RunContext) -> DagRun:
    return DagRun(
        dag_id=dag_id,
        run_id=run.run_id,
        run_type=RunType(run.run_type),
        state=RunState(run.state),
        logical_date=run.logical_date,
        run_after=run.run_after or run.logical_date or dt.datetime.now(dt.UTC),
    )


def _instances(dag_id: str, run: RunContext, api: MemoryApi) -> list[TaskInstance]:
    return [
        TaskInstance(
            dag_id=dag_id,
            run_id=run.run_id,
            task_id=key.task_id,
            map_index=key.map_index,
            state=TaskState(state),
        )
        for key, state in api.states.items()
        if (key.dag_id, key.run_id) == (dag_id, run.run_id)
    ]
