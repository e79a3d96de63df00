"""Deferred instances: what they wait for without a process, and how they go on. As Airflow 2.11.

A trigger has a token of its own, under which it is started (again, after a restart of the server) and heard. Whatever
moves an instance out of `deferred` stops its trigger (`Machine.move`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from asyncflow.core import callbacks
from asyncflow.core.commands import Journal, SaveXComs, TriggerEndedFact
from asyncflow.core.failfast import stop_the_rest
from asyncflow.core.live import LiveRun
from asyncflow.core.models import TaskInstance
from asyncflow.core.states import Event, TaskState

if TYPE_CHECKING:
    from asyncflow.core.machine import Machine

#: the `next_method` of an instance that goes on only to fail, and why
FAIL = "__fail__"
TIMEOUT = "Trigger timeout"
FAILURE = "Trigger failure"

_ENDS = {"success": Event.SUCCEED, "failed": Event.FAIL, "skipped": Event.SKIP}


def defer(machine: Machine, live: LiveRun, ti: TaskInstance, wish: Mapping[str, Any], now: datetime) -> None:
    """An instance waits for its trigger. `wish` is as `TryResult.trigger`."""
    ti.first_poke_at = ti.first_poke_at or ti.started_at
    ti.next_method = wish["method"]
    ti.next_kwargs = dict(wish.get("method_kwargs") or {})
    ti.trigger = {name: wish[name] for name in ("classpath", "kwargs", "local") if name in wish}
    ti.trigger_timeout = _deadline(live, ti, wish.get("timeout"), now)
    ti.token = machine.new_token()
    machine.move(live, ti, Event.DEFER, now, trigger=wish["classpath"])
    machine.start_trigger(ti)


def _deadline(live: LiveRun, ti: TaskInstance, seconds: float | None, now: datetime) -> datetime | None:
    """The trigger's own timeout from now, or the task's from its start: what comes first."""
    limits = [] if seconds is None else [now + timedelta(seconds=seconds)]
    task = live.dag.graph.tasks.get(ti.task_id)
    if task is not None and task.execution_timeout is not None and ti.first_poke_at is not None:
        limits.append(ti.first_poke_at + task.execution_timeout)
    return min(limits, default=None)


def ended(machine: Machine, fact: TriggerEndedFact) -> None:
    """A trigger has fired or failed: its instance goes on, or ends where the event says so."""
    key = machine.triggers.get(fact.token)
    found = machine.find(key) if key else None
    if found is None:
        details = {"token": fact.token, "said": "trigger ended"}
        machine.ledger.write(Journal(at=fact.at, event="message.refused", details=details))
        return
    live, ti = found
    if fact.end is not None:
        _end(machine, live, ti, fact, fact.end)
    else:
        _go_on(machine, live, ti, fact)


def time_out(machine: Machine, live: LiveRun, ti: TaskInstance, now: datetime) -> None:
    """The trigger has not fired in time: the instance goes on with a failure."""
    _go_on(machine, live, ti, TriggerEndedFact(token=ti.token or "", at=now, timed_out=True))


def resumption(method: str, kwargs: Mapping[str, Any], fact: TriggerEndedFact) -> tuple[str, dict[str, Any]]:
    """The method that a task goes on with, and its arguments."""
    if fact.timed_out:
        return FAIL, {"error": TIMEOUT}
    if fact.error is not None:
        return FAIL, {"error": FAILURE, "traceback": fact.error}
    return method, {**kwargs, "event": fact.event}


def _go_on(machine: Machine, live: LiveRun, ti: TaskInstance, fact: TriggerEndedFact) -> None:
    ti.next_method, ti.next_kwargs = resumption(ti.next_method or "", ti.next_kwargs or {}, fact)
    if ti.task_id in live.dag.graph.tasks:
        machine.schedule(live, ti, fact.at)
    else:
        machine.move(live, ti, Event.REMOVE, fact.at)


def _end(machine: Machine, live: LiveRun, ti: TaskInstance, fact: TriggerEndedFact, end: str) -> None:
    """The event is the end: no process, no retry; callbacks run in a process of their own."""
    ti.ended_at = fact.at
    if fact.xcoms:
        machine.ledger.write(SaveXComs(key=ti.key, values=fact.xcoms))
    machine.move(live, ti, _ENDS[end], fact.at)
    task = live.dag.graph.tasks.get(ti.task_id)
    word = {TaskState.SUCCESS: "success", TaskState.FAILED: "failure"}.get(ti.state, "skipped")
    if task is not None and word in task.callbacks:
        callbacks.call(machine, ti, word, "the trigger has ended the task")
    if ti.state is TaskState.FAILED and live.dag.spec.fail_fast:
        stop_the_rest(machine, live, ti, fact.at)
