"""Plays runs of a DAG in this process: the real scheduler core and the real runner, no server, files or database.

    result = play(dag, datetime(2024, 1, 1, tzinfo=UTC), conf={"n": 3})
    assert result.state == "success"
    assert result.tasks == {"extract": "success", "load[0]": "success", "load[1]": "skipped"}

Tasks run one after the other. Retry delays are jumped over; between two pokes of a rescheduled sensor time passes
really, unless `jump_pokes` is set.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import pendulum

from asyncflow.authoring.api import DagInfo, DatasetEventRow
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.serialize import to_spec
from asyncflow.authoring.xcom import decode
from asyncflow.core import timetable as core_timetable
from asyncflow.core.commands import (
    CallBack,
    ClearXComs,
    DeleteTask,
    LaunchTry,
    LogLines,
    LookForFile,
    LookUpRun,
    SaveDatasetEvent,
    SaveTask,
    SaveXComs,
    StartTrigger,
    TryEndedFact,
    TryStartedFact,
    Write,
)
from asyncflow.core.messages import RunCallback, RunContext, TryInfo, TryResult
from asyncflow.core.models import DagRun, Pool, TaskInstance, TaskKey
from asyncflow.core.states import RunType, TaskState
from asyncflow.core.timetable import CustomTimetable, DataInterval, NullTimetable
from asyncflow.core.world import World
from asyncflow.testing import watched
from asyncflow.testing.deferral import fire, run_whole_try
from asyncflow.testing.memory import MemoryApi, label
from asyncflow.worker.callbacks import run_callback
from asyncflow.worker.runner import utc_now

log = logging.getLogger("airflow.task")


#: which of the queued tasks are run before the scheduler looks again: all, or one, the first or the last to be queued
Order = Literal["together", "oldest", "newest"]


@dataclass
class PlayResult:
    """How a run ended. `tasks` and `tries` by "task_id", or "task_id[map_index]" for copies of a mapped task."""

    run_id: str
    state: str
    tasks: dict[str, str]
    tries: dict[str, int]
    #: error texts of the tasks' last failed tries
    errors: dict[str, str]
    #: XComs left, by task name and key
    xcoms: dict[str, dict[str, Any]] = field(repr=False)


class Clock:
    """Real time plus what has been jumped over: never goes back."""

    def __init__(self) -> None:
        self._jumped = dt.timedelta()

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self._jumped

    def jump_to(self, moment: dt.datetime) -> None:
        self._jumped += max(dt.timedelta(), moment - self.now())


class Player:
    """A DAG, its runs, and what they have come to so far."""

    def __init__(
        self,
        dag: DAG,
        *,
        api: MemoryApi | None = None,
        clock: Clock | None = None,
        jump_pokes: bool = False,
        logs: bool = True,
        order: Order = "together",
        keep_ended: dt.timedelta | None = None,
    ) -> None:
        """`keep_ended`: how long finished runs stay in the scheduler's memory; None = for good."""
        self.dag = dag
        self._order = order
        self.api = api or MemoryApi()
        self.errors: dict[TaskKey, str] = {}
        self._clock = clock or Clock()
        self._jump_pokes = jump_pokes
        self._logs = logs
        tokens = itertools.count(1)
        self.world = World(parallelism=1_000, new_token=lambda: f"try-{next(tokens)}", keep_ended=keep_ended)
        # only the runs asked for: without the schedule the scheduler makes none by itself
        self._spec = msgspec.structs.replace(to_spec(dag), timetable=NullTimetable())
        self.world.put_dag(self._spec, "played", paused=False, now=self._clock.now())
        self.world.put_pool(Pool(name="default_pool", slots=-1))
        for pool in {task.pool for task in self._spec.tasks.values()}:
            self.world.put_pool(Pool(name=pool, slots=-1))
        self.api.dags.setdefault(
            dag.dag_id,
            DagInfo(dag_id=dag.dag_id, task_ids=tuple(self._spec.tasks), group_ids=tuple(self._spec.groups)),
        )

    def add_run(
        self,
        logical_date: dt.datetime,
        *,
        run_type: RunType = RunType.MANUAL,
        run_id: str | None = None,
        conf: Mapping[str, Any] | None = None,
        external_trigger: bool | None = None,
    ) -> str:
        """Make a run; its run_id. Without `external_trigger`, runs by hand count as triggered from outside."""
        date = logical_date.astimezone(dt.UTC)
        name = run_id or core_timetable.run_id(run_type, date)
        self.world.create_run(
            self.dag.dag_id,
            run_type=run_type,
            logical_date=date,
            data_interval=data_interval(self.dag, date, run_type),
            run_after=date,
            run_id=name,
            conf=dict(conf or {}),
            triggered_by="test",
            external_trigger=external_trigger,
            now=self._clock.now(),
        )
        self._note_runs()
        return name

    # ---- going on -------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Go on until all runs have ended or nothing changes any more."""
        waiting: list[LaunchTry] = []
        while True:
            self.world.poll(self._clock.now())
            effects = self.world.drain()
            for write in effects.writes:
                self._keep(write)
            self._note_runs()
            for act in effects.acts:
                if isinstance(act, LaunchTry):
                    waiting.append(act)
                elif isinstance(act, StartTrigger):
                    self._fire(act)
                elif isinstance(act, CallBack):
                    self._call_back(act)
                elif isinstance(act, LookUpRun | LookForFile) or (isinstance(act, LogLines) and self._logs):
                    watched.answer(act, self.world, self.api, self._clock.now())
            if waiting:
                self._run_some(waiting)
            elif not effects and not self._wait():
                return

    def _wait(self) -> bool:
        """Let time pass until the next timer; False if there is none."""
        wakeup = self.world.next_wakeup()
        if wakeup is None or all(run.state.value in ("success", "failed") for run in self.runs()):
            return False
        pause = (wakeup - self._clock.now()).total_seconds()
        if pause > 0 and self._is_poking() and not self._jump_pokes:
            time.sleep(pause)
        self._clock.jump_to(wakeup)
        return True

    def _is_poking(self) -> bool:
        return any(
            ti.state is TaskState.UP_FOR_RESCHEDULE
            for run in self.runs()
            for ti in self.world.tasks_of(run.dag_id, run.run_id)
        )

    def _keep(self, write: Write) -> None:
        match write:
            case SaveTask():
                self.api.states[write.ti.key] = write.ti.state.value
            case DeleteTask():
                self.api.states.pop(write.key, None)
            case SaveXComs():
                for name, value in write.values.items():
                    self.api.xcom_set(write.key, name, value)
            case ClearXComs():
                self.api.xcom_clear(write.key)
            case SaveDatasetEvent():
                fields = DatasetEventRow.__struct_fields__
                self.api.events.append(DatasetEventRow(**{name: getattr(write, name) for name in fields}))
            case _:
                pass

    def _run_some(self, waiting: list[LaunchTry]) -> None:
        if self._order == "together":
            for act in waiting:
                self._run(act)
            waiting.clear()
        else:
            self._run(waiting.pop(0 if self._order == "oldest" else -1))

    def _run(self, act: LaunchTry) -> None:
        info = self._start(act)
        if info is not None:
            self._end(act, self._try(info))

    def _start(self, act: LaunchTry) -> TryInfo | None:
        """Tell the scheduler that a try has started; None for one that was skipped or marked in the meantime."""
        ti = self.world.task_instance(act.key)
        run = self.world.run(act.key.dag_id, act.key.run_id)
        if ti is None or run is None or ti.token != act.token:
            return None
        now = self._clock.now()
        self.world.try_started(TryStartedFact(token=act.token, at=now, pid=os.getpid(), pid_started=0))
        return self._info(ti, run)

    def _info(self, ti: TaskInstance, run: DagRun) -> TryInfo:
        return TryInfo(
            token=ti.token or "",
            dag_id=ti.dag_id,
            task_id=ti.task_id,
            map_index=ti.map_index,
            try_number=ti.try_number,
            max_tries=ti.max_tries,
            run=run_context(run),
            log_path="",
            queued_at=ti.queued_at,
            first_poke_at=ti.first_poke_at,
            poke_count=ti.poke_count,
            watches=True,
            pool=ti.pool,
            priority_weight=ti.priority_weight,
            hostname="localhost",
            next_method=ti.next_method,
            next_kwargs=ti.next_kwargs,
        )

    def _end(self, act: LaunchTry, result: TryResult) -> None:
        if result.error:
            self.errors[act.key] = result.error
        self.world.try_ended(TryEndedFact(token=act.token, at=self._clock.now(), result=result, exit_code=0))

    def _fire(self, act: StartTrigger) -> None:
        """The trigger of a task that begins in it; those of others run within their try."""
        ti = self.world.task_instance(act.key)
        if ti is not None and ti.token == act.token and ti.trigger is not None:
            jump = self._clock.jump_to if self._jump_pokes else None
            self.world.trigger_ended(fire(ti.trigger, self.api, token=act.token, now=self._clock.now, jump=jump))

    def _try(self, info: TryInfo) -> TryResult:
        task = self.dag.task_dict[info.task_id]
        jump = self._clock.jump_to if self._jump_pokes else None
        return run_whole_try(task, info, self.api, now=self._clock.now, logs=self._logs, jump=jump)

    def _call_back(self, act: CallBack) -> None:
        run = self.world.run(act.dag_id, act.run_id)
        if run is None:
            return
        ti = None
        if act.task_id is not None:  # of a try that was not run here, as that of a sensor which is watched
            ti = self.world.task_instance(TaskKey(act.dag_id, act.run_id, act.task_id, act.map_index))
        job = RunCallback(
            callback_id="",
            kind=act.kind,
            dag_id=act.dag_id,
            run=run_context(run),
            info=self._info(ti, run) if ti is not None else None,
            reason=act.reason,
            details=act.details,
        )
        try:
            run_callback(self.dag, job, self.api)
        except AirflowException:
            log.exception("%s callback of DAG %s failed", act.kind, act.dag_id)

    def _note_runs(self) -> None:
        for run in self.runs():
            self.api.runs[run.dag_id, run.run_id] = run_context(run)

    # ---- what came of it ------------------------------------------------------------------------------------------

    def runs(self) -> list[DagRun]:
        """The runs, in order of creation."""
        return self.world.runs_of(self.dag.dag_id)

    def result(self, run_id: str) -> PlayResult:
        """How a run stands."""
        run = self.world.run(self.dag.dag_id, run_id)
        if run is None:
            raise KeyError(run_id)
        instances = self.world.tasks_of(self.dag.dag_id, run_id)
        named = {label(ti.task_id, ti.map_index): ti for ti in instances}
        stored = {name: self.api.xcoms_of(ti.key) for name, ti in named.items()}
        return PlayResult(
            run_id=run_id,
            state=run.state.value,
            tasks={name: ti.state.value for name, ti in named.items()},
            tries={name: ti.try_number for name, ti in named.items()},
            errors={name: self.errors[ti.key] for name, ti in named.items() if ti.key in self.errors},
            xcoms={
                name: {key: decode(text) for key, text in values.items()} for name, values in stored.items() if values
            },
        )


def play(
    dag: DAG,
    logical_date: dt.datetime | None = None,
    *,
    conf: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    run_type: RunType = RunType.MANUAL,
    api: MemoryApi | None = None,
    external_trigger: bool = False,
    jump_pokes: bool = False,
    logs: bool = True,
) -> PlayResult:
    """Play one whole run. Without `logical_date`: now. Raises InvalidDag; ParamValidationError for a wrong `conf`.

    As in Airflow's `dag.test()` nobody triggers the run, unless `external_trigger` says so.
    """
    player = Player(dag, api=api, jump_pokes=jump_pokes, logs=logs)
    name = player.add_run(
        logical_date or dt.datetime.now(dt.UTC),
        run_type=run_type,
        run_id=run_id,
        conf=check_conf(dag, conf),
        external_trigger=external_trigger,
    )
    player.play()
    return player.result(name)


def run_one(
    dag: DAG,
    task_id: str,
    logical_date: dt.datetime | None = None,
    *,
    map_index: int = -1,
    conf: Mapping[str, Any] | None = None,
    task_params: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    api: MemoryApi | None = None,
    logs: bool = True,
) -> TryResult:
    """Run one task by itself, whatever its upstream; nothing is retried, a sensor pokes once.

    Outputs of other tasks are not there: what pulls them gets None. Raises errors.NotFound for an unknown task.
    """
    api = api or MemoryApi()
    given = check_conf(dag, {**(conf or {}), **(task_params or {})})
    info = single_try(dag, task_id, logical_date, map_index, given, run_id)
    api.runs[dag.dag_id, info.run.run_id] = info.run
    task = dag.get_task(task_id)
    with _poking_once(task):
        return run_whole_try(task, info, api, now=utc_now, logs=logs, test_mode=True)


def single_try(
    dag: DAG,
    task_id: str,
    logical_date: dt.datetime | None,
    map_index: int,
    conf: dict[str, Any],
    run_id: str | None,
) -> TryInfo:
    """The first try of one task in a manual run that exists for it alone."""
    date = (logical_date or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
    interval = data_interval(dag, date, RunType.MANUAL)
    run = RunContext(
        run_id=run_id or core_timetable.run_id(RunType.MANUAL, date),
        run_type=RunType.MANUAL.value,
        logical_date=date,
        data_interval_start=interval.start,
        data_interval_end=interval.end,
        run_after=date,
        started_at=dt.datetime.now(dt.UTC),
        conf=conf,
        external_trigger=True,
        dag_id=dag.dag_id,
    )
    return TryInfo(token="test", dag_id=dag.dag_id, task_id=task_id, map_index=map_index, run=run, log_path="")


@contextmanager
def _poking_once(task: Any) -> Iterator[None]:
    """Have a sensor give its slot back at once instead of sleeping, so that one poke is all there is."""
    if not hasattr(task, "poke") or task.is_mapped:
        yield
        return
    before = task.mode
    task.mode = "reschedule"
    try:
        yield
    finally:
        task.mode = before


def check_conf(dag: DAG, conf: Mapping[str, Any] | None) -> dict[str, Any]:
    """`conf` as a dict, checked against the DAG's params. Raises ParamValidationError."""
    from asyncflow.authoring.params import ParamsDict

    given = dict(conf or {})
    params = ParamsDict(dag.params)
    params.update(given)
    params.validate()
    return given


def data_interval(dag: DAG, logical_date: dt.datetime, run_type: RunType) -> DataInterval:
    """The data interval of a run: by the schedule, or for a manual run the last one that is complete."""
    spec = dag.timetable.to_spec()
    if isinstance(spec, CustomTimetable):
        found = dag.timetable.infer_manual_data_interval(run_after=pendulum.instance(logical_date))
        return DataInterval(found.start, found.end)
    if run_type is RunType.MANUAL:
        return core_timetable.manual_interval(spec, logical_date)
    info = core_timetable.next_run(
        spec, last=None, earliest=logical_date, latest=None, catchup=True, now=logical_date + dt.timedelta(days=366)
    )
    if info is None or info.logical_date != logical_date:
        return DataInterval(logical_date, logical_date)
    return info.data_interval


def run_context(run: DagRun) -> RunContext:
    """A dag run as its tasks see it."""
    return RunContext(
        dag_id=run.dag_id,
        run_id=run.run_id,
        run_type=run.run_type.value,
        logical_date=run.logical_date,
        data_interval_start=run.data_interval_start,
        data_interval_end=run.data_interval_end,
        run_after=run.run_after,
        queued_at=run.queued_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        conf=run.conf,
        external_trigger=run.external_trigger,
        state=run.state.value,
        triggered_by=run.triggered_by,
        clear_number=run.clear_number,
        note=run.note,
    )
