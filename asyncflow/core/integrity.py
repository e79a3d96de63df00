"""Which task instances a run should have: at its creation, and when its DAG changes under it.

Airflow's verify_integrity.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from asyncflow.core import lateness, launching
from asyncflow.core.instances import new_instance
from asyncflow.core.live import LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.mapping import map_length, parse_time_length
from asyncflow.core.models import TaskInstance
from asyncflow.core.specs import TaskSpec
from asyncflow.core.states import OCCUPYING, Event, RunType, TaskState

#: beyond any map index
MAX_INDEX = 2**31


def first_instances(live: LiveRun) -> list[TaskInstance]:
    """The instances a new run starts with; those whose number is known are expanded already."""
    made = []
    for task_id, task in live.dag.graph.tasks.items():
        if _belongs(live, task):
            made += [new_instance(live, task_id, index) for index in _indexes(live, task_id)]
    return made


def make_run(machine: Machine, live: LiveRun, now: datetime, details: dict[str, Any] | None = None) -> None:
    """Take a new run into memory, with its first instances."""
    run = live.run
    live.index(())
    machine.ledger.new_run(run)
    for ti in first_instances(live):
        machine.add_instance(live, ti)
    machine.add_run(live.dag, live)
    machine.ledger.journal_run(run, "run.created", now, "", run.triggered_by, details or {})
    machine.want_start(live.dag)
    machine.calendar.note_run(live.dag, run)
    lateness.watch(machine, live)


def _belongs(live: LiveRun, task: TaskSpec) -> bool:
    """The task's own start and end date include the run; a backfill does not ask."""
    chosen = live.orders.options.tasks if live.orders is not None else None
    if chosen is not None and task.task_id not in chosen:
        return False
    date = live.run.logical_date
    if date is None or live.run.run_type is RunType.BACKFILL:
        return True
    return (task.start_date is None or task.start_date <= date) and (task.end_date is None or date <= task.end_date)


def _indexes(live: LiveRun, task_id: str) -> range:
    """An empty list keeps one unexpanded instance, which is skipped when its turn comes (gotcha 18)."""
    if task_id not in live.dag.graph.expands:
        return range(-1, 0)
    return range(length) if (length := parse_time_length(live, task_id)) else range(-1, 0)


def bring_into_line(machine: Machine, live: LiveRun, now: datetime) -> None:
    """An active run after its DAG has got a new version.

    Instances of tasks that are gone become `removed` (one that runs may end first), those of tasks that are back
    start again, missing ones are made, and mapped ones follow the length where it is known.
    """
    live.index(list(live.instances()))
    live.dirty = {}
    graph = live.dag.graph
    for ti in list(live.instances()):
        if ti.task_id not in graph.tasks:
            if ti.state is not TaskState.REMOVED and ti.state not in OCCUPYING:
                machine.move(live, ti, Event.REMOVE, now)
        elif ti.state is TaskState.SCHEDULED:  # its limits and priority may have changed
            machine.slots.withdraw(ti.key)
            launching.enqueue(machine, live, ti)
    for task_id in graph.tasks:
        _fit(machine, live, task_id, now)
    live.mark_all()
    machine.look_again(live)


def _fit(machine: Machine, live: LiveRun, task_id: str, now: datetime) -> None:
    """Remove the instances of a task that have no place any more, restore those that have one again, make the first."""
    by_index = live.tis[task_id]
    places = _places(live, task_id)
    for index, ti in list(by_index.items()):
        if index not in places and ti.state is not TaskState.REMOVED:
            machine.kill(ti, "the task is no longer mapped over that many values")
            machine.move(live, ti, Event.REMOVE, now)
        elif index in places and ti.state is TaskState.REMOVED:
            machine.move(live, ti, Event.RESTORE, now)
    if _belongs(live, live.dag.graph.tasks[task_id]) and not any(index in places for index in by_index):
        for index in _indexes(live, task_id):
            machine.add_instance(live, new_instance(live, task_id, index))


def _places(live: LiveRun, task_id: str) -> range:
    """The map indexes that instances of a task may have now."""
    at_parse = _indexes(live, task_id)
    if task_id not in live.dag.graph.expands or at_parse.start == 0:
        return at_parse
    length = map_length(live, task_id)
    return range(-1, MAX_INDEX if length is None else length)
