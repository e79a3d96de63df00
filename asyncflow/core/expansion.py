"""Mapped tasks in a run: copies take the place of the unexpanded instance, as many as there are things to map over."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from asyncflow.core import mapping
from asyncflow.core.instances import first_copy, new_instance
from asyncflow.core.live import LiveRun
from asyncflow.core.models import TaskInstance
from asyncflow.core.states import Event, TaskState

if TYPE_CHECKING:
    from asyncflow.core.machine import Machine


def expand(machine: Machine, live: LiveRun, ti: TaskInstance, now: datetime) -> None:
    """The dependencies of an unexpanded instance are met: copies take its place."""
    length = mapping.map_length(live, ti.task_id)
    by_index = live.tis[ti.task_id]
    if length is None:
        machine.move(live, ti, Event.RULE_FAIL, now, reason="the value to map over was never returned")
    elif length == 0:
        machine.move(live, ti, Event.RULE_SKIP, now, reason="there is nothing to map over")
    else:
        live.drop(ti)
        machine.ledger.delete_task(ti)
        if 0 not in by_index:
            machine.ledger.new_task(ti := first_copy(ti))
            live.add(ti)
        fit(machine, live, ti.task_id, length, now)
        live.mark(ti.task_id)
        live.mark_dependents(ti.task_id, -1)
        machine.look_again(live)


def fit(machine: Machine, live: LiveRun, task_id: str, length: int | None, now: datetime) -> None:
    """Exactly the instances 0 .. length-1: missing ones are made, those beyond the end are removed."""
    if length is None:
        return
    by_index = live.tis[task_id]
    for index in sorted(by_index):
        if index >= length and by_index[index].state is not TaskState.REMOVED:
            machine.kill(by_index[index], "the list it is mapped over has become shorter")
            machine.move(live, by_index[index], Event.REMOVE, now)
    for index in range(length):
        if index not in by_index:
            machine.add_instance(live, new_instance(live, task_id, index))
