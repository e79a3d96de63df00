"""How many instances wait for what, and for how long: the whole of `why`, counted. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import NamedTuple

from asyncflow.core.live import LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.slots import Bucket, bucket_of
from asyncflow.core.states import RunState, TaskState

#: how many instances are looked at: the count must not hold up the loop, whatever waits
MOST = 50_000

_PLAIN = {
    TaskState.QUEUED: "starting",
    TaskState.RUNNING: "running",
    TaskState.RESTARTING: "running",
    TaskState.DEFERRED: "trigger",
    TaskState.UP_FOR_RETRY: "retry",
    TaskState.UP_FOR_RESCHEDULE: "sensor",
}
#: goes on although its DAG is paused
_AT_WORK = frozenset({TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING, TaskState.DEFERRED})
_LIMITS = (("max_active_tasks=", "dag_limit"), ("max_active_tis_per", "task_limit"))


class Group(NamedTuple):
    """Instances that wait for the same thing."""

    kind: str  #: running, starting, trigger, retry, sensor, upstream, paused, run, pool, dag_limit, task_limit, slots,
    #: async_slots, next
    name: str  #: of the pool or DAG whose limit it is, else ""
    number: int
    since: datetime | None  #: of the one that is in its state for longest, where that is known
    example: TaskKey  #: that one


class Census(NamedTuple):
    """All instances of the runs that are under way."""

    groups: list[Group]  #: the largest first
    cut: bool  #: there are more than were looked at
    busy: int  #: executor slots that are taken
    slots: int  #: of how many


def census(machine: Machine) -> Census:
    """Count."""
    counted = _Counted(machine)
    looked_at = 0
    for live in _open_runs(machine):
        counted.add(live)
        looked_at += live.unfinished
        if looked_at > MOST:
            break
    groups = [Group(kind, name, *rest) for (kind, name), rest in counted.found.items()]
    groups.sort(key=lambda group: -group.number)
    return Census(groups, looked_at > MOST, machine.processes, machine.parallelism)


def _open_runs(machine: Machine) -> list[LiveRun]:
    return [live for dag in machine.dags.values() for live in dag.runs.values() if not live.is_finished]


class _Counted:
    """What was counted so far. What is not looked at yet is counted by run: most of all there is may be that."""

    def __init__(self, machine: Machine) -> None:
        self.found: dict[tuple[str, str], tuple[int, datetime | None, TaskKey]] = {}
        self._machine = machine
        self._limits: dict[Hashable, tuple[str, str]] = {}

    def add(self, live: LiveRun) -> None:
        """Count the instances of a run."""
        held = _held(live)
        if live.waiting:
            self._note(held or ("upstream", ""), live.waiting, None, live)
        if live.unfinished == live.waiting:
            return
        for ti in live.instances():
            if ti.state in _PLAIN:
                kind = (_PLAIN[ti.state], "") if held is None or ti.state in _AT_WORK else held
            elif ti.state is TaskState.SCHEDULED:
                kind = held or self._limit(live, ti)
            else:
                continue
            self._note(kind, 1, ti, live)

    def _note(self, kind: tuple[str, str], number: int, ti: TaskInstance | None, live: LiveRun) -> None:
        mine = _since(ti) if ti is not None else None
        before = self.found.get(kind)
        if before is None:
            self.found[kind] = (number, mine, (ti or _waiting(live)).key)
        elif mine is not None and ti is not None and (before[1] is None or mine < before[1]):
            self.found[kind] = (before[0] + number, mine, ti.key)
        else:
            self.found[kind] = (before[0] + number, before[1], before[2])

    def _limit(self, live: LiveRun, ti: TaskInstance) -> tuple[str, str]:
        """What keeps a scheduled instance waiting."""
        task = live.dag.graph.tasks[ti.task_id]
        run_id = ti.run_id if task.max_active_tis_per_dagrun is not None else ""
        same = (ti.dag_id, ti.task_id, run_id, ti.pool, ti.pool_slots, ti.next_method is None)
        if same not in self._limits:
            self._limits[same] = _blocker(self._machine, bucket_of(ti, task), live.dag.spec.max_active_tasks)
        return self._limits[same]


def _held(live: LiveRun) -> tuple[str, str] | None:
    """What keeps all of a run from starting."""
    if not live.is_open:
        return "paused", ""
    return ("run", live.run.dag_id) if live.run.state is not RunState.RUNNING else None


def _waiting(live: LiveRun) -> TaskInstance:
    return next(ti for ti in live.instances() if ti.state is TaskState.NONE)


def _since(ti: TaskInstance) -> datetime | None:
    """Since when it is in its state."""
    match ti.state:
        case TaskState.SCHEDULED:
            return ti.scheduled_at
        case TaskState.QUEUED:
            return ti.queued_at
        case TaskState.UP_FOR_RETRY | TaskState.UP_FOR_RESCHEDULE:
            return None
        case _:
            return ti.started_at


def _blocker(machine: Machine, bucket: Bucket, max_active_tasks: int) -> tuple[str, str]:
    """What keeps a bucket waiting."""
    words = machine.slots.blocker(bucket, max_active_tasks)
    if words is not None:
        kind = next((kind for start, kind in _LIMITS if words.startswith(start)), "pool")
        return kind, bucket.pool if kind == "pool" else bucket.dag_id
    if bucket.on_loop:
        return ("async_slots", "") if len(machine.on_loop) >= machine.async_concurrency else ("next", "")
    return ("slots", "") if machine.processes >= machine.parallelism else ("next", "")
