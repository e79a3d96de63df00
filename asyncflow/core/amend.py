"""What people change of what there is: notes, and the undoing of a clear or a mark nothing has come of yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from asyncflow.core.live import LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.states import FINISHED, FINISHED_RUN, Event, RunState, TaskState

_BACK: dict[TaskState, tuple[Event, ...]] = {
    TaskState.NONE: (Event.CLEAR,),
    TaskState.SUCCESS: (Event.SET_SUCCESS,),
    TaskState.FAILED: (Event.SET_FAILED,),
    TaskState.SKIPPED: (Event.SET_SKIPPED,),
    TaskState.UPSTREAM_FAILED: (Event.CLEAR, Event.RULE_FAIL),
    TaskState.REMOVED: (Event.REMOVE,),
}
#: what a cleared or marked instance is in until it starts again
_UNTOUCHED = FINISHED | {TaskState.NONE, TaskState.SCHEDULED}
_FIELDS = ("try_number", "max_tries", "scheduled_at", "queued_at", "started_at", "ended_at", "map_length")


def put_back(
    machine: Machine, runs: Iterable[DagRun], tis: Iterable[TaskInstance], now: datetime, actor: str
) -> list[TaskKey]:
    """Make instances and their runs what they were, given as copies from before; the keys of those that are.

    Left alone: what was at work then (its process is gone), what is at work now, and what has been tried since.
    """
    done = []
    for ti in tis:
        found = machine.find(ti.key)
        if found is not None and _may_go_back(found[1], ti):
            _put_back_one(machine, *found, ti, now, actor)
            done.append(ti.key)
    for run in runs:
        live = machine.find_run((run.dag_id, run.run_id))
        if live is not None:
            _put_back_run(machine, live, run, now, actor)
    return done


def _may_go_back(ti: TaskInstance, before: TaskInstance) -> bool:
    if before.state not in _BACK or ti.state not in _UNTOUCHED:
        return False
    return ti.state is TaskState.SCHEDULED or ti.try_number == before.try_number


def _put_back_one(
    machine: Machine, live: LiveRun, ti: TaskInstance, before: TaskInstance, now: datetime, actor: str
) -> None:
    for event in _BACK[before.state]:
        machine.move(live, ti, event, now, actor=actor, undo=True)
    for name in _FIELDS:
        setattr(ti, name, getattr(before, name))
    live.set_skips(ti, before.skips)


def _put_back_run(machine: Machine, live: LiveRun, before: DagRun, now: datetime, actor: str) -> None:
    if before.state in FINISHED_RUN:
        if all(ti.state in FINISHED for ti in live.instances()):
            machine.set_run_state(live, before.state, now, actor=actor, undo=True)
            live.run.queued_at, live.run.started_at = before.queued_at, before.started_at
            live.run.ended_at, live.run.clear_number = before.ended_at, before.clear_number
    elif live.is_finished:
        machine.set_run_state(live, RunState.QUEUED, now, actor=actor, undo=True)


def set_note(
    machine: Machine, live: LiveRun, ti: TaskInstance | None, note: str | None, now: datetime, actor: str
) -> None:
    """Write a note on a task instance, or (None) on the run."""
    if ti is None:
        live.run.note = note
        machine.ledger.touch_run(live.run, live.run.state)
        machine.ledger.journal_run(live.run, "run.note", now, live.run.state.value, actor, {"note": note})
    else:
        ti.note = note
        machine.ledger.touch_task(ti, ti.state)
        machine.ledger.journal_task(ti, "task.note", now, ti.state.value, actor, {"note": note})
