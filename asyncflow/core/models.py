"""Rows as the scheduler sees them: dag runs, task instances, pools. Mutable, changed only by `core` itself.

The store writes them and reads them back; the UI and CLI get copies.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from asyncflow.core.states import BackfillState, Reprocess, RunState, RunType, TaskState
from asyncflow.core.timetable import DataInterval


class TaskKey(NamedTuple):
    """Names one task instance. map_index is -1 for a task that is not mapped (or not yet expanded)."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


class DagRun(msgspec.Struct, kw_only=True):
    """One execution of a DAG."""

    dag_id: str
    run_id: str
    run_type: RunType = RunType.MANUAL
    state: RunState = RunState.QUEUED
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    run_after: datetime  #: earliest real time at which it may start
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    conf: dict[str, Any] = {}
    external_trigger: bool = False
    #: content hash of the DAG version it was made with
    version: str = ""
    #: who or what made it: "scheduler", "cli:<user>", "ui:<user>", "dag:<dag_id>/<task_id>", "dataset"
    triggered_by: str = "scheduler"
    note: str | None = None
    #: how often it was cleared as a whole or in part
    clear_number: int = 0
    #: "dags backfill" settings that travel with the run (priority, ignore flags)
    backfill_id: int | None = None


class TaskInstance(msgspec.Struct, kw_only=True):
    """One task in one dag run (one copy of it, when mapped)."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    state: TaskState = TaskState.NONE
    #: 0 before the first attempt, +1 each time it is scheduled to run; a reschedule or deferral adds none
    try_number: int = 0
    #: an attempt that fails with try_number <= max_tries is retried
    max_tries: int = 0
    #: random name of the current (or last) try, or of the trigger; a message with another one is refused
    token: str | None = None
    scheduled_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    #: when an up_for_retry or up_for_reschedule instance is due again
    not_before: datetime | None = None
    #: start of the first poke of a rescheduled sensor in this try: its timeout counts from here
    first_poke_at: datetime | None = None
    poke_count: int = 0
    #: what a sensor waits for that handed its waiting over: a `core.conditions.Condition` in JSON types
    condition: dict[str, Any] | None = None
    #: process identity of the running try
    pid: int | None = None
    pid_started: int | None = None  #: clock ticks since boot, field 22 of /proc/pid/stat
    host_pid: int | None = None
    host_pid_started: int | None = None
    #: length of the pushed value when downstream tasks map over it
    map_length: int | None = None
    #: task ids that its last try decided to skip (branch, short circuit): they stay skipped when cleared alone
    skips: tuple[str, ...] = ()
    #: set by `map_index_template`
    rendered_map_index: str | None = None
    #: method and kwargs with which a deferred task resumes
    next_method: str | None = None
    next_kwargs: dict[str, Any] | None = None
    #: of a deferred instance: `classpath`, `kwargs` and `local` of its trigger, whose name is `token`
    trigger: dict[str, Any] | None = None
    #: when a deferred instance goes on with a failure
    trigger_timeout: datetime | None = None
    #: priority for the slot queue, taken from the spec when scheduled
    priority_weight: int = 1
    pool: str = "default_pool"
    pool_slots: int = 1
    operator: str = ""
    note: str | None = None

    @property
    def key(self) -> TaskKey:
        return TaskKey(self.dag_id, self.run_id, self.task_id, self.map_index)


class BackfillDate(msgspec.Struct, frozen=True, array_like=True):
    """One run that a backfill is about."""

    logical_date: datetime
    start: datetime  #: of its data interval
    end: datetime


class BackfillOptions(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How a backfill goes about it; Airflow's words."""

    start: datetime
    end: datetime  #: inclusive
    conf: dict[str, Any] = {}
    run_backwards: bool = False
    rerun_failed_tasks: bool = False
    reset: bool = False  #: runs in the range are cleared first
    continue_on_failures: bool = False
    #: a failed try is not repeated; one whose retry delay is zero is, as in Airflow
    disable_retry: bool = False
    mark_success: bool = False  #: nothing runs, everything counts as done
    ignore_dependencies: bool = False  #: tasks start whatever their upstream and past
    tasks: tuple[str, ...] | None = None  #: only these
    pool: str | None = None  #: instead of the tasks' own
    max_active_runs: int | None = None  #: None: that of the DAG
    #: which runs that are there already run again, whole, Airflow 3's word; the others are left alone.
    #: None: Airflow 2's way, all are taken over, and what succeeded in them stays
    reprocess: Reprocess | None = None


class Backfill(msgspec.Struct, kw_only=True):
    """One backfill."""

    backfill_id: int
    dag_id: str
    state: BackfillState = BackfillState.RUNNING
    options: BackfillOptions
    dates: tuple[BackfillDate, ...] = ()  #: in the order of their turns
    position: int = 0  #: how many have had theirs
    created_at: datetime
    ended_at: datetime | None = None
    triggered_by: str = "cli"
    reason: str = ""
    paused: bool = False  #: further dates wait until it is resumed


class Pool(msgspec.Struct, kw_only=True, frozen=True):
    """A named capacity. slots = -1 means without limit."""

    name: str
    slots: int
    description: str = ""
    include_deferred: bool = False


class DatasetConsumer(msgspec.Struct, kw_only=True, frozen=True):
    """A DAG that is scheduled by datasets, and how far it has come."""

    dag_id: str
    expression: Any
    paused: bool = False  #: or its file is gone
    since: datetime  #: the events up to this moment are behind it
    queued: dict[str, datetime] = {}  #: by dataset, when it was first updated since then
    before: DataInterval | None = None  #: span of the events since then, up to the last one in `queued`
    after: DataInterval | None = None  #: span of those later than that


class DatasetState(msgspec.Struct, kw_only=True, frozen=True):
    """What the store knows of datasets, for a scheduler that starts."""

    consumers: tuple[DatasetConsumer, ...] = ()
    aliases: dict[str, tuple[str, ...]] = {}  #: the datasets that were updated under each alias
    last_id: int = 0
    last_at: datetime | None = None
