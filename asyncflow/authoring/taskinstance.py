"""`ti` and `dag_run`: one try of a task, and its run, as user code sees them in the task's own process.

These are views: what they write goes to the server through `TaskApi` or travels with the result of the try. Attribute
and method names are Airflow's.
"""

from __future__ import annotations

import datetime as dt
import getpass
import logging
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self, cast
from urllib.parse import quote

import pendulum

from asyncflow.authoring import xcom
from asyncflow.authoring.api import TaskApi, XComRow, current_api
from asyncflow.authoring.assetevents import DatasetEvent
from asyncflow.authoring.conf import conf
from asyncflow.authoring.xcom import XCOM_RETURN_KEY
from asyncflow.core.messages import RunContext, TryInfo
from asyncflow.core.models import TaskKey
from asyncflow.core.states import RunType, TaskState


def aware(moment: dt.datetime | None) -> pendulum.DateTime | None:
    """A moment of the server as DAG authors know them: pendulum, UTC."""
    if moment is None:
        return None
    m = moment.astimezone(dt.UTC)
    return pendulum.DateTime(m.year, m.month, m.day, m.hour, m.minute, m.second, m.microsecond, tzinfo=pendulum.UTC)


class TaskInstanceKey(NamedTuple):
    """Names one try of a task instance."""

    dag_id: str
    task_id: str
    run_id: str
    try_number: int = 1
    map_index: int = -1

    @property
    def primary(self) -> tuple[str, str, str, int]:
        return self.dag_id, self.task_id, self.run_id, self.map_index

    @property
    def key(self) -> TaskInstanceKey:
        return self


class DagRun:
    """The run of the current task, or another run that was asked for."""

    #: of Airflow 3's partitioned assets, which no schedule here makes runs for
    partition_key: str | None = None
    partition_date: dt.datetime | None = None

    def __init__(self, run: RunContext, dag_id: str, *, api: TaskApi, dag: Any = None) -> None:
        self._run, self._api, self.dag = run, api, dag
        self.dag_id = run.dag_id or dag_id
        self.run_id = run.run_id
        self.run_type = RunType(run.run_type)
        self.state = run.state
        self.conf: dict[str, Any] = run.conf
        self.external_trigger = run.external_trigger
        self.triggered_by = run.triggered_by
        self.clear_number = run.clear_number
        self.note = run.note
        self.logical_date = aware(run.logical_date)
        self.data_interval_start = aware(run.data_interval_start)
        self.data_interval_end = aware(run.data_interval_end)
        self.run_after = aware(run.run_after)
        self.queued_at = aware(run.queued_at)
        self.start_date = aware(run.started_at)
        self.end_date = aware(run.ended_at)

    @classmethod
    def find(
        cls,
        dag_id: str,
        run_id: str | list[str] | None = None,
        execution_date: dt.datetime | list[dt.datetime] | None = None,
        state: str | None = None,
        **filters: Any,
    ) -> list[DagRun]:
        """Runs of a DAG, oldest first. Of Airflow's further filters these work: run_type, external_trigger,
        execution_start_date, execution_end_date.
        """
        api = current_api()
        dates = [execution_date] if isinstance(execution_date, dt.datetime) else execution_date
        found = api.dag_runs(
            dag_id,
            run_ids=[run_id] if isinstance(run_id, str) else run_id,
            logical_dates=dates,
            states=[str(getattr(state, "value", state))] if state is not None else None,
        )
        return [run for run in (DagRun(row, dag_id, api=api) for row in found) if run._fits(filters)]

    def _fits(self, filters: dict[str, Any]) -> bool:
        run_type, by_hand = filters.get("run_type"), filters.get("external_trigger")
        first, last, date = filters.get("execution_start_date"), filters.get("execution_end_date"), self.logical_date
        return (
            (run_type is None or self.run_type == str(getattr(run_type, "value", run_type)))
            and (by_hand is None or self.external_trigger is by_hand)
            and (first is None or (date is not None and date >= first))
            and (last is None or (date is not None and date <= last))
        )

    @property
    def execution_date(self) -> pendulum.DateTime | None:
        return self.logical_date

    @property
    def id(self) -> int:
        """A number for templates that want one; runs are named by dag_id and run_id here."""
        return zlib.crc32(f"{self.dag_id}/{self.run_id}".encode())

    @property
    def is_backfill(self) -> bool:
        return self.run_type is RunType.BACKFILL

    def get_state(self) -> str:
        return self.state

    def get_dag(self) -> Any:
        return self.dag

    @property
    def consumed_dataset_events(self) -> list[DatasetEvent]:
        """The updates of datasets that this run was made for, in the order of time."""
        if self.run_type is not RunType.DATASET_TRIGGERED:
            return []
        return [DatasetEvent(row, self._api) for row in self._api.triggering_events(self.dag_id, self.run_id)]

    consumed_asset_events = consumed_dataset_events

    def get_previous_dagrun(self, state: str | None = None) -> DagRun | None:
        """The run with the latest logical date before this one, of those in `state` if given."""
        if self.logical_date is None:
            return None
        found = self._api.previous_run(self.dag_id, self.logical_date, str(state) if state else None)
        return DagRun(found, self.dag_id, api=self._api, dag=self.dag) if found is not None else None

    def get_task_instance(self, task_id: str, map_index: int = -1) -> TaskInstanceState | None:
        """State of one task instance of this run, None if there is no such instance."""
        name = task_id if map_index < 0 else f"{task_id}[{map_index}]"
        return next((ti for ti in self.get_task_instances([task_id]) if ti.name == name), None)

    def get_task_instances(
        self, task_ids: Sequence[str] | None = None, state: Iterable[str] | None = None
    ) -> list[TaskInstanceState]:
        """The task instances of this run, only those in one of the states if given."""
        states = self._api.task_states(self.dag_id, self.run_id, task_ids)
        wanted = {str(s) for s in state} if state is not None else None
        return [
            TaskInstanceState(self.dag_id, self.run_id, name, found)
            for name, found in states.items()
            if wanted is None or found in wanted
        ]

    def __repr__(self) -> str:
        return f"<DagRun {self.dag_id} @ {self.logical_date}: {self.run_id}, state:{self.state}>"


class TaskInstanceState:
    """Another task instance, as far as a task may know it."""

    def __init__(self, dag_id: str, run_id: str, name: str, state: str) -> None:
        self.dag_id, self.run_id, self.name, self.state = dag_id, run_id, name, state
        self.task_id, _, index = name.partition("[")
        self.map_index = int(index[:-1]) if index else -1

    def current_state(self) -> str:
        return self.state

    def __repr__(self) -> str:
        return f"<TaskInstance: {self.dag_id}.{self.name} {self.run_id} [{self.state}]>"


class TaskInstance:
    """The running try; made by anyone else, with a task and a date, one of a test: `testing.instances`."""

    def __new__(cls, task: Any, info: Any = None, *_: Any, **__: Any) -> Self:
        if cls is TaskInstance and not isinstance(info, TryInfo):
            from asyncflow.testing.instances import TaskInstance as OwnInstance

            return cast(Self, object.__new__(OwnInstance))
        return object.__new__(cls)

    def __init__(
        self,
        task: Any,
        info: TryInfo,
        api: TaskApi,
        *,
        now: Callable[[], dt.datetime],
        test_mode: bool = False,
    ) -> None:
        self._info, self._api, self._now = info, api, now
        self.task = task
        self.test_mode = test_mode
        self.raw = True
        self.dag_id, self.task_id, self.map_index = info.dag_id, info.task_id, info.map_index
        self.run_id = info.run.run_id
        self.try_number, self.max_tries = info.try_number, info.max_tries
        self.state: str = TaskState.RUNNING.value
        self.dag_run = DagRun(info.run, info.dag_id, api=api, dag=getattr(task, "dag", None))
        self.start_date: pendulum.DateTime | None = aware(now())
        self.end_date: pendulum.DateTime | None = None
        self.queued_dttm = aware(info.queued_at)
        self.hostname, self.pid = info.hostname, os.getpid()
        self.pool, self.priority_weight = info.pool, info.priority_weight
        self.pool_slots = getattr(task, "pool_slots", 1)
        self.queue = getattr(task, "queue", "default")
        self.operator = getattr(task, "task_type", "")
        self.executor_config = getattr(task, "executor_config", {})
        self.next_method, self.next_kwargs = info.next_method, info.next_kwargs
        self.first_poke_at, self.poke_count = aware(info.first_poke_at), info.poke_count
        #: whoever runs this takes over the waiting of sensors whose condition it can see by itself
        self.watches = info.watches
        #: since the first poke of a sensor that waits without a process in between
        self.seconds_waited = max(0.0, (now() - info.first_poke_at).total_seconds()) if info.first_poke_at else 0.0
        self.log_filepath = info.log_path
        self.note: str | None = None
        self.rendered_map_index: str | None = None
        self.job_id = self.external_executor_id = self.trigger_id = None
        #: tasks that this try wants skipped; see authoring.skip
        self.skip_tasks: list[str] = []
        self.skip_map_index: int | None = None
        #: XComs that travel with the result, by key
        self.pending_xcoms: dict[str, str] = {}
        self._context: Any = None

    # ---- who it is ------------------------------------------------------------------------------------------------

    @property
    def unixname(self) -> str:
        """The user the task runs as."""
        return _user()

    @property
    def key(self) -> TaskInstanceKey:
        return TaskInstanceKey(self.dag_id, self.task_id, self.run_id, self.try_number, self.map_index)

    @property
    def _task_key(self) -> TaskKey:
        return TaskKey(self.dag_id, self.run_id, self.task_id, self.map_index)

    @property
    def logical_date(self) -> pendulum.DateTime | None:
        return self.dag_run.logical_date

    @property
    def execution_date(self) -> pendulum.DateTime | None:
        return self.dag_run.logical_date

    @property
    def duration(self) -> float | None:
        if self.start_date is None or self.end_date is None:
            return None
        return (self.end_date - self.start_date).total_seconds()

    @property
    def prev_attempted_tries(self) -> int:
        return self.try_number

    @property
    def next_try_number(self) -> int:
        return self.try_number + 1

    @property
    def stats_tags(self) -> dict[str, str]:
        return {"dag_id": self.dag_id, "task_id": self.task_id}

    @property
    def log(self) -> logging.Logger:
        return logging.getLogger("airflow.task")

    @property
    def log_url(self) -> str:
        """The page of this task instance."""
        return self._url() + f"?map_index={self.map_index}&try={self.try_number}"

    @property
    def mark_success_url(self) -> str:
        """The page on which this task instance can be marked."""
        return self._url() + f"?map_index={self.map_index}"

    def _url(self) -> str:
        base = str(conf.get("webserver", "base_url", fallback="http://localhost:8080")).rstrip("/")
        run = quote(self.run_id, safe="")
        return f"{base}/dags/{quote(self.dag_id, safe='')}/runs/{run}/tasks/{quote(self.task_id, safe='')}/log"

    def current_state(self) -> str:
        return self.state

    def is_eligible_to_retry(self) -> bool:
        """Would a failure now lead to another try?"""
        return bool(self.task.retries) and self.try_number <= self.max_tries

    def get_dagrun(self, session: Any = None) -> DagRun:
        return self.dag_run

    def get_template_context(self, session: Any = None, ignore_param_exceptions: bool = True) -> Any:
        """The context; the same one at every call."""
        from asyncflow.authoring.context import make_context

        if self._context is None:
            self._context = make_context(self)
        return self._context

    def render_templates(self, context: Any = None, jinja_env: Any = None) -> Any:
        """Render the template fields of the task (a mapped one becomes its copy first); returns the task as written."""
        original = self.task
        context = context or self.get_template_context()
        if hasattr(original, "unmap_for"):
            self.task = context["task"] = original.unmap_for(context)
        self.task.render_template_fields(context, jinja_env)
        return original

    def refresh_from_db(self, session: Any = None, **_: Any) -> None:
        """Nothing to do: the server fences off a try that is not the current one any more."""

    def refresh_from_task(self, task: Any, pool_override: str | None = None) -> None:
        self.task = task

    # ---- runs before ------------------------------------------------------------------------------------------------

    def get_previous_dagrun(self, state: str | None = None, session: Any = None) -> DagRun | None:
        """The run with the latest logical date before this one, of those in `state` if given."""
        return self.dag_run.get_previous_dagrun(state)

    def get_previous_execution_date(self, state: str | None = None, session: Any = None) -> pendulum.DateTime | None:
        run = self.get_previous_dagrun(state)
        return run.logical_date if run is not None else None

    def get_previous_start_date(self, state: str | None = None, session: Any = None) -> pendulum.DateTime | None:
        run = self.get_previous_dagrun(state)
        return run.start_date if run is not None else None

    def get_previous_ti(self, state: str | None = None, session: Any = None) -> TaskInstanceState | None:
        """This task in the run before."""
        run = self.get_previous_dagrun()
        found = run.get_task_instance(self.task_id, self.map_index) if run is not None else None
        return found if found is not None and (state is None or found.state == str(state)) else None

    @property
    def previous_ti(self) -> TaskInstanceState | None:
        return self.get_previous_ti()

    @property
    def previous_ti_success(self) -> TaskInstanceState | None:
        return self.get_previous_ti(state="success")

    # ---- XCom -------------------------------------------------------------------------------------------------------

    def xcom_push(self, key: str, value: Any, execution_date: dt.datetime | None = None, session: Any = None) -> None:
        """Store a value for other tasks at once. Raises TypeError for a value that has no JSON form."""
        self._api.xcom_set(self._task_key, key, xcom.encode(value), None)

    def xcom_pull(
        self,
        task_ids: str | Iterable[str] | None = None,
        dag_id: str | None = None,
        key: str | None = XCOM_RETURN_KEY,
        include_prior_dates: bool = False,
        session: Any = None,
        *,
        map_indexes: int | Iterable[int] | None = None,
        default: Any = None,
        run_id: str | None = None,
    ) -> Any:
        """Values that tasks pushed; what comes back for which arguments: `authoring.xcom.arrange`.

        `run_id` is Airflow 3's; `key=None` takes any key.
        """
        tasks = task_ids if task_ids is None or isinstance(task_ids, str) else list(task_ids)
        indexes = map_indexes if map_indexes is None or isinstance(map_indexes, int) else list(map_indexes)
        wanted: dict[str, Any] = {
            "dag_id": dag_id or self.dag_id,
            "run_id": run_id or self.run_id,
            "task_ids": [tasks] if isinstance(tasks, str) else tasks,
            "key": key or None,
            "map_indexes": [indexes] if isinstance(indexes, int) else indexes,
        }
        rows = self._pending_rows(**wanted)
        rows += self._api.xcom_rows(**wanted, include_prior_dates=include_prior_dates)
        return xcom.arrange(rows, task_ids=tasks, map_indexes=indexes, default=default)

    def _pending_rows(
        self, dag_id: str, run_id: str, task_ids: list[str] | None, key: str | None, map_indexes: list[int] | None
    ) -> list[XComRow]:
        """What this try returned is not stored yet while its own callbacks run; they see it all the same."""
        mine: dict[str, Any] = {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "task_id": self.task_id,
            "map_index": self.map_index,
        }
        if (dag_id, run_id) != (self.dag_id, self.run_id):
            return []
        if task_ids is not None and self.task_id not in task_ids:
            return []
        if map_indexes is not None and self.map_index not in map_indexes:
            return []
        return [XComRow(**mine, key=k, value=v) for k, v in self.pending_xcoms.items() if key in (None, k)]

    # ---- the result -------------------------------------------------------------------------------------------------

    def request_skip(self, task_ids: Iterable[str], map_index: int | None = None) -> None:
        """Ask that these tasks be set skipped once this try has succeeded; of one map index only, if given."""
        self.skip_map_index = map_index
        self.skip_tasks.extend(task_id for task_id in task_ids if task_id not in self.skip_tasks)

    def __repr__(self) -> str:
        index = f"map_index={self.map_index} " if self.map_index >= 0 else ""
        return f"<TaskInstance: {self.dag_id}.{self.task_id} {self.run_id} {index}[{self.state}]>"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
