"""The server's side of what running tasks ask (`authoring.api.TaskApi`), over the unix socket.

Fencing: a request must come with the token of a try that the scheduler knows as current; anything else is refused and
logged, so that a process whose try was ended or lost can write nothing any more.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio

from asyncflow.core.messages import Hello, Request
from asyncflow.core.models import TaskKey
from asyncflow.core.sentence import Sentence, told
from asyncflow.core.states import RunState, TaskState
from asyncflow.engine.actions import Actions
from asyncflow.engine.audit import acting
from asyncflow.engine.changes import VARIABLES, Changes
from asyncflow.engine.jsonable import iso, struct_dict
from asyncflow.engine.launcher import run_context
from asyncflow.engine.moments import moment
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict, InvalidInput, NotFound
from asyncflow.store.database import Store

log = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[Any]]


class TaskRequests:
    """Answers Requests of task processes and DAG hosts (role "task" or "host") and of the CLI (role "cli")."""

    def __init__(
        self,
        *,
        store: Store,
        scheduler: Scheduler,
        actions: Actions,
        variable_changed: Callable[[str], None],
        changes: Changes,
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._actions = actions
        self._variable_changed = variable_changed
        self._changes = changes
        self._task_methods: dict[str, Handler] = {
            name: getattr(self, name)
            for name in (
                "xcom_set",
                "xcom_rows",
                "xcom_clear",
                "variable_get",
                "variable_set",
                "variable_delete",
                "connection_get",
                "previous_run",
                "dag_runs",
                "task_states",
                "task_count",
                "dag_info",
                "dataset_events",
                "count_dataset_events",
                "triggering_events",
                "trigger_dag_run",
                "wait_for_run",
            )
        }

    async def answer(self, hello: Hello, request: Request) -> Any:
        """The result of one request. Raises errors.* for what is to be told to the asker."""
        if hello.role == "cli":
            return await self._person(request)
        # A DAG host may read Variables and Connections while it imports; it has no try of its own.
        if hello.role != "host" and hello.id not in self._scheduler.world.live_tokens():
            log.warning("Refused %s of a try that is no longer current (pid %s)", request.method, hello.process.pid)
            raise Conflict("This try is no longer the current one of its task instance, so it may not act.")
        if request.method == "rest":
            resting = bool(request.params.get("resting"))
            return self._scheduler.tell(lambda world, now: world.try_rests(hello.id, resting))
        handler = self._task_methods.get(request.method)
        if handler is None:
            raise NotFound("request", request.method, self._task_methods)
        return await handler(**request.params)

    async def _person(self, request: Request) -> Any:
        handler = getattr(self._actions, request.method, None)
        if handler is None or request.method.startswith("_"):
            raise NotFound("action", request.method, [m for m in dir(self._actions) if not m.startswith("_")])
        try:
            with acting("cli"):
                return await handler(**request.params)
        except TypeError as error:
            if "argument" in str(error):
                raise InvalidInput("{method}: {error}.", method=request.method, error=told(error)) from None
            raise

    # ---- XCom -------------------------------------------------------------------------------------------------------

    async def xcom_set(self, key: Sequence[Any], name: str, value: str, map_length: int | None = None) -> None:
        """Written at once. The length of an output that is mapped over comes with the try's result instead."""
        await self._store.xcom_set(TaskKey(*key), name, value)

    async def xcom_rows(self, dag_id: str, **filters: Any) -> list[dict[str, Any]]:
        rows = await self._store.xcom_rows(dag_id=dag_id, **filters)
        return [{"dag_id": dag_id, **struct_dict(row)} for row in rows]

    async def xcom_clear(self, key: Sequence[Any]) -> None:
        await self._store.xcom_clear(TaskKey(*key))

    # ---- variables and connections ----------------------------------------------------------------------------------

    async def variable_get(self, name: str) -> str | None:
        return await self._store.variable_get(name)

    async def variable_set(self, name: str, value: str, description: str | None = None) -> None:
        await self._store.variable_set(name, value, description)
        self._variable_changed(name)
        self._changes.noted(VARIABLES)

    async def variable_delete(self, name: str) -> bool:
        deleted = await self._store.variable_delete(name)
        self._variable_changed(name)
        self._changes.noted(VARIABLES)
        return deleted

    async def connection_get(self, conn_id: str) -> dict[str, Any] | None:
        return await self._store.connection_get(conn_id)

    # ---- other runs and DAGs ----------------------------------------------------------------------------------------

    async def previous_run(self, dag_id: str, logical_date: str, state: str | None = None) -> dict[str, Any] | None:
        run = await self._store.run_before(
            dag_id, moment(str(logical_date), "logical_date"), state=RunState(state) if state else None
        )
        return struct_dict(run_context(run)) if run is not None else None

    async def dag_runs(
        self,
        dag_id: str,
        run_ids: Sequence[str] | None = None,
        logical_dates: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        chosen = [RunState(state) for state in states] if states is not None else None
        if run_ids is not None:
            dates = None if logical_dates is None else {moment(str(d), "logical_dates") for d in logical_dates}
            return [
                struct_dict(run_context(run))
                for run in await self._store.runs_by_id(dag_id, run_ids)
                if (dates is None or run.logical_date in dates) and (chosen is None or run.state in chosen)
            ]
        spans = (
            [(None, None)] if logical_dates is None else [(moment(str(d), "logical_dates"),) * 2 for d in logical_dates]
        )
        runs = []
        for first, last in spans:
            runs += await self._store.find_runs(
                dag_id=dag_id, states=chosen, logical_from=first, logical_to=last, limit=100_000, oldest_first=True
            )
        return [struct_dict(run_context(run)) for run in runs]

    async def wait_for_run(self, dag_id: str, run_id: str, states: Sequence[str], seconds: float) -> None:
        """Answers when the run is in one of the states, at the latest after so many seconds."""
        changed = _Signal()
        stop = self._changes.listen(lambda names: changed.set() if (dag_id, run_id) in names else None)
        try:
            with anyio.move_on_after(seconds):
                while not await self.dag_runs(dag_id, run_ids=[run_id], states=states):
                    await changed.wait()
        finally:
            stop()

    async def task_states(
        self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None
    ) -> dict[str, str | None]:
        states: dict[str, str | None] = {}
        for ti in await self._store.list_tasks(dag_id, run_id):
            if task_ids is None or ti.task_id in task_ids:
                name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
                states[name] = None if ti.state is TaskState.NONE else str(ti.state)
        return states

    async def task_count(
        self,
        dag_id: str,
        task_ids: Sequence[str] | None = None,
        group_id: str | None = None,
        run_ids: Sequence[str] | None = None,
        logical_dates: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
    ) -> int:
        runs = await self.dag_runs(dag_id, run_ids=run_ids, logical_dates=logical_dates)
        members = await self._group_members(dag_id, group_id) if group_id is not None else None
        count = 0
        for run in runs:
            for ti in await self._store.list_tasks(dag_id, run["run_id"]):
                chosen = task_ids is None or ti.task_id in task_ids
                chosen = chosen and (members is None or ti.task_id in members)
                count += chosen and (states is None or ti.state in states)
        return count

    async def _group_members(self, dag_id: str, group_id: str) -> set[str]:
        dag = await self._store.load_dag(dag_id)
        if dag is None:
            return set()
        prefix = f"{group_id}."
        groups = {g for g in dag.spec.groups if g == group_id or g.startswith(prefix)}
        return {task.task_id for task in dag.spec.tasks.values() if task.group_id in groups}

    async def dag_info(self, dag_id: str) -> dict[str, Any] | None:
        dag = await self._store.load_dag(dag_id)
        if dag is None:
            return None
        return {
            "dag_id": dag_id,
            "paused": dag.paused,
            "task_ids": list(dag.spec.tasks),
            "group_ids": list(dag.spec.groups),
        }

    # ---- datasets ---------------------------------------------------------------------------------------------------

    async def dataset_events(self, **filters: Any) -> list[dict[str, Any]]:
        return [struct_dict(event) for event in await self._store.dataset_events(**filters)]

    async def count_dataset_events(self, **filters: Any) -> int:
        return await self._store.count_dataset_events(**filters)

    async def triggering_events(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return [struct_dict(event) for event in await self._store.events_of_run(dag_id, run_id)]

    # ---- making runs ------------------------------------------------------------------------------------------------

    async def trigger_dag_run(
        self,
        dag_id: str,
        run_id: str | None = None,
        logical_date: str | None = None,
        conf: dict[str, Any] | None = None,
        reset_dag_run: bool = False,
        note: str | None = None,
        triggered_by: str = "",
    ) -> dict[str, Any]:
        date = moment(str(logical_date), "logical_date") if logical_date else None
        try:
            made = await self._actions.trigger_dag(
                dag_id, run_id=run_id, logical_date=iso(date), conf=conf, note=note, triggered_by=triggered_by
            )
            name: str = made["run_id"]
        except Conflict:
            taken = await self._store.run_exists(dag_id, run_id or "", date)
            if not reset_dag_run or taken is None:
                raise
            await self._actions.clear_run(dag_id, taken)
            name = taken
        found = await self._store.load_run(dag_id, name)
        if found is None:
            raise NotFound(Sentence("run of DAG {dag!r} named", dag=dag_id), name)
        return struct_dict(run_context(found[0]))


class _Signal:
    """An event that can happen again."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        """Until it is set; then, it can be set anew."""
        await self._event.wait()
        self._event = anyio.Event()
