"""What people change of what there is: notes, and the undoing of a clear or a mark nothing has come of yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from asyncflow.core.live import LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.states import FINISHED, FINISHED_RUN, Event, RunState, TaskState
from asyncflow.core.timers import InstanceDue

#: how an instance gets into the state it was in; one that waited for a slot is scheduled anew
_BACK: dict[TaskState, tuple[Event, ...]] = {
    TaskState.NONE: (Event.CLEAR,),
    TaskState.SCHEDULED: (Event.CLEAR,),
    TaskState.UP_FOR_RETRY: (Event.CLEAR, Event.RETRY),
    TaskState.SUCCESS: (Event.SET_SUCCESS,),
    TaskState.FAILED: (Event.SET_FAILED,),
    TaskState.SKIPPED: (Event.SET_SKIPPED,),
    TaskState.UPSTREAM_FAILED: (Event.CLEAR, Event.RULE_FAIL),
    TaskState.REMOVED: (Event.REMOVE,),
}
#: what a cleared or marked instance is in until it starts again
_UNTOUCHED = FINISHED | {TaskState.NONE, TaskState.SCHEDULED}
#: what is not taken from the copy: what it is of, what the moves set, and what a person may have written since
_KEPT = frozenset({"dag_id", "run_id", "task_id", "map_index", "state", "token", "skips", "note"})
_FIELDS = tuple(name for name in TaskInstance.__struct_fields__ if name not in _KEPT)


class LeftAlone(StrEnum):
    """Why an instance is not what it was."""

    WAS_AT_WORK = "was_at_work"  #: then: its process is gone
    TRIED = "tried"  #: it has been started since
    MADE = "made"  #: it has been made since, and the run goes on with it


class PutBack(NamedTuple):
    """What became of the instances of a run that were not what they had been."""

    done: list[TaskKey]  #: are what they were
    gone: list[TaskKey]  #: had been made since, and are not there any more
    left: dict[TaskKey, LeftAlone]


class _Differences(NamedTuple):
    """Of the instances of a run, those that are not what they were."""

    changed: list[tuple[TaskInstance, TaskInstance]]  #: (now, before) of those that may go back
    made: list[TaskInstance]  #: which were not there
    missing: list[TaskInstance]  #: as they were
    left: dict[TaskKey, LeftAlone]


def put_back(
    machine: Machine, live: LiveRun, run: DagRun, tis: Iterable[TaskInstance], now: datetime, actor: str
) -> PutBack:
    """Make a run and its instances what they were, given as copies from before (all that it had).

    Left alone: what was at work then (its process is gone) and what has been tried since. Where there is such, a run
    that had ended goes on, and then by the DAG's present version: what was made for it stays, too.
    """
    found = _differences(live, {ti.key: ti for ti in tis})
    for ti, before in found.changed:
        _put_back_one(machine, live, ti, before, now, actor)
    done, gone = [before.key for _, before in found.changed], list[TaskKey]()
    if found.left or run.state not in FINISHED_RUN:
        found.left.update((ti.key, LeftAlone.MADE) for ti in found.made)
    else:
        gone = [ti.key for ti in found.made]
        for ti in found.made:
            _take_away(machine, live, ti, now, actor)
        for ti in found.missing:
            machine.add_instance(live, ti)
            done.append(ti.key)
        _end_again(machine, live, run, now, actor)
    if run.state not in FINISHED_RUN and live.is_finished and done:
        machine.set_run_state(live, RunState.QUEUED, now, actor=actor, undo=True)
    return PutBack(done, gone, found.left)


def _differences(live: LiveRun, before: dict[TaskKey, TaskInstance]) -> _Differences:
    found = _Differences([], [], [], {})
    for ti in live.instances():
        old = before.pop(ti.key, None)
        if old is None:
            if ti.token is None and ti.state in _UNTOUCHED:
                found.made.append(ti)
            else:
                found.left[ti.key] = LeftAlone.MADE
        elif _is_another(ti, old):
            reason = _why_not(ti, old)
            if reason is None:
                found.changed.append((ti, old))
            else:
                found.left[ti.key] = reason
    found.missing.extend(before.values())
    return found


def _is_another(ti: TaskInstance, before: TaskInstance) -> bool:
    names = ("state", "ended_at", "try_number", "token")
    return any(getattr(ti, name) != getattr(before, name) for name in names)


def _why_not(ti: TaskInstance, before: TaskInstance) -> LeftAlone | None:
    """Each start, with a process or without, gives an instance a new token; an empty task has none."""
    if ti.token != before.token or ti.state not in _UNTOUCHED:
        return LeftAlone.TRIED
    resumes = before.state is TaskState.SCHEDULED and before.next_method is not None
    return LeftAlone.WAS_AT_WORK if before.state not in _BACK or resumes else None


def _put_back_one(
    machine: Machine, live: LiveRun, ti: TaskInstance, before: TaskInstance, now: datetime, actor: str
) -> None:
    for event in _BACK[before.state]:
        machine.move(live, ti, event, now, actor=actor, undo=True)
    for name in _FIELDS:
        setattr(ti, name, getattr(before, name))
    live.set_skips(ti, before.skips)
    if before.state is TaskState.SCHEDULED:
        ti.try_number -= 1  # being scheduled adds it again
    elif before.state is TaskState.UP_FOR_RETRY and before.not_before is not None:
        machine.timers.set(before.not_before, InstanceDue(ti.key, before.not_before))
    live.mark(ti.task_id, ti.map_index)


def _take_away(machine: Machine, live: LiveRun, ti: TaskInstance, now: datetime, actor: str) -> None:
    machine.move(live, ti, Event.CLEAR, now, actor=actor, undo=True)  # out of the queue for slots
    live.drop(ti)
    machine.ledger.delete_task(ti)


def _end_again(machine: Machine, live: LiveRun, before: DagRun, now: datetime, actor: str) -> None:
    machine.set_run_state(live, before.state, now, actor=actor, undo=True)
    live.run.queued_at, live.run.started_at = before.queued_at, before.started_at
    live.run.ended_at, live.run.clear_number = before.ended_at, before.clear_number


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
