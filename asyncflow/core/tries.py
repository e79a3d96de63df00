"""What the executor reports of a try, turned into moves of its instance."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from asyncflow.core import callbacks, deferral, launching
from asyncflow.core.commands import (
    EndTry,
    Journal,
    SaveRendered,
    SaveTry,
    SaveXComs,
    TryEndedFact,
    TryStartedFact,
)
from asyncflow.core.datasets import Source
from asyncflow.core.failfast import stop_the_rest
from asyncflow.core.live import LiveRun
from asyncflow.core.machine import TIMEOUT_GRACE, Machine
from asyncflow.core.messages import TryResult
from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.retry import may_retry, retry_delay
from asyncflow.core.states import Event, TaskState
from asyncflow.core.timers import InstanceDue, TryTimeout
from asyncflow.core.timetable import DataInterval

#: an instance that is lost before its start so often in a row is treated as failed
MAX_LOST = 3
RETURN_VALUE = "return_value"


def started(machine: Machine, fact: TryStartedFact) -> None:
    """The process of a try is up."""
    known = machine.tokens.get(fact.token)
    found = machine.find(known[0]) if known else None
    if found is None:
        _refuse(machine, fact.token, fact.at, "started")
        machine.ledger.act(EndTry(key=_NOBODY, token=fact.token, reason="nobody waits for this try"))
        return
    live, ti = found
    if ti.token != fact.token or ti.state not in (TaskState.QUEUED, TaskState.RUNNING):
        return  # it has been told to end; its end will be reported
    ti.pid, ti.pid_started = fact.pid, fact.pid_started
    ti.host_pid, ti.host_pid_started = fact.host_pid, fact.host_pid_started
    if ti.state is TaskState.RUNNING:  # a host that came back tells again
        machine.ledger.touch_task(ti, ti.state)
        return
    ti.started_at = ti.started_at or fact.at
    machine.lost.pop(ti.key, None)
    machine.move(live, ti, Event.START, fact.at)
    watch(machine, live, ti)
    machine.ledger.write(_record(ti, fact.token, ti.try_number))


def watch(machine: Machine, live: LiveRun, ti: TaskInstance) -> None:
    """Set the timer that ends a try which does not end itself at its execution_timeout."""
    task = live.dag.graph.tasks.get(ti.task_id)
    if task is not None and task.execution_timeout is not None and ti.started_at is not None and ti.token is not None:
        machine.timers.set(ti.started_at + task.execution_timeout + TIMEOUT_GRACE, TryTimeout(ti.key, ti.token))


_NOBODY = TaskKey("", "", "")


def ended(machine: Machine, fact: TryEndedFact) -> None:
    """The process of a try has ended, or will never be."""
    known = machine.forget_token(fact.token)
    found = machine.find(known[0]) if known else None
    if known is None or found is None:
        _refuse(machine, fact.token, fact.at, "ended")
        return
    live, ti = found
    if ti.token != fact.token or ti.state not in (TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING):
        machine.ledger.write(_record(ti, fact.token, known[1], fact))
        return
    ti.pid = ti.pid_started = None
    if ti.state is TaskState.RESTARTING:
        _restart(machine, live, ti, fact)
    elif fact.result is not None:
        _apply(machine, live, ti, fact, fact.result)
    elif fact.lost and ti.state is TaskState.QUEUED and machine.lost.get(ti.key, 0) < MAX_LOST:
        _requeue(machine, live, ti, fact)
    else:
        _died(machine, live, ti, fact)


def unattended(machine: Machine, live: LiveRun, ti: TaskInstance, result: TryResult) -> None:
    """A try that had no process is over: what the server watched for a sensor has happened, or not in time."""
    assert ti.token is not None
    result = msgspec.structs.replace(result, called_back=False)
    _apply(machine, live, ti, TryEndedFact(token=ti.token, at=result.ended_at, result=result), result)


def _refuse(machine: Machine, token: str, at: datetime, what: str) -> None:
    details = {"token": token, "said": what}
    machine.ledger.write(Journal(at=at, event="message.refused", details=details))


def _record(ti: TaskInstance, token: str, try_number: int, fact: TryEndedFact | None = None) -> SaveTry:
    """The row of a try; with `fact`, of one that has ended."""
    current = try_number == ti.try_number
    result = fact.result if fact else None
    return SaveTry(
        key=ti.key,
        try_number=try_number,
        token=token,
        state=ti.state,
        queued_at=ti.queued_at if current else None,
        started_at=(result.started_at if result else None) or (ti.started_at if current else None),
        ended_at=fact.at if fact else None,
        pid=ti.pid if current else None,
        exit_code=fact.exit_code if fact else None,
        signal=fact.signal if fact else None,
        reason=fact.reason if fact else "",
        error=(result.error or "") if result else "",
        cpu_seconds=fact.cpu_seconds if fact else None,
        peak_rss_kb=fact.peak_rss_kb if fact else None,
    )


def _restart(machine: Machine, live: LiveRun, ti: TaskInstance, fact: TryEndedFact) -> None:
    """The try of an instance that was cleared while it ran is gone: now it can run again."""
    task = live.dag.graph.tasks.get(ti.task_id)
    machine.ledger.write(_record(ti, fact.token, ti.try_number, fact))
    if task is None:
        machine.move(live, ti, Event.REMOVE, fact.at)
        return
    ti.max_tries = ti.try_number + task.retries
    machine.move(live, ti, Event.RESTARTED, fact.at)
    live.mark(ti.task_id, ti.map_index)


def _requeue(machine: Machine, live: LiveRun, ti: TaskInstance, fact: TryEndedFact) -> None:
    """It is unknown whether the try ever began: recorded as one, but not counted against the retries."""
    machine.lost[ti.key] = machine.lost.get(ti.key, 0) + 1
    machine.ledger.write(_record(ti, fact.token, ti.try_number, fact))
    if ti.task_id not in live.dag.graph.tasks:
        machine.move(live, ti, Event.REMOVE, fact.at)
        return
    ti.try_number += 1
    ti.max_tries += 1
    machine.move(live, ti, Event.LOSE, fact.at, reason=fact.reason)
    launching.enqueue(machine, live, ti)


def _apply(machine: Machine, live: LiveRun, ti: TaskInstance, fact: TryEndedFact, result: TryResult) -> None:
    """The try has told what it came to."""
    ti.started_at = ti.started_at or result.started_at
    ti.ended_at = result.ended_at
    _keep(machine, live, ti, result)
    if result.outcome == "failed":
        _failed(machine, live, ti, fact, retryable=result.retryable)
    elif result.outcome == "reschedule":
        ti.first_poke_at = ti.first_poke_at or result.started_at
        ti.poke_count += 1
        ti.condition = result.condition
        ti.not_before = fact.at if result.condition else result.reschedule_at or fact.at
        machine.timers.set(ti.not_before, InstanceDue(ti.key, ti.not_before))
        machine.move(live, ti, Event.RESCHEDULE, fact.at)
    elif result.outcome == "deferred":
        deferral.defer(machine, live, ti, result.trigger or {}, fact.at)
    else:
        event = Event.SUCCEED if result.outcome == "success" else Event.SKIP
        machine.move(live, ti, event, fact.at)
        _update_datasets(machine, live, ti, result, fact.at)
    if not result.called_back:
        callbacks.try_over(machine, live, ti, result.error or "")
    machine.ledger.write(_record(ti, fact.token, ti.try_number, fact))
    if result.skip_tasks and result.outcome == "success":
        _skip_others(machine, live, ti, result, fact.at)


def _keep(machine: Machine, live: LiveRun, ti: TaskInstance, result: TryResult) -> None:
    """What a try leaves behind: XComs, rendered fields, lengths to map over."""
    if result.xcoms:
        machine.ledger.write(SaveXComs(key=ti.key, values=result.xcoms))
    if result.rendered_fields is not None:
        machine.ledger.write(SaveRendered(key=ti.key, fields=result.rendered_fields))
    if result.rendered_map_index is not None:
        ti.rendered_map_index = result.rendered_map_index
    ti.map_length = result.map_length
    if ti.map_length is None and ti.map_index >= 0 and RETURN_VALUE in result.xcoms:
        ti.map_length = 0  # a copy that returned something counts as one, whatever its length


def _update_datasets(machine: Machine, live: LiveRun, ti: TaskInstance, result: TryResult, now: datetime) -> None:
    """The events of the datasets that a task which has succeeded says it updated."""
    run = live.run
    interval = None
    if run.data_interval_start is not None and run.data_interval_end is not None:
        interval = DataInterval(run.data_interval_start, run.data_interval_end)
    for event in result.dataset_events:
        machine.datasets.updated(
            event["uri"],
            name=event.get("name", ""),
            extra=event.get("extra"),
            aliases=event.get("aliases", ()),
            source=Source(ti.key, interval),
            actor=f"task:{ti.task_id}",
            now=now,
        )


def _skip_others(machine: Machine, live: LiveRun, ti: TaskInstance, result: TryResult, now: datetime) -> None:
    """A branch, short circuit or latest-only sets its targets skipped whatever their state (gotcha 17).

    `skip_map_index` None: all instances of the targets; else those with that index. A copy of a mapped task reaches
    only tasks directly below it; the rest follows from their trigger rules.
    """
    live.set_skips(ti, result.skip_tasks)
    machine.ledger.touch_task(ti, ti.state)
    direct = live.dag.graph.downstream.get(ti.task_id, ())
    for task_id in result.skip_tasks:
        if ti.map_index >= 0 and task_id not in direct:
            continue
        for index, other in list(live.tis.get(task_id, {}).items()):
            wanted = result.skip_map_index if ti.map_index < 0 else ti.map_index
            if wanted is None or index == wanted:
                machine.kill(other, f"skipped by {ti.task_id}")
                machine.move(live, other, Event.SET_SKIPPED, now, actor=f"task:{ti.task_id}")
        live.mark(task_id)


def _died(machine: Machine, live: LiveRun, ti: TaskInstance, fact: TryEndedFact) -> None:
    """The process ended without a word: a failure, whose callbacks someone else has to run."""
    ti.ended_at = fact.at
    _failed(machine, live, ti, fact, retryable=True)
    machine.ledger.write(_record(ti, fact.token, ti.try_number, fact))
    callbacks.try_over(machine, live, ti, fact.reason)


def _failed(machine: Machine, live: LiveRun, ti: TaskInstance, fact: TryEndedFact, *, retryable: bool) -> None:
    """A failed try: another one after the delay, or the end of the instance."""
    task = live.dag.graph.tasks.get(ti.task_id)
    reason = fact.reason or (fact.result.error if fact.result and fact.result.error else "")
    may = task is not None and may_retry(task, ti, retryable=retryable)
    delay = retry_delay(task, ti, live.run.logical_date, machine.max_retry_delay) if task and may else timedelta(0)
    if may and not (delay and live.orders is not None and live.orders.options.disable_retry):
        ti.not_before = (ti.ended_at or fact.at) + delay
        machine.timers.set(ti.not_before, InstanceDue(ti.key, ti.not_before))
        machine.move(live, ti, Event.RETRY, fact.at, reason=reason)
        return
    machine.move(live, ti, Event.FAIL, fact.at, reason=reason)
    if live.dag.spec.fail_fast:
        stop_the_rest(machine, live, ti, fact.at)
