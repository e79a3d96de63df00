"""The scheduler on virtual time: what a schedule, retries, time limits and limits come to, without waiting for it.

    engine = Engine(dag, start=datetime(2024, 1, 1), outcomes={"load": ["failed", "success"]})
    engine.run_until(datetime(2024, 2, 1))
    assert [run.state for run in engine.runs("etl")] == ["success"] * 31
    assert engine.tries("etl", "load") == [2] * 31

The decisions are those of the server, by the same code. Time stands still but for what the schedule, retry delays,
sensors and `durations` make pass. Tasks are really executed, in this process, unless `outcomes` says what they come to.
"""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from asyncflow.authoring import timezone, xcom
from asyncflow.authoring.api import DagInfo
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.serialize import to_spec
from asyncflow.core import timetable
from asyncflow.core.commands import CallBack, LaunchTry, SaveRun, SaveTask, Write
from asyncflow.core.messages import TryInfo, TryResult
from asyncflow.core.models import DagRun, Pool, TaskInstance, TaskKey
from asyncflow.core.states import RunType
from asyncflow.testing.deferral import run_whole_try
from asyncflow.testing.memory import MemoryApi, memory_in_use
from asyncflow.testing.player import Clock, Player, check_conf, data_interval, run_context

#: what a scripted try comes to: "success", "failed", "skipped", the exception it raises, `returns(value)`
Outcome = Any


class Returns(msgspec.Struct, frozen=True):
    """A try that succeeds and returns a value."""

    value: Any


def returns(value: Any) -> Returns:
    """For `outcomes`: the try succeeds, and the task's XCom is this."""
    return Returns(value)


class VirtualClock(Clock):
    """Stands still until it is moved, and only forward."""

    def __init__(self, start: dt.datetime) -> None:
        super().__init__()
        self._now = start

    def now(self) -> dt.datetime:
        return self._now

    def jump_to(self, moment: dt.datetime) -> None:
        self._now = max(self._now, timezone.plain_utc(moment))


class Engine(Player):
    """One or more DAGs, unpaused from `start` on."""

    def __init__(
        self,
        *dags: DAG,
        start: dt.datetime,
        outcomes: Mapping[str, Outcome | Sequence[Outcome] | Callable[[TryInfo], Outcome]] | None = None,
        durations: Mapping[str, dt.timedelta] | None = None,
        execute: bool = True,
        pools: Mapping[str, int] | None = None,
        api: MemoryApi | None = None,
    ) -> None:
        """`api`: where Variables come from and XComs go; None = that of the test that runs, or a new one.

        `outcomes` and `durations` by task id, or "dag_id.task_id". A list of outcomes: one for each try, the last
        for all further ones. Without `execute`, tasks that are not in `outcomes` succeed. `pools`: slots by name.
        """
        self._virtual = VirtualClock(timezone.plain_utc(start))
        keep = None if any(_looks_back(dag) for dag in dags) else dt.timedelta(0)
        api = api or memory_in_use()
        super().__init__(dags[0], api=api, clock=self._virtual, jump_pokes=True, logs=False, keep_ended=keep)
        self._dags = {dag.dag_id: dag for dag in dags}
        self._outcomes = outcomes or {}
        self._durations = durations or {}
        self._execute = execute
        self._until = self._virtual.now()
        self._known: dict[str, dict[str, DagRun]] = {dag_id: {} for dag_id in self._dags}
        self._instances: dict[TaskKey, TaskInstance] = {}
        self._ends: list[tuple[dt.datetime, int, LaunchTry, TryResult]] = []
        self._order_of_ends = itertools.count()
        for name, slots in (pools or {}).items():
            self.world.put_pool(Pool(name=name, slots=slots))
        for dag in dags:
            self._put(dag)

    def _put(self, dag: DAG) -> None:
        spec = to_spec(dag)
        self.world.put_dag(spec, "virtual", paused=False, now=self.now)
        for pool in {task.pool for task in spec.tasks.values()}:
            if pool not in self.world.pool_usage():
                self.world.put_pool(Pool(name=pool, slots=-1))
        info = DagInfo(dag_id=dag.dag_id, task_ids=tuple(spec.tasks), group_ids=tuple(spec.groups))
        self.api.dags[dag.dag_id] = info

    @property
    def now(self) -> dt.datetime:
        """The time it is, UTC."""
        return self._virtual.now()

    def run_until(self, moment: dt.datetime) -> None:
        """Let time pass, and everything happen that is due by then."""
        self._until = timezone.plain_utc(moment)
        self.play()
        self._virtual.jump_to(self._until)

    def run_for(self, **span: float) -> None:
        """`run_for(hours=2)`: as `run_until`, by a span of time."""
        self.run_until(self.now + dt.timedelta(**span))

    def trigger(self, dag_id: str, *, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """Make a manual run now; its run_id. It goes on with the next `run_until` or `run_for`."""
        dag = self._dags[dag_id]
        made = self.world.create_run(
            dag_id,
            run_type=RunType.MANUAL,
            logical_date=self.now,
            data_interval=data_interval(dag, self.now, RunType.MANUAL),
            run_after=self.now,
            run_id=run_id or timetable.run_id(RunType.MANUAL, self.now),
            conf=check_conf(dag, conf),
            triggered_by="test",
            now=self.now,
        )
        return made.run_id

    # ---- what came of it ------------------------------------------------------------------------------------------

    def runs(self, dag_id: str | None = None) -> list[DagRun]:
        """All runs so far, or those of one DAG, in order of creation."""
        return [run for name, runs in self._known.items() if dag_id in (None, name) for run in runs.values()]

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """State by task id, "task[0]" for copies of a mapped task."""
        return self.api.task_states(dag_id, run_id)

    def instances(self, dag_id: str, task_id: str) -> list[TaskInstance]:
        """All instances of one task, by run in order of creation."""
        return [ti for key, ti in self._instances.items() if (key.dag_id, key.task_id) == (dag_id, task_id)]

    def tries(self, dag_id: str, task_id: str) -> list[int]:
        """How many tries each instance of a task took."""
        return [ti.try_number for ti in self.instances(dag_id, task_id)]

    # ---- going on -------------------------------------------------------------------------------------------------

    def _wait(self) -> bool:
        """Go to what happens next, if that is in time."""
        wakeup = self.world.next_wakeup()
        moments = [self._ends[0][0]] if self._ends else []
        moments += [wakeup] if wakeup is not None else []
        if not moments or min(moments) > self._until:
            return False
        self._virtual.jump_to(min(moments))
        while self._ends and self._ends[0][0] <= self.now:
            _, _, act, result = heapq.heappop(self._ends)
            self._end(act, result)
        return True

    def _run(self, act: LaunchTry) -> None:
        info = self._start(act)
        if info is None:
            return
        result = self._try(info)
        length = self._durations.get(info.task_id) or self._durations.get(f"{info.dag_id}.{info.task_id}")
        if length is None:
            self._end(act, result)
        else:
            heapq.heappush(self._ends, (self.now + length, next(self._order_of_ends), act, result))

    def _try(self, info: TryInfo) -> TryResult:
        for name in (info.task_id, f"{info.dag_id}.{info.task_id}"):
            if name in self._outcomes:
                return self._scripted(self._outcomes[name], info)
        if not self._execute:
            return self._scripted("success", info)
        task = self._dags[info.dag_id].task_dict[info.task_id]
        with timezone.virtual(self._virtual.now):
            # a trigger that waits for a moment takes no virtual time, as the rest of a try takes none
            return run_whole_try(task, info, self.api, now=self._virtual.now, logs=False, jump=lambda _: None)

    def _scripted(self, script: Any, info: TryInfo) -> TryResult:
        outcome = script(info) if callable(script) else script
        if isinstance(outcome, list | tuple):
            outcome = outcome[min(info.try_number, len(outcome)) - 1]
        result = TryResult(outcome="success", started_at=self.now, ended_at=self.now)
        if isinstance(outcome, Returns):
            stored = {xcom.XCOM_RETURN_KEY: xcom.encode(outcome.value)}
            return msgspec.structs.replace(result, xcoms=stored, map_length=xcom.map_length(outcome.value))
        if isinstance(outcome, BaseException):
            return msgspec.structs.replace(result, outcome="failed", error=f"{type(outcome).__name__}: {outcome}")
        if outcome not in ("success", "failed", "skipped"):
            raise ValueError(
                f"outcomes: {info.task_id!r} cannot come to {outcome!r}; write success, failed, skipped, an exception "
                "or returns(value)."
            )
        error = "as told by the test" if outcome == "failed" else None
        return msgspec.structs.replace(result, outcome=outcome, error=error)

    def _keep(self, write: Write) -> None:
        super()._keep(write)
        if isinstance(write, SaveRun):
            run = write.run
            self._known[run.dag_id][run.run_id] = run
            self.api.runs[run.dag_id, run.run_id] = run_context(run)
        elif isinstance(write, SaveTask):
            self._instances[write.ti.key] = write.ti

    def _note_runs(self) -> None:
        """Runs are noted as they are written: thousands of them are not looked through at each turn."""

    def _call_back(self, act: CallBack) -> None:
        self.dag = self._dags[act.dag_id]
        super()._call_back(act)


def _looks_back(dag: DAG) -> bool:
    """Does the scheduler need the runs before to decide about a run of this DAG?"""
    return bool(dag.max_consecutive_failed_dag_runs) or any(task.depends_on_past for task in dag.tasks)
