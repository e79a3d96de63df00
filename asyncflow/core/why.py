"""One sentence why an instance is not running, for the page, the CLI and the API. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from asyncflow.core.asking import question_of
from asyncflow.core.live import LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.past import blocked_by_past
from asyncflow.core.planner import upstream_tally
from asyncflow.core.sentence import Sentence
from asyncflow.core.slots import bucket_of
from asyncflow.core.states import FINISHED, SCHEDULABLE, RunState, TaskState
from asyncflow.core.trigger_rules import Verdict, evaluate

_PLAIN = {
    TaskState.QUEUED: Sentence("It has its slots; its process is being started."),
    TaskState.RUNNING: Sentence("It is running."),
    TaskState.RESTARTING: Sentence("It was cleared while running; it starts again once its process has ended."),
}
_NEXT = Sentence("It is next in line for a slot.")


def why(machine: Machine, key: TaskKey, now: datetime) -> str:
    """The sentence; empty for an instance that is not in memory or has finished in a run that is over."""
    found = machine.find(key)
    if found is None:
        return ""
    live, ti = found
    if ti.state in FINISHED:
        return Sentence("It has finished: {state}.", state=ti.state)
    if ti.state in _PLAIN:
        return _PLAIN[ti.state]
    if ti.state is TaskState.DEFERRED:
        return _of_trigger(ti)
    return _of_dag(live) or _of_run(live, now) or _of_instance(machine, live, ti, now)


def _of_trigger(ti: TaskInstance) -> str:
    assert ti.trigger is not None
    question = question_of(ti)
    if question is not None:
        if question.moment is None:
            return Sentence("It waits for the answer of a person.")
        return Sentence("It waits for the answer of a person, at most until {time}.", time=question.moment)
    trigger = ti.trigger["classpath"]
    if ti.trigger_timeout is None:
        return Sentence("It is deferred and waits for its trigger {trigger}.", trigger=trigger)
    until = ti.trigger_timeout
    return Sentence(
        "It is deferred and waits for its trigger {trigger}, at most until {time}.", trigger=trigger, time=until
    )


def _of_dag(live: LiveRun) -> str | None:
    if not live.dag.active:
        return Sentence("No file defines the DAG {dag!r} any more.", dag=live.run.dag_id)
    if not live.is_open:
        return Sentence("The DAG {dag!r} is paused.", dag=live.run.dag_id)
    return None


def _of_run(live: LiveRun, now: datetime) -> str | None:
    run = live.run
    if run.state is RunState.RUNNING:
        return None
    if live.is_finished:
        return Sentence("The run is over ({state}).", state=run.state)
    if run.run_after > now:
        return Sentence("The run starts at {time}.", time=run.run_after)
    limit = live.dag.spec.max_active_runs
    others = [other.run.run_id for other in live.dag.runs.values() if other.run.state is RunState.RUNNING]
    return Sentence("The run waits: max_active_runs={n} of the DAG is reached by {runs}.", n=limit, runs=_some(others))


def _of_instance(machine: Machine, live: LiveRun, ti: TaskInstance, now: datetime) -> str:
    if ti.state is TaskState.SCHEDULED and live.is_beyond_end(ti.task_id):
        return Sentence("Its run lies after the end date: it is never started.")
    if ti.state is TaskState.SCHEDULED:
        return _of_slots(machine, live, ti)
    assert ti.state in SCHEDULABLE
    if (watched := machine.watching.why(live, ti)) is not None:
        return watched
    if ti.not_before is not None and ti.not_before > now and ti.state is not TaskState.NONE:
        if ti.state is TaskState.UP_FOR_RETRY:
            then = ti.not_before
            return Sentence("Try {n} has failed; the next one starts at {time}.", n=ti.try_number, time=then)
        return Sentence("The sensor pokes again at {time}.", time=ti.not_before)
    return _of_upstream(live, ti) or _of_past(live, ti) or Sentence("It is about to be scheduled.")


def _of_past(live: LiveRun, ti: TaskInstance) -> str | None:
    reason = blocked_by_past(live, ti)
    return Sentence("It waits for the past: {reason}.", reason=reason) if reason else None


def _of_slots(machine: Machine, live: LiveRun, ti: TaskInstance) -> str:
    bucket = bucket_of(ti, live.dag.graph.tasks[ti.task_id])
    blocker = machine.slots.blocker(bucket, live.dag.spec.max_active_tasks)
    if blocker is None:
        if bucket.on_loop:
            full = len(machine.on_loop) >= machine.async_concurrency
            taken = Sentence("All {n} places for async tasks are taken.", n=machine.async_concurrency)
            return taken if full else _NEXT
        if machine.processes >= machine.parallelism:
            return Sentence("All {n} executor slots are taken.", n=machine.parallelism)
        return _NEXT
    if blocker.startswith(f"pool {ti.pool!r} is full"):
        holders = _some(machine.slots.holders(ti.pool))
        return Sentence("It waits for a slot: {reason} by {names}.", reason=blocker, names=holders)
    return Sentence("It waits for a slot: {reason}.", reason=blocker)


def _of_upstream(live: LiveRun, ti: TaskInstance) -> str | None:
    graph = live.dag.graph
    task = graph.tasks.get(ti.task_id)
    if task is None:
        return Sentence("Its task is no longer in the DAG.")
    setups = [_named(other) for other in _open_instances(live, graph.indirect_setups.get(ti.task_id, ()))]
    if setups:
        return Sentence("It waits for its setup tasks {names}.", names=_some(setups))
    if not graph.upstream[ti.task_id]:
        return None
    tally = upstream_tally(live, ti)
    if evaluate(task.trigger_rule, tally, ti.map_index) is not Verdict.WAIT:
        return None
    rule = task.trigger_rule.value
    above = _open_instances(live, graph.upstream[ti.task_id])
    waiting = [Sentence("{task} ({state})", task=_named(other), state=other.state) for other in above]
    if waiting:
        return Sentence("Its trigger rule {rule} waits for upstream {names}.", rule=rule, names=_some(waiting))
    return Sentence("Its trigger rule {rule} can never be met: upstream is {tally!r}.", rule=rule, tally=tally)


def _open_instances(live: LiveRun, task_ids: Iterable[str]) -> list[TaskInstance]:
    return [ti for task_id in task_ids for ti in live.tis[task_id].values() if ti.state not in FINISHED]


def _named(ti: TaskInstance) -> str:
    return ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"


def _some(names: Iterable[str]) -> Sentence:
    """The first three of some names, and how many more there are."""
    listed = tuple(names)
    if len(listed) <= 3:
        return Sentence("{names}", names=listed)
    return Sentence("{names} and {n} more", names=listed[:3], n=len(listed) - 3)
