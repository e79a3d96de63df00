"""What timers mean when they come due, and whether they still mean anything."""

from __future__ import annotations

from datetime import datetime

from asyncflow.core import deferral, lateness
from asyncflow.core.live import LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.states import FINISHED, OCCUPYING, SCHEDULABLE, Event, RunState, TaskState
from asyncflow.core.timers import InstanceDue, Late, RunDue, RunTimeout, Timer, TriggerTimeout, TryTimeout


def fire(
    machine: Machine, timer: RunDue | RunTimeout | Late | InstanceDue | TryTimeout | TriggerTimeout, now: datetime
) -> None:
    """A timer about an instance or a run has come due."""
    if not matters(machine, timer):
        return
    if isinstance(timer, RunDue):
        machine.want_start(machine.dags[timer.key[0]])
    elif isinstance(timer, RunTimeout):
        live = machine.find_run(timer.key)
        assert live is not None
        _time_out(machine, live, now)
    elif isinstance(timer, Late):
        lateness.fire(machine, timer, now)
    else:
        found = machine.find(timer.key)
        assert found is not None
        live, ti = found
        if isinstance(timer, TryTimeout):
            machine.kill(ti, "execution_timeout is over and the task has not ended itself")
        elif isinstance(timer, TriggerTimeout):
            deferral.time_out(machine, live, ti, now)
        else:
            live.mark(ti.task_id, ti.map_index)
            machine.look_again(live)


def matters(machine: Machine, timer: Timer) -> bool:
    """Whether what a timer was set for is still the case."""
    if isinstance(timer, RunDue):
        live = machine.find_run(timer.key)
        return live is not None and live.run.state is RunState.QUEUED and live.dag.is_open
    if isinstance(timer, RunTimeout):
        live = machine.find_run(timer.key)
        return live is not None and live.run.state is RunState.RUNNING and live.run.started_at == timer.started_at
    if isinstance(timer, Late):
        return lateness.matters(machine, timer)
    if isinstance(timer, InstanceDue):
        found = machine.find(timer.key)
        return found is not None and found[1].not_before == timer.at and found[1].state in SCHEDULABLE
    if isinstance(timer, TryTimeout):
        found = machine.find(timer.key)
        return found is not None and found[1].token == timer.token and found[1].state in OCCUPYING
    if isinstance(timer, TriggerTimeout):
        found = machine.find(timer.key)
        return found is not None and found[1].token == timer.token and found[1].state is TaskState.DEFERRED
    return machine.calendar.still_planned(machine.dags.get(timer.dag_id), timer)


def _time_out(machine: Machine, live: LiveRun, now: datetime) -> None:
    """dagrun_timeout: what has not finished is skipped, what runs is ended, the run has failed."""
    for ti in list(live.instances()):
        if ti.state not in FINISHED:
            machine.kill(ti, "the run has reached its dagrun_timeout")
            machine.move(live, ti, Event.SET_SKIPPED, now, reason="dagrun_timeout")
    machine.end_run(live, RunState.FAILED, "timed_out", now)
