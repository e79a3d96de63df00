"""How many instances wait for what, and for how long: the whole of `why`, counted. Pure."""

from __future__ import annotations

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
    blockers: dict[tuple[Bucket, int], tuple[str, str]] = {}
    found: dict[tuple[str, str], tuple[int, datetime | None, TaskKey]] = {}
    looked_at = 0
    for live in _open_runs(machine):
        for ti in live.instances():
            kind = _kind(machine, live, ti, blockers)
            if kind is None:
                continue
            count, since, example = found.get(kind, (0, None, ti.key))
            mine = _since(ti)
            if mine is not None and (since is None or mine < since):
                since, example = mine, ti.key
            found[kind] = (count + 1, since, example)
        looked_at += live.unfinished
        if looked_at > MOST:
            break
    groups = [Group(kind, name, *rest) for (kind, name), rest in found.items()]
    groups.sort(key=lambda group: -group.number)
    return Census(groups, looked_at > MOST, machine.processes, machine.parallelism)


def _open_runs(machine: Machine) -> list[LiveRun]:
    return [live for dag in machine.dags.values() for live in dag.runs.values() if not live.is_finished]


def _since(ti: TaskInstance) -> datetime | None:
    """Since when it is in its state."""
    match ti.state:
        case TaskState.SCHEDULED:
            return ti.scheduled_at
        case TaskState.QUEUED:
            return ti.queued_at
        case TaskState.NONE | TaskState.UP_FOR_RETRY | TaskState.UP_FOR_RESCHEDULE:
            return None
        case _:
            return ti.started_at


def _kind(
    machine: Machine, live: LiveRun, ti: TaskInstance, blockers: dict[tuple[Bucket, int], tuple[str, str]]
) -> tuple[str, str] | None:
    if ti.state in (TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING, TaskState.DEFERRED):
        return _PLAIN[ti.state], ""
    if ti.state not in (TaskState.NONE, TaskState.SCHEDULED, TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE):
        return None
    if not live.is_open:
        return "paused", ""
    if live.run.state is not RunState.RUNNING:
        return "run", live.run.dag_id
    if ti.state is TaskState.NONE:
        return "upstream", ""
    if ti.state is not TaskState.SCHEDULED:
        return _PLAIN[ti.state], ""
    bucket = bucket_of(ti, live.dag.graph.tasks[ti.task_id])
    limit = live.dag.spec.max_active_tasks
    if (bucket, limit) not in blockers:
        blockers[bucket, limit] = _blocker(machine, bucket, limit)
    return blockers[bucket, limit]


def _blocker(machine: Machine, bucket: Bucket, max_active_tasks: int) -> tuple[str, str]:
    """What keeps a bucket waiting."""
    words = machine.slots.blocker(bucket, max_active_tasks)
    if words is not None:
        kind = next((kind for start, kind in _LIMITS if words.startswith(start)), "pool")
        return kind, bucket.pool if kind == "pool" else bucket.dag_id
    if bucket.on_loop:
        return ("async_slots", "") if len(machine.on_loop) >= machine.async_concurrency else ("next", "")
    return ("slots", "") if machine.processes >= machine.parallelism else ("next", "")
