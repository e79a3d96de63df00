"""SLAs and deadlines: timers that fire while a run is late. Pure.

An SLA is measured from the end of a scheduled run's data interval, as Airflow's: the moment at which the run is
expected to start. What has neither succeeded nor been skipped by then has missed it. Runs by hand, by backfill and by
datasets have no SLAs. A deadline of a DAG is measured from the reference it names, and concerns the run as a whole.
Each is recorded once, and told once: `machine.told` keeps what has been.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from asyncflow.core.commands import CallBack, Journal, SaveSlaMiss
from asyncflow.core.live import LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.specs import DeadlineSpec, TaskSpec
from asyncflow.core.states import FINISHED, RunType, TaskState
from asyncflow.core.timers import Late

_DONE = frozenset({TaskState.SUCCESS, TaskState.SKIPPED})


def watch(machine: Machine, live: LiveRun) -> None:
    """Set the timers of an active run."""
    moments = {due for _, due in _slas(live)} | {due for _, due in _deadlines(live)}
    for due in sorted(moments):
        machine.timers.set(due, Late(live.key, due))


def _slas(live: LiveRun) -> Iterator[tuple[TaskSpec, datetime]]:
    """The tasks with an SLA, and when they should be done."""
    run = live.run
    expected = run.data_interval_end or run.logical_date
    if run.run_type is not RunType.SCHEDULED or expected is None:
        return
    for task in live.dag.graph.tasks.values():
        if task.sla is not None:
            yield task, expected + task.sla


def _deadlines(live: LiveRun) -> Iterator[tuple[int, datetime]]:
    """The numbers of the DAG's deadlines, and when they are."""
    for number, deadline in enumerate(live.dag.spec.deadlines):
        reference = _reference(deadline, live.run)
        if reference is not None:
            yield number, reference + deadline.interval


def _reference(deadline: DeadlineSpec, run: DagRun) -> datetime | None:
    if deadline.reference == "fixed":
        return deadline.at
    return run.queued_at if deadline.reference == "queued_at" else run.logical_date


def matters(machine: Machine, timer: Late) -> bool:
    """Whether the run is still under way, and nobody has been told."""
    live = machine.find_run(timer.key)
    return live is not None and not live.is_finished and (timer.key, timer.at) not in machine.told


def fire(machine: Machine, timer: Late, now: datetime) -> None:
    """A moment has come at which something of a run should be done."""
    live = machine.find_run(timer.key)
    assert live is not None
    machine.told.add((timer.key, timer.at))
    late = {task.task_id for task, due in _slas(live) if due == timer.at and _is_open(live, task.task_id)}
    for task_id in sorted(late):
        _record(machine, live, timer.at, now, task_id)
    if late:
        _tell_slas(machine, live, sorted(late), timer.at, now)
    for number, due in _deadlines(live):
        if due == timer.at:
            _record(machine, live, timer.at, now, "")
            _call(machine, live, "deadline", f"deadline {number + 1} of the run was missed", {"number": number})


def _is_open(live: LiveRun, task_id: str) -> bool:
    return any(ti.state not in _DONE for ti in live.tis.get(task_id, {}).values())


def _record(machine: Machine, live: LiveRun, due: datetime, now: datetime, task_id: str) -> None:
    run = live.run
    machine.ledger.write(
        SaveSlaMiss(dag_id=run.dag_id, run_id=run.run_id, task_id=task_id, deadline=due, missed_at=now)
    )
    event = "task.sla_miss" if task_id else "run.deadline_miss"
    details = {"deadline": due.isoformat()}
    machine.ledger.write(
        Journal(at=now, event=event, dag_id=run.dag_id, run_id=run.run_id, task_id=task_id, details=details)
    )


def _tell_slas(machine: Machine, live: LiveRun, late: list[str], due: datetime, now: datetime) -> None:
    tasks = live.dag.graph.tasks
    if not live.dag.spec.sla_miss_callback and not any(tasks[task_id].email for task_id in late):
        return
    blocking = [_instance(ti) for ti in live.instances() if ti.state not in FINISHED]
    details = {"tasks": late, "at": now.isoformat(), "deadline": due.isoformat(), "blocking": blocking}
    _call(machine, live, "sla_miss", f"SLA missed: {', '.join(late)}", details)


def _instance(ti: TaskInstance) -> dict[str, Any]:
    return {
        "task_id": ti.task_id,
        "map_index": ti.map_index,
        "state": None if ti.state is TaskState.NONE else ti.state.value,
        "try_number": ti.try_number,
    }


def _call(machine: Machine, live: LiveRun, kind: str, reason: str, details: dict[str, Any]) -> None:
    run = live.run
    machine.ledger.act(CallBack(kind=kind, dag_id=run.dag_id, run_id=run.run_id, reason=reason, details=details))
