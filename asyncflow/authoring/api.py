"""What running user code may ask of the server: the `TaskApi` port, and the one in use in this process.

Two real implementations: `worker.client.SocketApi` (a task process or DAG host talking to the server) and
`testing.memory.MemoryApi` (`asyncflow test`, unit tests of DAGs). Over the socket each call is
`Request(method="<name>", params=<keyword arguments>)`, a TaskKey travelling as a list of its four parts.

Errors: `errors.NotFound`, `errors.Conflict`, `errors.InvalidInput`, `errors.ServerUnreachable`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Protocol, cast

import msgspec

from asyncflow.core.messages import RunContext
from asyncflow.core.models import TaskKey
from asyncflow.errors import ServerUnreachable


class XComRow(msgspec.Struct, frozen=True, kw_only=True):
    """One stored XCom; `value` is the JSON text of `authoring.xcom.encode`."""

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1
    key: str
    value: str


class DagInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What one DAG may know of another."""

    dag_id: str
    paused: bool = False
    task_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()


class DatasetEventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One update of a dataset; `source_dag_id` is empty for one from outside. `extra` is as the task gave it."""

    event_id: int
    uri: str
    name: str = ""  #: of an asset that has one beside its URI
    at: datetime
    extra: dict[str, Any] = {}
    aliases: tuple[str, ...] = ()
    source_dag_id: str = ""
    source_run_id: str = ""
    source_task_id: str = ""
    source_map_index: int = -1


class TaskApi(Protocol):
    """Synchronous: it is called from user code. Times are aware UTC."""

    def xcom_set(self, key: TaskKey, name: str, value: str, map_length: int | None) -> None:
        """Store one XCom at once, replacing one of the same name.

        `map_length` is the length to tell the scheduler when other tasks are mapped over it, else None.
        """
        ...

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
        """The XComs of a DAG's run that match; None = no filter, an empty list matches nothing.

        With `include_prior_dates`: those of every run of `dag_id` whose logical date is not after the one of
        `run_id` (a run id of any DAG). Order: logical date of their run, newest first; then time of writing (a
        replaced XCom counts as written anew), newest first.
        """
        ...

    def xcom_clear(self, key: TaskKey) -> None:
        """Delete all XComs of one task instance."""
        ...

    def dataset_events(
        self,
        *,
        uri: str | None = None,
        alias: str | None = None,
        newest_first: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> list[DatasetEventRow]:
        """Events in the order of time: of one dataset (by URI, or an asset's name), or of an alias; limit -1 = all."""
        ...

    def count_dataset_events(self, *, uri: str | None = None, alias: str | None = None) -> int: ...

    def triggering_events(self, dag_id: str, run_id: str) -> list[DatasetEventRow]:
        """The events that a run was made for, in the order of time."""
        ...

    def variable_get(self, name: str) -> str | None: ...

    def variable_set(self, name: str, value: str, description: str | None = None) -> None: ...

    def variable_delete(self, name: str) -> bool:
        """True if there was one."""
        ...

    def connection_get(self, conn_id: str) -> dict[str, Any] | None:
        """Fields conn_type, host, port, login, password, schema, extra (JSON text), description; None if absent."""
        ...

    def previous_run(self, dag_id: str, logical_date: datetime, state: str | None = None) -> RunContext | None:
        """The run with the latest logical date before this one; only runs in `state` if given."""
        ...

    def dag_runs(
        self,
        dag_id: str,
        *,
        run_ids: Sequence[str] | None = None,
        logical_dates: Sequence[datetime] | None = None,
        states: Sequence[str] | None = None,
    ) -> list[RunContext]:
        """Runs that match all filters given, oldest logical date first."""
        ...

    def wait_for_run(self, dag_id: str, run_id: str, states: Sequence[str], seconds: float) -> None:
        """Sleep until the run is in one of the states, at most so long; a server that is restarted does not end it."""
        ...

    def task_states(self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None) -> dict[str, str]:
        """State by "task_id", or "task_id[map_index]" for copies of a mapped task. `run_id` may not exist: empty."""
        ...

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
        """How many task instances match all filters given."""
        ...

    def dag_info(self, dag_id: str) -> DagInfo | None:
        """None if there is no such DAG."""
        ...

    def rest(self, resting: bool) -> None:
        """This task only sleeps from now on (or no longer): others may have its executor slot meanwhile. No errors."""
        ...

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
        """Make a manual run. One with the same run_id or logical date is a Conflict, or cleared if `reset_dag_run`."""
        ...


class NoServer:
    """The api of a file that runs on its own (`python my_dag.py`): no Variables, no Connections, nowhere to write.

    Nor has any dataset been updated.
    """

    def variable_get(self, name: str) -> str | None:
        return None

    def connection_get(self, conn_id: str) -> dict[str, Any] | None:
        return None

    def dataset_events(self, **filters: Any) -> list[DatasetEventRow]:
        return []

    def count_dataset_events(self, **filters: Any) -> int:
        return 0

    def triggering_events(self, dag_id: str, run_id: str) -> list[DatasetEventRow]:
        return []

    def rest(self, resting: bool) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise ServerUnreachable(f"{name} works inside a running task only: there is no asyncflow server here.")


_current: TaskApi | None = None
#: of one of the tasks that share an event loop
_own: ContextVar[TaskApi | None] = ContextVar("asyncflow_api", default=None)


def use_api(api: TaskApi | None) -> TaskApi | None:
    """Make `api` the one that Variable, Connection and `ti` use in this process; returns the one used before."""
    global _current
    before, _current = _current, api
    return before


@contextmanager
def own_api(api: TaskApi) -> Iterator[None]:
    """As `use_api` inside of the block, but for the coroutine that enters it alone."""
    token = _own.set(api)
    try:
        yield
    finally:
        _own.reset(token)


def current_api() -> TaskApi:
    """The api in use in this process."""
    used = _own.get() or _current
    if used is not None:
        return used
    # The pytest plugin must not import us only to say that it is there: tests that have nothing to do with DAGs pay.
    plugin = sys.modules.get("asyncflow.testing.plugin")
    return cast(TaskApi, plugin.api() if plugin is not None else NoServer())
