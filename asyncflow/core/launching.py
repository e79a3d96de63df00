"""From the slot queue to a process: instances whose dependencies are met wait here, and the best get the free slots."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from asyncflow.core.commands import ClearXComs, LaunchTry, SaveTry
from asyncflow.core.live import LiveRun
from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.slots import Bucket, Free, bucket_of
from asyncflow.core.states import Event, TaskState

if TYPE_CHECKING:
    from asyncflow.core.machine import Machine


def enqueue(machine: Machine, live: LiveRun, ti: TaskInstance) -> None:
    """Put an instance in state SCHEDULED into the slot queue."""
    bucket = bucket_of(ti, live.dag.graph.tasks[ti.task_id])
    date = (live.run.logical_date or live.run.run_after).timestamp()
    if live.orders is not None:
        if live.is_beyond_end(ti.task_id):
            return  # as in Airflow it stays scheduled, and its backfill ends as deadlocked
        bucket = bucket._replace(is_backfill=True)
        date = -date if live.orders.options.run_backwards else date
    machine.slots.enqueue(ti, bucket, date, live.seq)


def launch(machine: Machine, now: datetime) -> None:
    """Give free slots to the best of the scheduled instances."""
    free = Free(machine.parallelism - machine.processes, machine.async_concurrency - len(machine.on_loop))
    for key in machine.slots.take(free, partial(_is_open, machine), lambda d: machine.dags[d].spec.max_active_tasks):
        found = machine.find(key)
        assert found is not None, "an instance that leaves is withdrawn from the queue"
        _launch(machine, key, *found, now)


def _is_open(machine: Machine, bucket: Bucket) -> bool:
    dag = machine.dags[bucket.dag_id]
    return dag.is_open or (dag.active and bucket.is_backfill)


def _launch(machine: Machine, key: TaskKey, live: LiveRun, ti: TaskInstance, now: datetime) -> None:
    ti.token = machine.new_token()
    ti.queued_at = now
    if ti.next_method is None:  # one that was deferred goes on with its try
        ti.started_at = None
    ti.pid = ti.pid_started = ti.host_pid = ti.host_pid_started = None
    machine.remember_token(live, ti)
    machine.move(live, ti, Event.LAUNCH, now)
    live.set_skips(ti, ())
    if ti.next_method is None and (ti.try_number > 1 or ti.poke_count):
        machine.ledger.write(ClearXComs(key=key))
    machine.ledger.write(
        SaveTry(
            key=key,
            try_number=ti.try_number,
            token=ti.token,
            state=TaskState.QUEUED,
            queued_at=now,
            version=live.dag.version,
        )
    )
    machine.ledger.act(LaunchTry(key=key, token=ti.token, on_loop=ti.token in machine.on_loop))
