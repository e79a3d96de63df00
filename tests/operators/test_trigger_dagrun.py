"""TriggerDagRunOperator against an api in memory."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from asyncflow import DAG
from asyncflow.authoring.api import DagInfo
from asyncflow.errors import NotFound
from asyncflow.operators.trigger_dagrun import TriggerDagRunOperator
from asyncflow.testing.memory import MemoryApi
from asyncflow.testing.player import run_one

DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def trigger(api: MemoryApi, **kwargs: Any) -> Any:
    with DAG("d", start_date=DAY) as dag:
        TriggerDagRunOperator(task_id="t", trigger_dag_id="other", **kwargs)
    return run_one(dag, "t", DAY, api=api, logs=False)


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi(dags=[DagInfo(dag_id="other", paused=True)])


def test_run_is_made_with_conf_and_date_rendered(api: MemoryApi) -> None:
    result = trigger(
        api, conf={"day": "{{ ds }}"}, execution_date="{{ data_interval_end }}", trigger_run_id="r_{{ ds }}"
    )
    assert result.outcome == "success", result.error
    (run,) = api.triggered
    assert (run.run_id, run.conf, run.logical_date) == ("r_2024-01-01", {"day": "2024-01-01"}, DAY)


class Empty(MemoryApi):
    """Has no DAG to trigger."""

    def trigger_dag_run(self, dag_id: str, **kwargs: Any) -> Any:
        raise NotFound("DAG", dag_id)


def test_dag_that_is_not_there_fails() -> None:
    assert str(trigger(Empty()).error) == "DagNotFound: There is no DAG 'other'."


def test_existing_run_fails_skips_or_is_cleared(api: MemoryApi) -> None:
    assert trigger(api, trigger_run_id="r").outcome == "success"
    assert "DagRunAlreadyExists" in str(trigger(api, trigger_run_id="r").error)
    assert trigger(api, trigger_run_id="r", skip_when_already_exists=True).outcome == "skipped"
    assert trigger(api, trigger_run_id="r", reset_dag_run=True).outcome == "success"


def test_conf_must_be_json(api: MemoryApi) -> None:
    assert "conf parameter should be JSON Serializable" in str(trigger(api, conf={"x": {1}}).error)


def test_paused_dag_fails_if_asked_to(api: MemoryApi) -> None:
    assert "Dag other is paused" in str(trigger(api, fail_when_dag_is_paused=True).error)


def test_date_of_a_wrong_type_is_refused() -> None:
    with pytest.raises(TypeError, match="execution_date must be a text or a datetime, not int"):
        TriggerDagRunOperator(task_id="t", trigger_dag_id="other", execution_date=5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("state", "outcome"), [("success", "success"), ("failed", "failed")])
def test_waits_for_the_end_of_the_run(
    api: MemoryApi, monkeypatch: pytest.MonkeyPatch, state: str, outcome: str
) -> None:
    states = iter(["running", "running", state])
    original = api.dag_runs

    def dag_runs(*args: Any, **kwargs: Any) -> Any:
        import msgspec

        return [msgspec.structs.replace(run, state=next(states)) for run in original(*args, **kwargs)]

    monkeypatch.setattr(api, "dag_runs", dag_runs)
    assert trigger(api, wait_for_completion="true", poke_interval=0).outcome == outcome
