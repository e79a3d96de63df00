"""States of task instances and dag runs, and the one table of legal moves.

Owns: the words (Airflow's), what is final, which event moves what. Owns no data. Read by everyone.

`TRANSITIONS[state][event]` is the state an event leads to; what is not in the table cannot happen and `move` says so.
Events come from four sides: the scheduler's decision (READY ... REMOVE), the executor (LAUNCH, START), the end of a try
(SUCCEED ... LOSE), and people or other tasks (CLEAR, SET_*), who may move anything.
"""

from __future__ import annotations

from enum import StrEnum


class TaskState(StrEnum):
    """State of a task instance, in Airflow's words. NONE stands for "not looked at yet" (null in Airflow's data)."""

    NONE = "none"  #: leaves when its trigger rule says run, skip or upstream_failed
    SCHEDULED = "scheduled"  #: leaves when a slot is free
    QUEUED = "queued"  #: leaves when its process is up
    RUNNING = "running"  #: leaves when its process ends
    SUCCESS = "success"  #: left only by clear, mark, or a branch that skips it
    RESTARTING = "restarting"  #: cleared while running; leaves when its process has ended
    FAILED = "failed"  #: left only by clear or mark
    UP_FOR_RETRY = "up_for_retry"  #: leaves when the retry delay is over
    UP_FOR_RESCHEDULE = "up_for_reschedule"  #: leaves when the next poke is due
    UPSTREAM_FAILED = "upstream_failed"  #: left only by clear or mark
    SKIPPED = "skipped"  #: left only by clear or mark
    DEFERRED = "deferred"  #: leaves when its trigger fires
    REMOVED = "removed"  #: leaves when the task comes back into the DAG


#: what a deferred task instance is shown as that waits for a person (`core.asking`): Airflow's word since 3.4
AWAITING_INPUT = "awaiting_input"


class RunState(StrEnum):
    """State of a dag run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


class RunType(StrEnum):
    """Why a dag run exists; also the prefix of its run_id."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"
    DATASET_TRIGGERED = "dataset_triggered"


class BackfillState(StrEnum):
    """State of a backfill."""

    RUNNING = "running"
    FAILING = "failing"  #: a task has failed: starts no further runs, ends when the active ones have
    CANCELLING = "cancelling"  #: a person wants it to end: the same
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Reprocess(StrEnum):
    """Which of the runs that are there already a backfill runs again; Airflow 3's words."""

    NONE = "none"
    FAILED = "failed"
    COMPLETED = "completed"  #: those that failed and those that succeeded


class TriggerRule(StrEnum):
    """Which upstream outcomes let a task start. `TriggerRule("dummy")` and other legacy names give today's rule."""

    ALL_SUCCESS = "all_success"
    ALL_FAILED = "all_failed"
    ALL_DONE = "all_done"
    ALL_DONE_SETUP_SUCCESS = "all_done_setup_success"
    ALL_DONE_MIN_ONE_SUCCESS = "all_done_min_one_success"
    ALL_SKIPPED = "all_skipped"
    ONE_SUCCESS = "one_success"
    ONE_FAILED = "one_failed"
    ONE_DONE = "one_done"
    NONE_FAILED = "none_failed"
    NONE_FAILED_MIN_ONE_SUCCESS = "none_failed_min_one_success"
    NONE_SKIPPED = "none_skipped"
    ALWAYS = "always"

    @classmethod
    def _missing_(cls, value: object) -> TriggerRule | None:
        return {"dummy": cls.ALWAYS, "none_failed_or_skipped": cls.NONE_FAILED_MIN_ONE_SUCCESS}.get(str(value))


class Event(StrEnum):
    """What moves a task instance."""

    READY = "ready"  #: its dependencies are met
    PASS = "pass"  #: its dependencies are met and there is nothing to run (empty task)
    RULE_SKIP = "rule_skip"
    RULE_FAIL = "rule_fail"
    REMOVE = "remove"
    RESTORE = "restore"
    LAUNCH = "launch"
    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    SKIP = "skip"
    RETRY = "retry"
    RESCHEDULE = "reschedule"
    DEFER = "defer"
    LOSE = "lose"  #: it is unknown whether its process ever started
    CLEAR = "clear"
    RESTARTED = "restarted"
    SET_SUCCESS = "set_success"
    SET_FAILED = "set_failed"
    SET_SKIPPED = "set_skipped"


FINISHED = frozenset(
    {TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED, TaskState.UPSTREAM_FAILED, TaskState.REMOVED}
)
#: may be scheduled once their dependencies are met and their time has come
SCHEDULABLE = frozenset({TaskState.NONE, TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE})
#: hold pool slots and count against max_active_tasks
OCCUPYING = frozenset({TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING})
FINISHED_RUN = frozenset({RunState.SUCCESS, RunState.FAILED})

_BY_HAND = {
    Event.CLEAR: TaskState.NONE,
    Event.SET_SUCCESS: TaskState.SUCCESS,
    Event.SET_FAILED: TaskState.FAILED,
    Event.SET_SKIPPED: TaskState.SKIPPED,
    Event.REMOVE: TaskState.REMOVED,
}
_DECIDED = {
    Event.READY: TaskState.SCHEDULED,
    Event.PASS: TaskState.SUCCESS,
    Event.RULE_SKIP: TaskState.SKIPPED,
    Event.RULE_FAIL: TaskState.UPSTREAM_FAILED,
    Event.DEFER: TaskState.DEFERRED,
}
_ENDED = {
    Event.SUCCEED: TaskState.SUCCESS,
    Event.FAIL: TaskState.FAILED,
    Event.SKIP: TaskState.SKIPPED,
    Event.RETRY: TaskState.UP_FOR_RETRY,
    Event.RESCHEDULE: TaskState.UP_FOR_RESCHEDULE,
    Event.DEFER: TaskState.DEFERRED,
}

#: tries of a sensor that the server watches by itself begin and end without a process
_WATCHED = {event: state for event, state in _ENDED.items() if event is not Event.DEFER}

TRANSITIONS: dict[TaskState, dict[Event, TaskState]] = {
    TaskState.NONE: _BY_HAND | _DECIDED | _WATCHED,
    TaskState.UP_FOR_RETRY: _BY_HAND | _DECIDED | _WATCHED,
    TaskState.UP_FOR_RESCHEDULE: _BY_HAND | _DECIDED | _WATCHED,
    TaskState.SCHEDULED: _BY_HAND | {Event.LAUNCH: TaskState.QUEUED},
    TaskState.QUEUED: _BY_HAND | _ENDED | {Event.START: TaskState.RUNNING, Event.LOSE: TaskState.SCHEDULED},
    TaskState.RUNNING: _BY_HAND | _ENDED | {Event.CLEAR: TaskState.RESTARTING},
    TaskState.RESTARTING: _BY_HAND | {Event.CLEAR: TaskState.RESTARTING, Event.RESTARTED: TaskState.NONE},
    TaskState.DEFERRED: _BY_HAND
    | {
        Event.READY: TaskState.SCHEDULED,
        Event.SUCCEED: TaskState.SUCCESS,
        Event.FAIL: TaskState.FAILED,
        Event.SKIP: TaskState.SKIPPED,
    },
    TaskState.SUCCESS: _BY_HAND,
    TaskState.FAILED: _BY_HAND,
    TaskState.UPSTREAM_FAILED: _BY_HAND,
    TaskState.SKIPPED: _BY_HAND,
    TaskState.REMOVED: _BY_HAND | {Event.RESTORE: TaskState.NONE},
}


class IllegalTransition(Exception):
    """An event that cannot happen in a state: a bug in the scheduler, never the user's fault."""

    def __init__(self, state: TaskState, event: Event) -> None:
        self.state = state
        self.event = event
        super().__init__(f"a task instance in state {state.value!r} cannot take the event {event.value!r}")


def move(state: TaskState, event: Event) -> TaskState:
    """The state that `event` leads to. Raises IllegalTransition if it cannot happen in `state`."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(state, event) from None
