"""Task instances as they are made: new ones, and what they take over from the DAG."""

from __future__ import annotations

import copy

from asyncflow.core.live import LiveRun
from asyncflow.core.models import TaskInstance
from asyncflow.core.specs import TaskSpec


def new_instance(live: LiveRun, task_id: str, map_index: int) -> TaskInstance:
    """A task instance as it is when nothing has happened to it."""
    task = live.dag.graph.tasks[task_id]
    ti = TaskInstance(
        dag_id=live.run.dag_id,
        run_id=live.run.run_id,
        task_id=task_id,
        map_index=map_index,
        max_tries=task.retries,
    )
    refresh(ti, live)
    return ti


def refresh(ti: TaskInstance, live: LiveRun) -> None:
    """Take over from the DAG's present version what decides about the next try."""
    task = live.dag.graph.tasks[ti.task_id]
    ti.operator = task.operator
    ti.pool = (live.orders.options.pool if live.orders is not None else None) or task.pool
    ti.pool_slots = task.pool_slots
    ti.priority_weight = task.priority_weight


def goes_on_waiting(task: TaskSpec, ti: TaskInstance) -> bool:
    """Whether a sensor's try counts its timeout from the first poke of an earlier one.

    As in Airflow: rescheduled sensors do, back to the first try since they were made or cleared.
    """
    later = ti.try_number + task.retries > ti.max_tries + 1
    return later and task.sensor is not None and task.sensor.mode == "reschedule"


def first_copy(ti: TaskInstance) -> TaskInstance:
    """The unexpanded instance lives on as the first of its copies."""
    first = copy.copy(ti)
    first.map_index = 0
    return first
