"""Airflow 2.11's XComs, recorded: what `xcom_pull` gives for what was pushed, and what a task leaves."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import os
import pathlib
from functools import cache
from pathlib import Path
from typing import Any

import pendulum
import pytest

from asyncflow.authoring.taskinstance import TaskInstance
from asyncflow.authoring.xcom import LazySelectSequence, encode
from asyncflow.core.messages import RunContext, TryInfo
from asyncflow.core.models import TaskKey
from asyncflow.testing.memory import MemoryApi
from asyncflow.testing.player import play
from tests.golden.airflow_names import airflow_names

GOLDEN = Path(os.environ.get("ASYNCFLOW_GOLDEN", Path(__file__).parent / "data"))
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
#: what the expressions in `returns` and `annotation` may use
NAMES = {"datetime": datetime, "decimal": decimal, "pathlib": pathlib, "pendulum": pendulum}


@cache
def recorded() -> Any:
    return json.loads((GOLDEN / "xcom.json").read_text())


def cases(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in recorded()["cases"] if case["kind"] == kind]


def shown(value: Any) -> Any:
    """A value as the recording writes it: class name and JSON value, members too."""
    name = type(value).__name__
    if isinstance(value, datetime.datetime | datetime.date):
        return {"type": name, "value": value.isoformat()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"type": name, "value": str(value)}
    if isinstance(value, list | tuple):
        return {"type": name, "value": [shown(item) for item in value]}
    if isinstance(value, set):
        return {"type": name, "value": sorted((shown(item) for item in value), key=str)}
    if isinstance(value, dict):
        return {"type": name, "value": {str(key): shown(item) for key, item in value.items()}}
    plain = value is None or type(value) in (str, int, float, bool)
    return {"type": name, "value": value if plain else str(value)}


# ---- pulling --------------------------------------------------------------------------------------------------------


def run_of(number: int) -> RunContext:
    date = START + datetime.timedelta(days=number)
    return RunContext(run_id=f"scheduled__{date.isoformat()}", run_type="scheduled", logical_date=date)


def world(number: int) -> MemoryApi:
    api = MemoryApi(runs=[(dag_id, run_of(n)) for dag_id in ("main_dag", "other_dag") for n in range(3)])
    for push in recorded()["about"]["worlds"][number]:
        key = TaskKey(push["dag_id"], run_of(push["run"]).run_id, push["task_id"], push["map_index"])
        api.xcom_set(key, push["key"], encode(push["value"]))
    return api


@pytest.mark.parametrize("case", cases("pull"))
def test_pull_gives_what_airflow_gives(case: dict[str, Any]) -> None:
    api = world(case["world"])
    info = TryInfo(token="t", dag_id="main_dag", task_id="puller", run=run_of(case["run"]), log_path="")
    ti = TaskInstance(None, info, api, now=lambda: START)
    expected = case["expected"]
    if "error" in expected:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is what is compared
            ti.xcom_pull(**case["arguments"])
        assert type(caught.value).__name__ == expected["error"]
        return
    value = ti.xcom_pull(**case["arguments"])
    assert isinstance(value, LazySelectSequence) == bool(expected["lazy"])
    found = [shown(item) for item in value] if expected["lazy"] else shown(value)
    wanted = expected["value"]
    if expected["lazy"]:
        wanted = wanted["value"] if isinstance(wanted, dict) else wanted
        if expected.get("unordered"):
            found, wanted = sorted(found, key=str), sorted(wanted, key=str)
    assert found == wanted


# ---- what a task leaves ---------------------------------------------------------------------------------------------


def make_dag(case: dict[str, Any]) -> Any:
    """A DAG of one TaskFlow task that does what the case says."""
    with airflow_names():
        from airflow.decorators import task
        from airflow.models.dag import DAG

    def work(**context: Any) -> Any:
        for key, value in case.get("pushes", {}).items():
            context["ti"].xcom_push(key=key, value=value)
        first = case.get("fail_first_try_after_pushing")
        if first and context["ti"].try_number == 1:
            for key, value in first.items():
                context["ti"].xcom_push(key=key, value=value)
            raise ValueError("told to fail the first try")
        return eval(case["returns"], dict(NAMES))

    if "annotation" in case:
        work.__annotations__["return"] = eval(case["annotation"], dict(NAMES))
    else:
        work.__annotations__.pop("return")
    options = {name: case[name] for name in ("multiple_outputs", "do_xcom_push") if name in case}
    with DAG(dag_id="leaves", start_date=START, schedule=None) as dag:
        task(task_id="work", retries=1, retry_delay=datetime.timedelta(0), **options)(work)()
    return dag


@pytest.mark.parametrize("case", cases("task"))
def test_a_task_leaves_what_it_leaves_in_airflow(case: dict[str, Any]) -> None:
    result = play(make_dag(case), START, logs=False)
    found = {
        "state": result.tasks["work"],
        "tries": result.tries["work"],
        "xcoms": {key: shown(value) for key, value in result.xcoms.get("work", {}).items()},
    }
    assert found == case["expected"]
