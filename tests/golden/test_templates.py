"""Airflow 2.11's templates, recorded: what each template renders to in a defined context."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pendulum
import pytest

from asyncflow.authoring.api import use_api
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.taskinstance import TaskInstance
from asyncflow.authoring.xcom import encode
from asyncflow.core import timetable as core
from asyncflow.core.messages import RunContext, TryInfo
from asyncflow.core.models import TaskKey
from asyncflow.operators.empty import EmptyOperator
from asyncflow.operators.python import PythonOperator
from asyncflow.testing.memory import MemoryApi

GOLDEN = Path(os.environ.get("ASYNCFLOW_GOLDEN", Path(__file__).parent / "data"))


@cache
def recorded() -> Any:
    return json.loads((GOLDEN / "templates.json").read_text())


def make_dag(given: Mapping[str, Any], template: Any) -> Any:
    """The DAG of a scenario; returns the task whose templates are rendered."""
    schedule = given["schedule"]
    if isinstance(schedule, dict):
        schedule = dt.timedelta(seconds=schedule["timedelta_seconds"])
    undefined = jinja2.Undefined if given.get("template_undefined") else jinja2.StrictUndefined
    with DAG(
        dag_id=given["dag_id"],
        schedule=schedule,
        start_date=pendulum.datetime(2020, 1, 1, tz=given["timezone"]),
        catchup=True,
        params=given["params"],
        tags=given["tags"],
        default_args={**given["default_args"], "owner": given["owner"]},
        user_defined_macros={name: eval(text) for name, text in given["user_defined_macros"].items()},
        user_defined_filters={name: eval(text) for name, text in given["user_defined_filters"].items()},
        render_template_as_native_obj=given["render_template_as_native_obj"],
        template_undefined=undefined,
    ):
        before = [EmptyOperator(task_id=name) for name in ("extract", "count", "nothing")]
        arguments = {"task_id": given["task_id"], "python_callable": print, "params": given["task_params"]}
        kwargs = {"value": template}
        if given.get("mapped"):
            copies = [[n] for n in range(given["mapped"]["count"])]
            task = PythonOperator.partial(op_kwargs=kwargs, **arguments).expand(op_args=copies)
        else:
            task = PythonOperator(op_kwargs=kwargs, **arguments)
        before >> task
    return task


def interval_of(dag: DAG, logical_date: dt.datetime, run_type: str) -> tuple[dt.datetime, dt.datetime]:
    spec = dag.timetable.to_spec()
    if run_type == "manual":
        return core.manual_interval(spec, logical_date)
    info = core.next_run(
        spec, last=None, earliest=logical_date, latest=None, catchup=True, now=logical_date + dt.timedelta(days=40)
    )
    assert info is not None
    assert info.logical_date == logical_date
    return info.data_interval


def run_of(dag: DAG, given: Mapping[str, Any]) -> RunContext:
    logical_date = dt.datetime.fromisoformat(given["logical_date"])
    start, end = interval_of(dag, logical_date, given["run_type"])
    return RunContext(
        run_id=given["run_id"],
        run_type=given["run_type"],
        logical_date=logical_date,
        data_interval_start=start,
        data_interval_end=end,
        conf=given["conf"] or {},
        external_trigger=given["run_type"] == "manual",
        state="running",
    )


def api_of(dag: DAG, given: Mapping[str, Any]) -> MemoryApi:
    runs = []
    for run in given["previous_runs"]:
        date = dt.datetime.fromisoformat(run["logical_date"])
        start, end = interval_of(dag, date, "scheduled")
        runs.append(
            RunContext(
                run_id=core.run_id("scheduled", date),
                run_type="scheduled",
                logical_date=date,
                data_interval_start=start,
                data_interval_end=end,
                state=run["state"],
                started_at=dt.datetime.fromisoformat(run["start_date"]),
                ended_at=dt.datetime.fromisoformat(run["end_date"]),
            )
        )
    connections = {
        name: {**fields, "extra": json.dumps(fields["extra"])} for name, fields in given["connections"].items()
    }
    api = MemoryApi(
        variables=given["variables"], connections=connections, runs=[(given["dag_id"], run) for run in runs]
    )
    for push in given["xcoms"]:
        key = TaskKey(given["dag_id"], given["run_id"], push["task_id"], -1)
        api.xcom_set(key, push["key"], encode(push["value"]))
    return api


def shown(value: Any) -> dict[str, Any]:
    """A value as the recording writes it."""
    name = type(value).__name__
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return {"type": name, "value": value.isoformat()}
    if isinstance(value, list | tuple):
        return {"type": name, "value": [shown(item) for item in value]}
    if isinstance(value, set):
        return {"type": name, "value": sorted((shown(item) for item in value), key=str)}
    if isinstance(value, dict):
        return {"type": name, "value": {str(key): shown(item) for key, item in value.items()}}
    plain = value is None or type(value) in (str, int, float, bool)
    return {"type": name, "value": value if plain else str(value)}


def rendered(case: Mapping[str, Any]) -> dict[str, Any]:
    given = recorded()["about"]["scenarios"][case["scenario"]]
    template = case["template"]["literal"] if isinstance(case["template"], dict) else case["template"]
    task = make_dag(given, template)
    api = api_of(task.dag, given)
    info = TryInfo(
        token="t",
        dag_id=given["dag_id"],
        task_id=given["task_id"],
        map_index=given["mapped"]["map_index"] if given.get("mapped") else -1,
        try_number=1,
        max_tries=3,
        run=run_of(task.dag, given),
        log_path="",
    )
    before = use_api(api)
    try:
        ti = TaskInstance(task, info, api, now=lambda: dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
        ti.render_templates()
        return shown(ti.task.op_kwargs["value"])
    except Exception as error:
        return {"error": type(error).__name__}
    finally:
        use_api(before)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in recorded()["cases"]])
def test_renders_as_in_airflow(case: dict[str, Any]) -> None:
    assert rendered(case) == case["expected"]
