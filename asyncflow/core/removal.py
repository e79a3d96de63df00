"""Deleting a run: what must be over before, and everything in memory that knows of it."""

from __future__ import annotations

from asyncflow.core.clearing import Doing
from asyncflow.core.commands import DeleteRun
from asyncflow.core.live import LiveRun
from asyncflow.core.states import RunState, TaskState
from asyncflow.errors import Conflict

_AT_WORK = frozenset({TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING, TaskState.DEFERRED})


def remove_run(doing: Doing, live: LiveRun) -> None:
    """Delete a run with all that is stored of it. Raises Conflict for one that is at work.

    Airflow 3's rule: a queued one may be deleted, a running one must be ended first. The schedule does not make it
    again: it goes on from where it has come to.
    """
    run = live.run
    names = {"run": repr(run.run_id), "dag": repr(run.dag_id)}
    if run.state is RunState.RUNNING:
        raise Conflict("Run {run} of DAG {dag} is running, so it cannot be deleted; mark it failed first.", **names)
    if live.orders is not None and not live.is_finished:
        raise Conflict("Run {run} of DAG {dag} belongs to a backfill that is under way; cancel that first.", **names)
    if any(ti.state in _AT_WORK for ti in live.instances()):
        raise Conflict("Run {run} of DAG {dag} has task instances that are at work; mark them failed first.", **names)
    if doing.dry_run:
        return
    machine = doing.machine
    for ti in live.instances():
        if ti.state is TaskState.SCHEDULED:
            machine.slots.withdraw(ti.key)
        if ti.state is TaskState.UP_FOR_RESCHEDULE:
            machine.watching.forget(ti.key)
    machine.forget_run(live)
    live.dag.ended.pop(run.run_id, None)
    if run.logical_date is not None:
        live.dag.taken.discard(run.logical_date)
    machine.ledger.write(DeleteRun(dag_id=run.dag_id, run_id=run.run_id))
    machine.ledger.journal_run(run, "run.deleted", doing.now, run.state.value, doing.actor, {})
