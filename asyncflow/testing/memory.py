"""`MemoryApi`: what tasks may ask of the server, answered from plain dicts; for `asyncflow test` and tests of DAGs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from asyncflow.authoring.api import DagInfo, DatasetEventRow, TaskApi, XComRow, current_api
from asyncflow.core import timetable
from asyncflow.core.messages import RunContext
from asyncflow.core.models import TaskKey
from asyncflow.core.states import RunType
from asyncflow.errors import Conflict, NotFound


def label(task_id: str, map_index: int = -1) -> str:
    """How a task instance is called in results: "task", or "task[3]" for a copy of a mapped one."""
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"


def info_of(dag: Any) -> DagInfo:
    """What other DAGs may know of a DAG."""
    return DagInfo(dag_id=dag.dag_id, task_ids=tuple(dag.task_ids), group_ids=tuple(dag.task_group_dict))


class MemoryApi:
    """All fields are public: a test fills them, looks at them, or hands in its own.

    `runs` by (dag_id, run_id), `states` by TaskKey, `connections` by conn_id with the fields of a Connection.
    """

    def __init__(
        self,
        *,
        variables: Mapping[str, str] | None = None,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        runs: Iterable[tuple[str, RunContext]] = (),
        dags: Iterable[DagInfo] = (),
        find_dag: Callable[[str], DagInfo | None] | None = None,
    ) -> None:
        """`find_dag` is asked for DAGs that are not among `dags`."""
        self.variables: dict[str, str] = dict(variables or {})
        self.connections: dict[str, dict[str, Any]] = {k: dict(v) for k, v in (connections or {}).items()}
        self.runs: dict[tuple[str, str], RunContext] = {(dag_id, run.run_id): run for dag_id, run in runs}
        self.dags: dict[str, DagInfo] = {dag.dag_id: dag for dag in dags}
        self._find_dag = find_dag
        self.states: dict[TaskKey, str] = {}
        #: runs that tasks asked for, in order
        self.triggered: list[RunContext] = []
        #: updates of datasets, oldest first, and by (dag_id, run_id) those that a run was made for
        self.events: list[DatasetEventRow] = []
        self.triggered_by: dict[tuple[str, str], list[DatasetEventRow]] = {}
        self._xcoms: dict[tuple[TaskKey, str], tuple[int, str]] = {}
        self._clock = count()

    # ---- XComs ----------------------------------------------------------------------------------------------------

    def xcom_set(self, key: TaskKey, name: str, value: str, map_length: int | None = None) -> None:
        self._xcoms[key, name] = (next(self._clock), value)

    def xcoms_of(self, key: TaskKey) -> dict[str, str]:
        """The stored JSON texts of one task instance, by name, oldest first."""
        mine = [(when, name, text) for (owner, name), (when, text) in self._xcoms.items() if owner == key]
        return {name: text for _, name, text in sorted(mine)}

    def xcom_rows(
        self,
        *,
        dag_id: str,
        run_id: str,
        task_ids: Sequence[str] | None = None,
        key: str | None = None,
        map_indexes: Sequence[int] | None = None,
        include_prior_dates: bool = False,
    ) -> list[XComRow]:
        runs = self._runs_up_to(run_id) if include_prior_dates else {run_id}
        found = [
            (self._date(owner), when, owner, name, text)
            for (owner, name), (when, text) in self._xcoms.items()
            if owner.dag_id == dag_id
            and owner.run_id in runs
            and (task_ids is None or owner.task_id in task_ids)
            and (key is None or name == key)
            and (map_indexes is None or owner.map_index in map_indexes)
        ]
        found.sort(key=lambda item: item[:2], reverse=True)
        return [
            XComRow(
                dag_id=owner.dag_id,
                task_id=owner.task_id,
                run_id=owner.run_id,
                map_index=owner.map_index,
                key=name,
                value=text,
            )
            for _, _, owner, name, text in found
        ]

    def _runs_up_to(self, run_id: str) -> set[str]:
        dates = [run.logical_date for (_, known), run in self.runs.items() if known == run_id and run.logical_date]
        return {
            known
            for (_, known), run in self.runs.items()
            if run.logical_date is not None and any(run.logical_date <= date for date in dates)
        } | {run_id}

    def _date(self, owner: TaskKey) -> float:
        run = self.runs.get((owner.dag_id, owner.run_id))
        return run.logical_date.timestamp() if run is not None and run.logical_date is not None else 0.0

    def xcom_clear(self, key: TaskKey) -> None:
        self._xcoms = {place: value for place, value in self._xcoms.items() if place[0] != key}

    def dataset_events(
        self,
        *,
        uri: str | None = None,
        alias: str | None = None,
        newest_first: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> list[DatasetEventRow]:
        found = [
            event
            for event in self.events
            if (uri is None or uri in (event.uri, event.name)) and (alias is None or alias in event.aliases)
        ]
        found = found[::-1] if newest_first else found
        return found[offset : None if limit < 0 else offset + limit]

    def count_dataset_events(self, *, uri: str | None = None, alias: str | None = None) -> int:
        return len(self.dataset_events(uri=uri, alias=alias, limit=-1))

    def triggering_events(self, dag_id: str, run_id: str) -> list[DatasetEventRow]:
        return self.triggered_by.get((dag_id, run_id), [])

    # ---- variables and connections --------------------------------------------------------------------------------

    def variable_get(self, name: str) -> str | None:
        return self.variables.get(name)

    def variable_set(self, name: str, value: str, description: str | None = None) -> None:
        self.variables[name] = value

    def variable_delete(self, name: str) -> bool:
        return self.variables.pop(name, None) is not None

    def connection_get(self, conn_id: str) -> dict[str, Any] | None:
        return self.connections.get(conn_id)

    # ---- runs and tasks -------------------------------------------------------------------------------------------

    def previous_run(self, dag_id: str, logical_date: datetime, state: str | None = None) -> RunContext | None:
        before = [run for run in self.dag_runs(dag_id) if run.logical_date and run.logical_date < logical_date]
        return next((run for run in reversed(before) if state is None or run.state == state), None)

    def dag_runs(
        self,
        dag_id: str,
        *,
        run_ids: Sequence[str] | None = None,
        logical_dates: Sequence[datetime] | None = None,
        states: Sequence[str] | None = None,
    ) -> list[RunContext]:
        found = [
            run
            for (owner, run_id), run in self.runs.items()
            if owner == dag_id
            and (run_ids is None or run_id in run_ids)
            and (logical_dates is None or run.logical_date in logical_dates)
            and (states is None or run.state in states)
        ]
        return sorted(found, key=lambda run: (run.logical_date is None, run.logical_date or run.run_after))

    def wait_for_run(self, dag_id: str, run_id: str, states: Sequence[str], seconds: float) -> None:
        if not self.dag_runs(dag_id, run_ids=[run_id], states=states):
            time.sleep(seconds)

    def task_states(self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None) -> dict[str, str]:
        return {
            label(key.task_id, key.map_index): state
            for key, state in self.states.items()
            if key.dag_id == dag_id and key.run_id == run_id and (task_ids is None or key.task_id in task_ids)
        }

    def task_count(
        self,
        dag_id: str,
        *,
        task_ids: Sequence[str] | None = None,
        group_id: str | None = None,
        run_ids: Sequence[str] | None = None,
        logical_dates: Sequence[datetime] | None = None,
        states: Sequence[str] | None = None,
    ) -> int:
        runs = {run.run_id for run in self.dag_runs(dag_id, run_ids=run_ids, logical_dates=logical_dates)}
        return sum(
            key.dag_id == dag_id
            and key.run_id in runs
            and (task_ids is None or key.task_id in task_ids)
            and (group_id is None or key.task_id.startswith(f"{group_id}."))
            and (states is None or state in states)
            for key, state in self.states.items()
        )

    def dag_info(self, dag_id: str) -> DagInfo | None:
        if dag_id not in self.dags and self._find_dag is not None and (found := self._find_dag(dag_id)) is not None:
            self.dags[dag_id] = found
        return self.dags.get(dag_id)

    def rest(self, resting: bool) -> None:
        """There are no slots here."""

    def trigger_dag_run(
        self,
        dag_id: str,
        *,
        run_id: str | None = None,
        logical_date: datetime | None = None,
        conf: dict[str, Any] | None = None,
        reset_dag_run: bool = False,
        note: str | None = None,
        triggered_by: str = "",
    ) -> RunContext:
        """Only noted down in `runs` and `triggered`: nothing runs it here. Raises NotFound for an unknown DAG."""
        if self.dag_info(dag_id) is None:
            raise NotFound("DAG called", dag_id, self.dags)
        date = logical_date or datetime.now().astimezone()
        name = run_id or timetable.run_id(RunType.MANUAL, date)
        if (dag_id, name) in self.runs and not reset_dag_run:
            raise Conflict(f"DAG {dag_id!r} has a run {name!r} already.")
        run = RunContext(
            run_id=name,
            dag_id=dag_id,
            logical_date=date,
            data_interval_start=date,
            data_interval_end=date,
            run_after=date,
            conf=conf or {},
            external_trigger=True,
            state="queued",
            note=note,
            triggered_by=triggered_by,
        )
        self.runs[dag_id, name] = run
        self.triggered.append(run)
        return run


def memory_in_use() -> MemoryApi | None:
    """The MemoryApi that answers in this process just now: in a test, that of the test."""
    api = current_api()
    return api if isinstance(api, MemoryApi) else None


class LayeredApi(MemoryApi):
    """For a run that is played inside of a task: runs and XComs in memory, all else by the api of that task."""

    def __init__(self, outer: TaskApi) -> None:
        super().__init__()
        self._outer = outer

    def variable_get(self, name: str) -> str | None:
        return self._outer.variable_get(name)

    def variable_set(self, name: str, value: str, description: str | None = None) -> None:
        self._outer.variable_set(name, value, description)

    def variable_delete(self, name: str) -> bool:
        return self._outer.variable_delete(name)

    def connection_get(self, conn_id: str) -> dict[str, Any] | None:
        return self._outer.connection_get(conn_id)

    def dag_info(self, dag_id: str) -> DagInfo | None:
        return self.dags.get(dag_id) or self._outer.dag_info(dag_id)

    def trigger_dag_run(self, dag_id: str, **settings: Any) -> RunContext:
        return self._outer.trigger_dag_run(dag_id, **settings)
