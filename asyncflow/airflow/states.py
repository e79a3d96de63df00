"""Enumerations of `airflow.utils.state`, `trigger_rule`, `types` and `weight_rule`: ours under their names."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from asyncflow.core import states as core
from asyncflow.core.states import RunState as DagRunState
from asyncflow.core.states import RunType as DagRunType
from asyncflow.core.states import TaskState as TaskInstanceState

__all__ = [
    "DagRunState",
    "DagRunType",
    "IntermediateTIState",
    "State",
    "TaskInstanceState",
    "TerminalTIState",
    "TriggerRule",
    "WeightRule",
]

#: Airflow splits the states in two enumerations; ours has them all
TerminalTIState = TaskInstanceState
IntermediateTIState = TaskInstanceState


class State:
    """States by name, as Airflow 1.10 and 2.x spell them; NONE is None there."""

    NONE = None
    SUCCESS = TaskInstanceState.SUCCESS
    RUNNING = TaskInstanceState.RUNNING
    FAILED = TaskInstanceState.FAILED
    REMOVED = TaskInstanceState.REMOVED
    SCHEDULED = TaskInstanceState.SCHEDULED
    QUEUED = TaskInstanceState.QUEUED
    RESTARTING = TaskInstanceState.RESTARTING
    UP_FOR_RETRY = TaskInstanceState.UP_FOR_RETRY
    UP_FOR_RESCHEDULE = TaskInstanceState.UP_FOR_RESCHEDULE
    UPSTREAM_FAILED = TaskInstanceState.UPSTREAM_FAILED
    SKIPPED = TaskInstanceState.SKIPPED
    DEFERRED = TaskInstanceState.DEFERRED

    finished_dr_states: ClassVar[frozenset[DagRunState]] = frozenset({DagRunState.SUCCESS, DagRunState.FAILED})
    unfinished_dr_states: ClassVar[frozenset[DagRunState]] = frozenset({DagRunState.QUEUED, DagRunState.RUNNING})
    task_states: ClassVar[tuple[TaskInstanceState | None, ...]] = (
        None,
        *(state for state in TaskInstanceState if state is not TaskInstanceState.NONE),
    )
    dag_states: ClassVar[tuple[DagRunState, ...]] = tuple(DagRunState)
    finished: ClassVar[frozenset[TaskInstanceState]] = core.FINISHED
    unfinished: ClassVar[frozenset[TaskInstanceState | None]] = frozenset(set(task_states) - core.FINISHED)
    failed_states: ClassVar[frozenset[TaskInstanceState]] = frozenset(
        {TaskInstanceState.FAILED, TaskInstanceState.UPSTREAM_FAILED}
    )
    success_states: ClassVar[frozenset[TaskInstanceState]] = frozenset(
        {TaskInstanceState.SUCCESS, TaskInstanceState.SKIPPED}
    )


class TriggerRule(StrEnum):
    """Trigger rules, with the spellings of older Airflows; the operators translate those."""

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
    NONE_FAILED_OR_SKIPPED = "none_failed_or_skipped"
    NONE_SKIPPED = "none_skipped"
    ALWAYS = "always"
    DUMMY = "dummy"

    @classmethod
    def is_valid(cls, trigger_rule: str) -> bool:
        return trigger_rule in cls.all_triggers()

    @classmethod
    def all_triggers(cls) -> set[str]:
        return set(cls)


class WeightRule(StrEnum):
    """How the weights of relatives count."""

    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"
    ABSOLUTE = "absolute"

    @classmethod
    def is_valid(cls, weight_rule: str) -> bool:
        return weight_rule in cls.all_weight_rules()

    @classmethod
    def all_weight_rules(cls) -> set[str]:
        return set(cls)
