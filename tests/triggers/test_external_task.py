"""Triggers that wait for runs and tasks of other DAGs."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from asyncflow.authoring.api import use_api
from asyncflow.authoring.xcom import to_json_types
from asyncflow.core.messages import RunContext
from asyncflow.core.models import TaskKey
from asyncflow.testing.memory import MemoryApi
from asyncflow.triggers.external_task import DagStateTrigger, WorkflowTrigger
from asyncflow.worker.triggering import first_event, make_trigger

DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def api() -> Any:
    api = MemoryApi()
    before = use_api(api)
    yield api
    use_api(before)


def put(api: MemoryApi, state: str, **tasks: str) -> None:
    api.runs["other", "r"] = RunContext(dag_id="other", run_id="r", logical_date=DAY, state=state)
    for task_id, task_state in tasks.items():
        api.states[TaskKey("other", "r", task_id)] = task_state


def status(**arguments: Any) -> Any:
    trigger = WorkflowTrigger("other", [DAY], poke_interval=0.001, **arguments)
    classpath, kwargs = trigger.serialize()
    again = make_trigger(classpath, to_json_types(kwargs))
    return asyncio.run(asyncio.wait_for(first_event(again), 0.1)).payload["status"]


def test_a_run_or_its_tasks_reach_a_state(api: MemoryApi) -> None:
    put(api, "success", a="success", b="failed", c="skipped")
    assert status() == "success"
    assert status(external_task_ids=["a"]) == "success"
    assert status(external_task_ids=["b"], failed_states=["failed"]) == "failed"
    assert status(external_task_ids=["c"], skipped_states=["skipped"]) == "skipped"


def test_it_waits_for_what_is_not_there_yet(api: MemoryApi) -> None:
    put(api, "running", a="running")
    for arguments in ({}, {"external_task_ids": ["a"], "failed_states": ["failed"]}):
        with pytest.raises(TimeoutError):
            status(**arguments)


def test_a_run_by_its_id_or_date(api: MemoryApi) -> None:
    put(api, "failed")
    for arguments in ({"run_ids": ["r"]}, {"execution_dates": [DAY]}):
        trigger = DagStateTrigger("other", ["success", "failed"], **arguments)
        event = asyncio.run(first_event(trigger))
        assert event.payload == trigger.serialize()
    waiting = DagStateTrigger("other", ["success"], run_ids=["r"], poll_interval=0.001)
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(first_event(waiting), 0.05))


def test_the_words_of_airflow_3() -> None:
    assert WorkflowTrigger("other", logical_dates=[DAY]).execution_dates == [DAY]
