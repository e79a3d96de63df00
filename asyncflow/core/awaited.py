"""What the condition of a sensor is about, seen from its run: when, what else, in which states, in words. Pure.

The lines of logs and messages are those of Airflow's sensors.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from asyncflow.core.conditions import Condition, FilePresent, IntervalOver, MomentPassed, OtherRun, TimeOfDay
from asyncflow.core.live import LiveRun
from asyncflow.core.models import TaskInstance
from asyncflow.core.sentence import Sentence


def date_of(condition: OtherRun, live: LiveRun) -> datetime:
    """The logical date of the run that is waited for."""
    assert live.run.logical_date is not None
    return live.run.logical_date - condition.delta


def moment_of(
    condition: MomentPassed | IntervalOver | TimeOfDay, live: LiveRun, ti: TaskInstance, now: datetime
) -> datetime:
    """When it is met; `now`, if it is already."""
    if isinstance(condition, MomentPassed):
        return condition.at
    if isinstance(condition, IntervalOver):
        run = live.run
        return (run.data_interval_end or run.logical_date or run.run_after) + condition.delta
    # The day is that of the last look at which the clock had not come so far: midnight does not start anew.
    local = (ti.first_poke_at or now).astimezone(ZoneInfo(condition.timezone))
    if local.time() > condition.time:
        return now
    return datetime.combine(local.date(), condition.time, local.tzinfo).astimezone(now.tzinfo)


def states_of(other: LiveRun, condition: OtherRun) -> tuple[list[str], bool]:
    """The states of what is waited for, and whether all of it is there."""
    if condition.task_ids:
        tasks = condition.task_ids
    elif condition.group_id is not None:
        tasks = tuple(_members(other, condition.group_id))
    else:
        return [other.run.state.value], True
    states = [ti.state.value for task_id in tasks for ti in other.tis.get(task_id, {}).values()]
    return states, bool(tasks) and all(other.tis.get(task_id) for task_id in tasks)


def _members(other: LiveRun, group_id: str) -> list[str]:
    """The tasks in a group, its subgroups included; by their names where the DAG is not known."""
    spec = other.dag.spec
    if not spec.tasks:
        return [task_id for task_id in other.tis if task_id.startswith(f"{group_id}.")]
    groups = {group_id}
    for group in spec.groups.values():  # parents come before their children
        if group.parent in groups:
            groups.add(group.group_id)
    return [task.task_id for task in spec.tasks.values() if task.group_id in groups]


def what(condition: OtherRun) -> str:
    """What is waited for, as the log of a poking sensor calls it."""
    if condition.task_ids:
        return f"tasks {list(condition.task_ids)} in dag {condition.dag_id}"
    if condition.group_id is not None:
        return f"task_group '{condition.group_id}' in dag '{condition.dag_id}'"
    return f"DAG '{condition.dag_id}'"


def some_of(condition: OtherRun) -> str:
    """The same, as the message of a sensor that fails begins."""
    if condition.task_ids:
        return f"Some of the external tasks {list(condition.task_ids)} in DAG {condition.dag_id}"
    if condition.group_id is not None:
        return f"The external task_group '{condition.group_id}' in DAG '{condition.dag_id}'"
    return f"The external DAG {condition.dag_id}"


def poking(condition: Condition, live: LiveRun) -> str:
    """The line of the log that a poke would have written."""
    match condition:
        case OtherRun():
            return f"Poking for {what(condition)} on {date_of(condition, live).isoformat()} ... "
        case FilePresent():
            return f"Poking for file {condition.pattern}"
        case IntervalOver():
            run = live.run
            base = run.data_interval_end or run.logical_date or run.run_after
            return f"Checking if the delta has elapsed {base.isoformat()}, delta: {condition.delta}"
        case MomentPassed():
            return f"Checking if the time ({condition.at.isoformat()}) has come"
        case _:
            return f"Checking if the time ({condition.time}) has come"


def sentence(condition: Condition, live: LiveRun) -> str:
    """Why the sensor waits."""
    match condition:
        case OtherRun():
            date = date_of(condition, live).isoformat()
            return Sentence("It waits for {what} in the run of {date}.", what=what(condition), date=date)
        case FilePresent():
            return Sentence("It waits for the file {file}.", file=condition.pattern)
        case IntervalOver():
            run = live.run
            base = run.data_interval_end or run.logical_date or run.run_after
            return Sentence("It waits for {what}.", what=(base + condition.delta).isoformat())
        case MomentPassed():
            return Sentence("It waits for {what}.", what=condition.at.isoformat())
        case _:
            return Sentence("It waits for {time} o'clock ({zone}).", time=condition.time, zone=condition.timezone)
