"""What an instance waits for, by name: what the sentence of `why` says, for links beside it. Pure."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import NamedTuple

from asyncflow.core.live import LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.slots import bucket_of
from asyncflow.core.states import FINISHED, SCHEDULABLE, RunState, TaskState

#: of each kind
MOST = 10


class Blockers(NamedTuple):
    """Whose end an instance waits for, MOST of them at most."""

    tasks: tuple[TaskKey, ...] = ()
    runs: tuple[tuple[str, str], ...] = ()  #: (dag_id, run_id)
    pool: str = ""  #: it waits for slots of this pool


def blockers(machine: Machine, key: TaskKey, now: datetime) -> Blockers:
    """What an instance in memory waits for; nothing for one that is not there, or does not wait for others."""
    found = machine.find(key)
    if found is None or not found[0].is_open:
        return Blockers()
    live, ti = found
    if live.run.state is RunState.QUEUED and live.run.run_after <= now:
        running = (run.run for run in live.dag.runs.values() if run.run.state is RunState.RUNNING)
        return Blockers(runs=tuple((run.dag_id, run.run_id) for run in islice(running, MOST)))
    if live.run.state is not RunState.RUNNING:
        return Blockers()
    if ti.state is TaskState.SCHEDULED and ti.task_id in live.dag.graph.tasks:
        return _of_slots(machine, live, ti)
    if ti.state in SCHEDULABLE and (ti.not_before is None or ti.not_before <= now):
        return _of_upstream(live, ti)
    return Blockers()


def _of_slots(machine: Machine, live: LiveRun, ti: TaskInstance) -> Blockers:
    slots = machine.slots
    bucket = bucket_of(ti, live.dag.graph.tasks[ti.task_id])
    blocker = slots.blocker(bucket, live.dag.spec.max_active_tasks)
    if blocker is not None and blocker.startswith("pool "):
        return Blockers(tasks=tuple(slots.holding(ti.pool)[:MOST]), pool=ti.pool)
    if blocker is None and (bucket.on_loop or machine.processes < machine.parallelism):
        return Blockers()
    holding = (key for pool in slots.pools for key in slots.holding(pool))
    beside = (key for key in holding if blocker is None or key.dag_id == ti.dag_id)
    return Blockers(tasks=tuple(islice(beside, MOST)))


def _of_upstream(live: LiveRun, ti: TaskInstance) -> Blockers:
    graph = live.dag.graph
    before = [*graph.indirect_setups.get(ti.task_id, ()), *graph.upstream.get(ti.task_id, ())]
    waiting = (
        other.key
        for task_id in dict.fromkeys(before)
        for other in live.tis[task_id].values()
        if other.state not in FINISHED
    )
    return Blockers(tasks=tuple(islice(waiting, MOST)))
