"""fail_fast: the first failure of a run ends the rest of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from asyncflow.core.live import LiveRun
from asyncflow.core.models import TaskInstance
from asyncflow.core.states import Event, TaskState

if TYPE_CHECKING:
    from asyncflow.core.machine import Machine


def stop_the_rest(machine: Machine, live: LiveRun, failed: TaskInstance, now: datetime) -> None:
    """What runs fails, what has not succeeded or failed is skipped; teardowns go on."""
    for ti in list(live.instances()):
        task = live.dag.graph.tasks.get(ti.task_id)
        if ti.task_id == failed.task_id or task is None or task.is_teardown:
            continue
        if ti.state in (TaskState.SUCCESS, TaskState.FAILED):
            continue
        event = Event.SET_FAILED if ti.state is TaskState.RUNNING else Event.SET_SKIPPED
        machine.kill(ti, f"fail_fast: {failed.task_id} has failed")
        machine.move(live, ti, event, now, reason=f"fail_fast: {failed.task_id} has failed")
