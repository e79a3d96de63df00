"""Triggers that wait for other runs, or tasks in them, to reach a state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from datetime import datetime
from typing import Any

from asyncflow.authoring.api import TaskApi, current_api
from asyncflow.authoring.triggers import BaseTrigger, TriggerEvent


class WorkflowTrigger(BaseTrigger):
    """Fires with {"status": "success" | "failed" | "skipped"} once runs of all `execution_dates` have come so far.

    Unlike Airflow 2.11's, one with `failed_states` waits on while nothing has failed.
    """

    def __init__(
        self,
        external_dag_id: str,
        execution_dates: list[datetime] | None = None,
        external_task_ids: Collection[str] | None = None,
        external_task_group_id: str | None = None,
        failed_states: Iterable[str] | None = None,
        skipped_states: Iterable[str] | None = None,
        allowed_states: Iterable[str] | None = None,
        poke_interval: float = 2.0,
        soft_fail: bool = False,
        logical_dates: list[datetime] | None = None,
        **kwargs: Any,
    ) -> None:
        """`logical_dates` is Airflow 3's name of `execution_dates`."""
        super().__init__(**kwargs)
        self.external_dag_id = external_dag_id
        self.execution_dates = list(execution_dates or logical_dates or ())
        self.external_task_ids = list(external_task_ids) if external_task_ids else None
        self.external_task_group_id = external_task_group_id
        self.failed_states = list(failed_states or ())
        self.skipped_states = list(skipped_states or ())
        self.allowed_states = list(allowed_states or ("success",))
        self.poke_interval = poke_interval
        self.soft_fail = soft_fail

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = (
            *("external_dag_id", "execution_dates", "external_task_ids", "external_task_group_id", "failed_states"),
            *("skipped_states", "allowed_states", "poke_interval", "soft_fail"),
        )
        return f"{__name__}.WorkflowTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            status = await asyncio.to_thread(self._status)
            if status is not None:
                yield TriggerEvent({"status": status})
                return
            await asyncio.sleep(self.poke_interval)

    def _status(self) -> str | None:
        if self.failed_states and self._count(self.failed_states) > 0:
            return "failed"
        if self.skipped_states and self._count(self.skipped_states) > 0:
            return "skipped"
        return "success" if self._count(self.allowed_states) == len(self.execution_dates) else None

    def _count(self, states: list[str]) -> float:
        return dates_in_states(
            current_api(),
            self.external_dag_id,
            self.execution_dates,
            states,
            task_ids=self.external_task_ids,
            group_id=self.external_task_group_id,
        )


class DagStateTrigger(BaseTrigger):
    """Fires once all runs meant are in one of `states`, with itself, serialized, as payload (as Airflow's)."""

    def __init__(
        self,
        dag_id: str,
        states: list[str],
        execution_dates: list[datetime] | None = None,
        poll_interval: float = 5.0,
        run_ids: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """The runs are those of `run_ids`, or of `execution_dates`."""
        super().__init__(**kwargs)
        self.dag_id = dag_id
        self.states = [str(state) for state in states]
        self.execution_dates = execution_dates
        self.poll_interval = poll_interval
        self.run_ids = run_ids

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("dag_id", "states", "execution_dates", "poll_interval", "run_ids")
        return f"{__name__}.DagStateTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            if await asyncio.to_thread(self._are_there):
                yield TriggerEvent(self.serialize())
                return
            await asyncio.sleep(self.poll_interval)

    def _are_there(self) -> bool:
        dates = self.execution_dates if self.run_ids is None else None
        runs = current_api().dag_runs(self.dag_id, run_ids=self.run_ids, logical_dates=dates, states=self.states)
        return len(runs) >= len(self.run_ids or self.execution_dates or ())


def dates_in_states(
    api: TaskApi,
    dag_id: str,
    dates: list[datetime],
    states: list[str],
    *,
    task_ids: list[str] | None,
    group_id: str | None,
) -> float:
    """For how many of the dates all that is waited for (tasks, a group, or the whole run) is in one of the states."""
    if not task_ids and not group_id:
        return len(api.dag_runs(dag_id, logical_dates=dates, states=states))
    filters: dict[str, Any] = {"task_ids": task_ids, "group_id": group_id}
    found = api.task_count(dag_id, **filters, logical_dates=dates, states=states)
    if task_ids:
        return found / len(task_ids)
    whole = api.task_count(dag_id, **filters, logical_dates=dates)
    return found / whole * len(dates) if whole else 0
