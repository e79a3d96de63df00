"""Runs and task instances that a test makes itself, as with Airflow's classes of the same names.

    run = dag.create_dagrun(execution_date=date, data_interval=(date, date))
    ti = run.get_task_instance("load")
    ti.run(ignore_ti_state=True)
    assert ti.state == "success"

States and XComs are kept in a `MemoryApi`: the one in use, else one of this process's own. A task runs whatever its
upstream; what it raises is raised to the caller.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from asyncflow.authoring import taskinstance, timezone
from asyncflow.authoring.api import use_api
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.core import timetable
from asyncflow.core.messages import RunContext, TryInfo, TryResult
from asyncflow.core.states import RunType
from asyncflow.core.timetable import DataInterval
from asyncflow.testing.deferral import run_whole_try
from asyncflow.testing.memory import MemoryApi, memory_in_use
from asyncflow.testing.player import check_conf, data_interval, play
from asyncflow.worker.runner import utc_now


def memory() -> MemoryApi:
    """Where this process keeps what its own runs come to."""
    api = memory_in_use()
    if api is None:
        api = MemoryApi()
        use_api(api)
    return api


class TaskInstance(taskinstance.TaskInstance):
    """One task of one run; made if there is no such run yet."""

    def __init__(
        self,
        task: Any,
        execution_date: dt.datetime | None = None,
        run_id: str | None = None,
        state: str | None = None,
        map_index: int = -1,
    ) -> None:
        if task.dag is None:
            raise AirflowException(f"Task {task.task_id!r} has no DAG, so it cannot have a run.")
        self._memory = memory()
        run = _found(self._memory, task.dag, execution_date, run_id) or _made(task.dag, execution_date, run_id=run_id)
        self._memory.runs[run.dag_id, run.run_id] = run
        self._try = TryInfo(
            token="test",
            dag_id=run.dag_id,
            task_id=task.task_id,
            map_index=map_index,
            max_tries=int(task.retries),
            run=run,
            log_path="",
        )
        super().__init__(task, self._try, self._memory, now=utc_now)
        self.state = state or self._memory.states.get(self._task_key)  # type: ignore[assignment]  # None: not run yet

    def run(
        self,
        verbose: bool = True,
        ignore_all_deps: bool = False,
        ignore_depends_on_past: bool = False,
        ignore_task_deps: bool = False,
        ignore_ti_state: bool = False,
        mark_success: bool = False,
        test_mode: bool = False,
        **_: Any,
    ) -> None:
        """One try, here and now. Without `ignore_ti_state` one that has succeeded is left as it is."""
        if self.state == "success" and not (ignore_ti_state or ignore_all_deps):
            return
        if self.state is not None:
            self.try_number += 1
        if mark_success:
            self._note("success")
            return
        errors: list[BaseException] = []
        info = msgspec.structs.replace(self._try, try_number=self.try_number)
        result = run_whole_try(
            self.task, info, self._memory, now=utc_now, logs=False, test_mode=test_mode, errors=errors
        )
        self._keep(result)
        if errors:
            raise errors[-1]

    def _keep(self, result: TryResult) -> None:
        self.start_date, self.end_date = taskinstance.aware(result.started_at), taskinstance.aware(result.ended_at)
        again = result.outcome == "failed" and result.retryable and self.is_eligible_to_retry()
        words = {"reschedule": "up_for_reschedule"}
        self._note("up_for_retry" if again else words.get(result.outcome, result.outcome))
        for name, value in result.xcoms.items():
            self._memory.xcom_set(self._task_key, name, value)
        for task_id in result.skip_tasks:
            self._memory.states[self._task_key._replace(task_id=task_id)] = "skipped"

    def _note(self, state: str) -> None:
        self.state = self._memory.states[self._task_key] = state


class DagRun(taskinstance.DagRun):
    """A run whose task instances can be run."""

    def __init__(self, dag: DAG, run: RunContext, api: MemoryApi) -> None:
        super().__init__(run, dag.dag_id, api=api, dag=dag)

    def get_task_instance(self, task_id: str, map_index: int = -1, **_: Any) -> TaskInstance:  # type: ignore[override]
        """The instance of a task. Raises TaskNotFound."""
        return TaskInstance(self.dag.get_task(task_id), run_id=self.run_id, map_index=map_index)

    def get_task_instances(self, *_: Any, **__: Any) -> list[TaskInstance]:  # type: ignore[override]
        """The instances of all tasks that are not mapped, in the DAG's order."""
        return [self.get_task_instance(task.task_id) for task in self.dag.tasks if not task.is_mapped]


def make_run(dag: DAG, logical_date: dt.datetime | None, **given: Any) -> DagRun:
    """A run in memory. Raises ParamValidationError for a wrong `conf`."""
    api = memory()
    run = _made(dag, logical_date, **given)
    api.runs[dag.dag_id, run.run_id] = run
    return DagRun(dag, run, api)


def _found(api: MemoryApi, dag: DAG, logical_date: dt.datetime | None, run_id: str | None) -> RunContext | None:
    if run_id is not None:
        return api.runs.get((dag.dag_id, run_id))
    date = _utc(logical_date)
    return next((run for run in api.dag_runs(dag.dag_id) if run.logical_date == date and date is not None), None)


def _made(
    dag: DAG,
    logical_date: dt.datetime | None,
    *,
    run_id: str | None = None,
    run_type: str = "manual",
    state: str = "running",
    data_interval: Sequence[dt.datetime] | None = None,
    started_at: dt.datetime | None = None,
    conf: Mapping[str, Any] | None = None,
    external_trigger: bool = False,
) -> RunContext:
    date = _utc(logical_date) or utc_now()
    kind = RunType(run_type)
    interval = DataInterval(*data_interval) if data_interval is not None else _interval(dag, date, kind)
    return RunContext(
        dag_id=dag.dag_id,
        run_id=run_id or timetable.run_id(kind, date),
        run_type=kind.value,
        logical_date=date,
        data_interval_start=_utc(interval.start),
        data_interval_end=_utc(interval.end),
        run_after=_utc(interval.end) or date,
        started_at=_utc(started_at) or utc_now(),
        conf=check_conf(dag, conf),
        external_trigger=external_trigger,
        state=state,
    )


def _interval(dag: DAG, date: dt.datetime, kind: RunType) -> DataInterval:
    return data_interval(dag, date, kind)


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    return timezone.plain_utc(moment) if moment is not None else None


def _intervals(dag: DAG, start: dt.datetime | None, end: dt.datetime | None) -> dict[dt.datetime, DataInterval]:
    """The runs of the schedule between two moments, both included, by logical date; without any, one at the first."""
    first = _utc(start) or _utc(dag.start_date) or utc_now()
    last = _utc(end) or (first if start is not None else utc_now())
    infos = dag.iter_dagrun_infos_between(first, last)
    found = {timezone.plain_utc(info.logical_date): DataInterval(*info.data_interval) for info in infos}
    return found or {first: _interval(dag, first, RunType.MANUAL)}


def run_between(
    task: Any,
    start_date: dt.datetime | None,
    end_date: dt.datetime | None,
    *,
    ignore_ti_state: bool = False,
    mark_success: bool = False,
    test_mode: bool = False,
    **_: Any,
) -> None:
    """One try of a task for each run between two dates."""
    first = start_date or task.start_date
    api = memory()
    for date, interval in _intervals(task.dag, first, end_date or first).items():
        if _found(api, task.dag, date, None) is None:
            make_run(task.dag, date, data_interval=interval)
        ti = TaskInstance(task, date)
        ti.run(ignore_ti_state=ignore_ti_state, mark_success=mark_success, test_mode=test_mode)


def play_between(
    dag: DAG, start_date: dt.datetime | None, end_date: dt.datetime | None, *, conf: Mapping[str, Any] | None
) -> None:
    """Play the runs between two dates. Raises AirflowException that names the tasks of the first that fails."""
    api = memory()
    for date in _intervals(dag, start_date, end_date):
        played = play(dag, date, conf=conf, run_type=RunType.BACKFILL, api=api)
        if played.state != "success":
            failed = [
                f"{name} ({played.errors.get(name, state)})"
                for name, state in played.tasks.items()
                if state in ("failed", "upstream_failed")
            ]
            raise AirflowException(f"The run {played.run_id} of {dag.dag_id} failed: {', '.join(failed)}")


def forget_runs(dag: DAG, start_date: dt.datetime | None, end_date: dt.datetime | None) -> int:
    """Forget states and XComs of the runs between two dates (None: no bound); how many states there were."""
    api = memory()
    first, last = _utc(start_date), _utc(end_date)
    chosen = {run.run_id for run in api.dag_runs(dag.dag_id) if _between(run, first, last)}
    keys = [key for key in api.states if key.dag_id == dag.dag_id and key.run_id in chosen]
    for key in keys:
        del api.states[key]
        api.xcom_clear(key)
    return len(keys)


def _between(run: RunContext, first: dt.datetime | None, last: dt.datetime | None) -> bool:
    date = run.logical_date or run.run_after
    return date is None or ((first is None or date >= first) and (last is None or date <= last))
