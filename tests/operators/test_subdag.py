"""A task that is a whole DAG."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from asyncflow.authoring.dag import DAG
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.variable import Variable
from asyncflow.operators.empty import EmptyOperator
from asyncflow.operators.python import PythonOperator
from asyncflow.operators.subdag import SubDagOperator
from asyncflow.testing.memory import MemoryApi
from asyncflow.testing.player import play

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def parent(call: Any, **connections: Any) -> DAG:
    inner = DAG("d.part", start_date=START, schedule=None)
    EmptyOperator(task_id="one", dag=inner) >> PythonOperator(task_id="two", python_callable=call, dag=inner)
    with DAG("d", start_date=START, schedule=None) as dag:
        SubDagOperator(task_id="part", subdag=inner) >> EmptyOperator(task_id="after")
    return dag


def test_its_tasks_run_for_the_same_date_with_the_same_variables() -> None:
    seen: list[Any] = []
    api = MemoryApi(variables={"v": "1"})
    dag = parent(lambda ds, dag_run: seen.append((ds, dag_run.conf, Variable.get("v"), Variable.set("w", "2"))))
    result = play(dag, START, conf={"a": 1}, api=api, logs=False)
    assert result.tasks == {"part": "success", "after": "success"}
    assert seen == [("2024-01-01", {"a": 1}, "1", None)]
    assert api.variables["w"] == "2"
    assert dag.task_dict["part"].subdag.parent_dag is dag


def test_it_fails_when_its_run_fails() -> None:
    result = play(parent(lambda: 1 / 0), START, logs=False)
    assert result.errors == {"part": "AirflowException: Expected state: SUCCESS. Actual state: FAILED"}
    assert result.tasks["after"] == "upstream_failed"


def test_its_dag_must_be_called_after_it() -> None:
    with DAG("d", start_date=START, schedule=None), pytest.raises(AirflowException, match="Expected 'd.part'"):
        SubDagOperator(task_id="part", subdag=DAG("other", schedule=None))
