"""What goes into the scheduler (facts, past tense) and what comes out of it (commands, imperative).

Pure data. The engine turns messages, timers and people's actions into facts, hands them to `core.world.World`, commits
the writes among the commands in one transaction, and only then carries out the rest.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from asyncflow.core.messages import TryResult
from asyncflow.core.models import Backfill, DagRun, TaskInstance, TaskKey
from asyncflow.core.states import BackfillState, RunState, TaskState


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    pass


# ---- facts ----------------------------------------------------------------------------------------------------------


class TryStartedFact(_Data, frozen=True, kw_only=True):
    token: str
    at: datetime
    pid: int
    pid_started: int
    host_pid: int | None = None
    host_pid_started: int | None = None


class TryEndedFact(_Data, frozen=True, kw_only=True):
    """A try ended. `result` is None when its process died without a word (`reason` says how)."""

    token: str
    at: datetime
    result: TryResult | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    cpu_seconds: float = 0.0
    peak_rss_kb: int = 0
    #: lost: the server does not know what became of it (restart, host killed)
    lost: bool = False


class TriggerEndedFact(_Data, frozen=True, kw_only=True):
    """A trigger has fired, or will never: one of `timed_out`, `error`, `end` and `event` is meant, in this order."""

    token: str
    at: datetime
    #: its payload, in JSON types (tagged as XCom values are)
    event: Any = None
    error: str | None = None  #: what it broke with; the instance goes on with a failure
    #: the event ends the task without another process
    end: Literal["success", "failed", "skipped"] | None = None
    timed_out: bool = False  #: it has not fired in time
    xcoms: dict[str, str] = {}  #: with `end`: key -> encoded JSON


# ---- commands: writes (committed together, in order) ------------------------------------------------------------


class SaveRun(_Data, frozen=True, kw_only=True):
    """Insert or update one dag run. `expected` is the state the row must have (None = it must not exist yet)."""

    run: DagRun
    expected: RunState | None = None


class SaveTask(_Data, frozen=True, kw_only=True):
    """Insert or update one task instance. `expected` as in SaveRun."""

    ti: TaskInstance
    expected: TaskState | None = None


class DeleteRun(_Data, frozen=True, kw_only=True):
    """A run that a person deletes, with everything that is stored of it but the journal's lines."""

    dag_id: str
    run_id: str


class DeleteTask(_Data, frozen=True, kw_only=True):
    """A task instance that is no more (an unexpanded one replaced by its copies)."""

    key: TaskKey


class SaveTry(_Data, frozen=True, kw_only=True):
    """Insert or update the record of one try (`task_try`): one row per (task instance, try_number)."""

    key: TaskKey
    try_number: int
    token: str
    state: TaskState
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    pid: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    error: str = ""
    cpu_seconds: float | None = None
    peak_rss_kb: int | None = None
    version: str = ""


class SaveXComs(_Data, frozen=True, kw_only=True):
    """XComs that came with a result: key -> encoded JSON."""

    key: TaskKey
    values: dict[str, str]


class ClearXComs(_Data, frozen=True, kw_only=True):
    """A new try begins (or an instance is cleared): what earlier tries left is deleted."""

    key: TaskKey


class SaveRendered(_Data, frozen=True, kw_only=True):
    key: TaskKey
    fields: dict[str, Any]


class Journal(_Data, frozen=True, kw_only=True):
    """One line of the journal: what happened, to what, by whom."""

    at: datetime
    event: str  #: "task.queued", "task.running", "run.success", "run.created", "task.cleared", "dag.paused", ...
    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1
    try_number: int = 0
    before: str = ""
    after: str = ""
    actor: str = "scheduler"
    details: dict[str, Any] = {}


class SaveDagState(_Data, frozen=True, kw_only=True):
    """Scheduling state of a DAG: paused flag and the next run planned."""

    dag_id: str
    paused: bool
    next_logical_date: datetime | None = None
    next_interval_start: datetime | None = None
    next_interval_end: datetime | None = None
    next_run_after: datetime | None = None


class SaveBackfill(_Data, frozen=True, kw_only=True):
    """A new backfill."""

    backfill: Backfill


class SaveBackfillProgress(_Data, frozen=True, kw_only=True):
    """How far a backfill has come."""

    backfill_id: int
    state: BackfillState
    position: int
    ended_at: datetime | None = None
    reason: str = ""
    paused: bool = False


class SaveSlaMiss(_Data, frozen=True, kw_only=True):
    """A task, or with an empty task_id its run, was not done at `deadline`."""

    dag_id: str
    run_id: str
    task_id: str = ""
    deadline: datetime
    missed_at: datetime


class SaveCallBack(_Data, frozen=True, kw_only=True):
    """A callback that is due: kept in the outbox until it is reported done. Written by the engine, not by `World`."""

    callback_id: str
    payload: dict[str, Any]


class SaveDatasetEvent(_Data, frozen=True, kw_only=True):
    """A dataset was updated. The span is the data interval of the run that did it, or the moment itself."""

    event_id: int
    uri: str
    name: str = ""
    at: datetime  #: later than that of every event before
    extra: dict[str, Any] = {}
    aliases: tuple[str, ...] = ()  #: under which aliases the task updated it
    source_dag_id: str = ""  #: "" = from outside
    source_run_id: str = ""
    source_task_id: str = ""
    source_map_index: int = -1
    span_start: datetime
    span_end: datetime


class SaveDatasetQueue(_Data, frozen=True, kw_only=True):
    """The first update of a dataset since the last run of a DAG that waits for it."""

    dag_id: str
    uri: str
    at: datetime


class SaveDatasetConsumer(_Data, frozen=True, kw_only=True):
    """A DAG is scheduled by datasets, and gets the events after `since` (None: it is no longer).

    Its queue loses what is not in `queued`.
    """

    dag_id: str
    since: datetime | None
    queued: tuple[str, ...] = ()


class TakeDatasetEvents(_Data, frozen=True, kw_only=True):
    """A run was made for the events of `uris` with `after` < moment <= `upto`: its DAG's queue begins anew."""

    dag_id: str
    run_id: str
    uris: tuple[str, ...]
    after: datetime
    upto: datetime


Write = (
    SaveRun
    | SaveTask
    | DeleteRun
    | DeleteTask
    | SaveTry
    | SaveXComs
    | ClearXComs
    | SaveRendered
    | Journal
    | SaveDagState
    | SaveCallBack
    | SaveSlaMiss
    | SaveBackfill
    | SaveBackfillProgress
    | SaveDatasetEvent
    | SaveDatasetQueue
    | SaveDatasetConsumer
    | TakeDatasetEvents
)

# ---- commands: acts (after the commit) ------------------------------------------------------------------------------


class LaunchTry(_Data, frozen=True, kw_only=True):
    """Start the process of a try; the instance is `queued` and holds its slots."""

    key: TaskKey
    token: str
    on_loop: bool = False  #: on the event loop of its file instead of in a process


class EndTry(_Data, frozen=True, kw_only=True):
    """Kill a running try (execution timeout passed on the server side, cleared, marked, run failed)."""

    key: TaskKey
    token: str
    reason: str


class StartTrigger(_Data, frozen=True, kw_only=True):
    """Have the trigger of a deferred instance wait."""

    key: TaskKey
    token: str


class StopTrigger(_Data, frozen=True, kw_only=True):
    """Nobody waits for this trigger any more; it may have ended already."""

    token: str


class LookUpRun(_Data, frozen=True, kw_only=True):
    """A sensor waits for a run that is not in memory: fetch it from the store, then call `World.run_looked_up`."""

    dag_id: str
    logical_date: datetime


class LookForFile(_Data, frozen=True, kw_only=True):
    """A sensor waits for a file: look, then call `World.file_looked_for`."""

    key: TaskKey
    token: str
    pattern: str
    recursive: bool


class LogLines(_Data, frozen=True, kw_only=True):
    """Append to the log of a try that has no process to write it."""

    key: TaskKey
    try_number: int
    at: datetime
    lines: tuple[str, ...]


class CallBack(_Data, frozen=True, kw_only=True):
    """Run DAG-level callbacks, or task-level ones whose own process can no longer do it."""

    kind: str  #: as RunCallback.kind
    dag_id: str
    run_id: str
    task_id: str | None = None
    map_index: int = -1
    reason: str = ""
    #: sla_miss: late tasks and what is open; deadline: which one
    details: dict[str, Any] = {}


class NeedTimetable(_Data, frozen=True, kw_only=True):
    """A DAG with a custom timetable needs its next run: the engine asks the host, then calls `World.set_next_run`."""

    dag_id: str


class RunEnded(_Data, frozen=True, kw_only=True):
    """A run reached its end; the engine may forget it once nothing refers to it."""

    dag_id: str
    run_id: str
    state: RunState


Act = (
    LaunchTry
    | EndTry
    | StartTrigger
    | StopTrigger
    | CallBack
    | NeedTimetable
    | RunEnded
    | LookUpRun
    | LookForFile
    | LogLines
)


class Effects(msgspec.Struct):
    """What one turn came to: `writes` go into one transaction, `acts` follow it."""

    writes: list[Write] = []
    acts: list[Act] = []

    def __bool__(self) -> bool:
        return bool(self.writes or self.acts)
