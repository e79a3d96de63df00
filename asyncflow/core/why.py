"""One sentence why an instance is not running, for the page, the CLI and the API. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from asyncflow.core.live import LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.past import blocked_by_past
from asyncflow.core.planner import upstream_tally
from asyncflow.core.slots import bucket_of
from asyncflow.core.states import FINISHED, SCHEDULABLE, RunState, TaskState
from asyncflow.core.trigger_rules import Verdict, evaluate

_PLAIN = {
    TaskState.QUEUED: "It has its slots; its process is being started.",
    TaskState.RUNNING: "It is running.",
    TaskState.RESTARTING: "It was cleared while running; it starts again once its process has ended.",
}
_NEXT = "It is next in line for a slot."


def why(machine: Machine, key: TaskKey, now: datetime) -> str:
    """The sentence; empty for an instance that is not in memory or has finished in a run that is over."""
    found = machine.find(key)
    if found is None:
        return ""
    live, ti = found
    if ti.state in FINISHED:
        return f"It has finished: {ti.state.value}."
    if ti.state in _PLAIN:
        return _PLAIN[ti.state]
    if ti.state is TaskState.DEFERRED:
        return _of_trigger(ti)
    return _of_dag(live) or _of_run(live, now) or _of_instance(machine, live, ti, now)


def _of_trigger(ti: TaskInstance) -> str:
    assert ti.trigger is not None
    until = f", at most until {_time(ti.trigger_timeout)}" if ti.trigger_timeout is not None else ""
    return f"It is deferred and waits for its trigger {ti.trigger['classpath']}{until}."


def _of_dag(live: LiveRun) -> str | None:
    if not live.dag.active:
        return f"No file defines the DAG {live.run.dag_id!r} any more."
    if not live.is_open:
        return f"The DAG {live.run.dag_id!r} is paused."
    return None


def _of_run(live: LiveRun, now: datetime) -> str | None:
    run = live.run
    if run.state is RunState.RUNNING:
        return None
    if live.is_finished:
        return f"The run is over ({run.state.value})."
    if run.run_after > now:
        return f"The run starts at {_time(run.run_after)}."
    limit = live.dag.spec.max_active_runs
    others = [other.run.run_id for other in live.dag.runs.values() if other.run.state is RunState.RUNNING]
    return f"The run waits: max_active_runs={limit} of the DAG is reached by {_some(others)}."


def _of_instance(machine: Machine, live: LiveRun, ti: TaskInstance, now: datetime) -> str:
    if ti.state is TaskState.SCHEDULED and live.is_beyond_end(ti.task_id):
        return "Its run lies after the end date: it is never started."
    if ti.state is TaskState.SCHEDULED:
        return _of_slots(machine, live, ti)
    assert ti.state in SCHEDULABLE
    if (watched := machine.watching.why(live, ti)) is not None:
        return watched
    if ti.not_before is not None and ti.not_before > now and ti.state is not TaskState.NONE:
        if ti.state is TaskState.UP_FOR_RETRY:
            return f"Try {ti.try_number} has failed; the next one starts at {_time(ti.not_before)}."
        return f"The sensor pokes again at {_time(ti.not_before)}."
    return _of_upstream(live, ti) or _of_past(live, ti) or "It is about to be scheduled."


def _of_past(live: LiveRun, ti: TaskInstance) -> str | None:
    reason = blocked_by_past(live, ti)
    return f"It waits for the past: {reason}." if reason else None


def _of_slots(machine: Machine, live: LiveRun, ti: TaskInstance) -> str:
    bucket = bucket_of(ti, live.dag.graph.tasks[ti.task_id])
    blocker = machine.slots.blocker(bucket, live.dag.spec.max_active_tasks)
    if blocker is None:
        if bucket.on_loop:
            full = len(machine.on_loop) >= machine.async_concurrency
            return f"All {machine.async_concurrency} places for async tasks are taken." if full else _NEXT
        if machine.processes >= machine.parallelism:
            return f"All {machine.parallelism} executor slots are taken."
        return _NEXT
    if blocker.startswith(f"pool {ti.pool!r} is full"):
        return f"It waits for a slot: {blocker} by {_some(machine.slots.holders(ti.pool))}."
    return f"It waits for a slot: {blocker}."


def _of_upstream(live: LiveRun, ti: TaskInstance) -> str | None:
    graph = live.dag.graph
    task = graph.tasks.get(ti.task_id)
    if task is None:
        return "Its task is no longer in the DAG."
    setups = [_named(other) for other in _open_instances(live, graph.indirect_setups.get(ti.task_id, ()))]
    if setups:
        return f"It waits for its setup tasks {_some(setups)}."
    if not graph.upstream[ti.task_id]:
        return None
    tally = upstream_tally(live, ti)
    if evaluate(task.trigger_rule, tally, ti.map_index) is not Verdict.WAIT:
        return None
    waiting = [f"{_named(other)} ({other.state.value})" for other in _open_instances(live, graph.upstream[ti.task_id])]
    if waiting:
        return f"Its trigger rule {task.trigger_rule.value} waits for upstream {_some(waiting)}."
    return f"Its trigger rule {task.trigger_rule.value} can never be met: upstream is {tally!r}."


def _open_instances(live: LiveRun, task_ids: Iterable[str]) -> list[TaskInstance]:
    return [ti for task_id in task_ids for ti in live.tis[task_id].values() if ti.state not in FINISHED]


def _named(ti: TaskInstance) -> str:
    return ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"


def _some(names: Iterable[str]) -> str:
    """The first three of some names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
