"""What sensors tell the server to watch for, and when they rather poke."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from asyncflow import DAG
from asyncflow.authoring.api import DagInfo
from asyncflow.authoring.dataset import Dataset
from asyncflow.authoring.exceptions import AirflowSensorTimeout
from asyncflow.authoring.serialize import to_spec
from asyncflow.core.conditions import IntervalOver, MomentPassed, OtherRun, TimeOfDay
from asyncflow.core.messages import RunContext
from asyncflow.core.models import TaskKey
from asyncflow.core.specs import SensorSpec
from asyncflow.sensors.base import BaseSensorOperator
from asyncflow.sensors.date_time import DateTimeSensor
from asyncflow.sensors.external_task import ExternalTaskSensor
from asyncflow.sensors.filesystem import FileSensor
from asyncflow.sensors.python import PythonSensor
from asyncflow.sensors.time_delta import TimeDeltaSensor
from asyncflow.sensors.time_sensor import TimeSensor
from asyncflow.testing.memory import MemoryApi
from asyncflow.testing.player import play

DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def dag() -> Iterator[DAG]:
    with DAG("d", schedule="@daily", start_date=DAY) as made:
        yield made


def spec(task: BaseSensorOperator) -> SensorSpec:
    found = to_spec(task.dag).tasks[task.task_id].sensor
    assert found is not None
    return found


def external(**kwargs: Any) -> ExternalTaskSensor:
    return ExternalTaskSensor(**{"task_id": "s", "external_dag_id": "other", **kwargs})


def moment(**kwargs: Any) -> DateTimeSensor:
    return DateTimeSensor(**{"task_id": "s", "target_time": DAY, **kwargs})


# ---- known when the file is loaded


@pytest.mark.parametrize(
    ("kwargs", "condition"),
    [
        ({}, OtherRun(dag_id="other")),
        ({"external_task_id": "x"}, OtherRun(dag_id="other", task_ids=("x",))),
        ({"external_task_ids": ["x", "y"]}, OtherRun(dag_id="other", task_ids=("x", "y"))),
        ({"external_task_group_id": "g"}, OtherRun(dag_id="other", group_id="g")),
        ({"execution_delta": HOUR}, OtherRun(dag_id="other", delta=HOUR)),
        (
            {"allowed_states": ["failed"], "failed_states": ["success"], "skipped_states": ["running"]},
            OtherRun(dag_id="other", allowed=("failed",), failed=("success",), skipped=("running",)),
        ),
    ],
)
def test_another_run(kwargs: dict[str, Any], condition: OtherRun) -> None:
    assert spec(external(**kwargs)).condition == condition


def test_times() -> None:
    assert spec(moment()).condition == MomentPassed(at=DAY)
    assert spec(TimeDeltaSensor(task_id="delta", delta=HOUR)).condition == IntervalOver(delta=HOUR)
    day = TimeSensor(task_id="day", target_time=dt.time(5))
    assert spec(day).condition == TimeOfDay(time=dt.time(5), timezone="UTC")


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_the_mode_makes_no_difference(mode: str) -> None:
    assert spec(moment(mode=mode)).condition is not None


@pytest.mark.parametrize(
    "task",
    [
        lambda: external(external_dag_id="{{ params.dag }}"),
        lambda: external(external_task_ids=["x", "{% if 1 %}y{% endif %}"]),
        lambda: external(execution_date_fn=lambda date: date),
        lambda: external(check_existence=True),
        lambda: external(external_task_ids=["x", "x"]),
        lambda: external(deferrable=True),
        lambda: moment(target_time="{{ ds }}"),
        lambda: moment(target_time="soon"),
        lambda: moment(silent_fail=True),
        lambda: moment(never_fail=True),
        lambda: moment(exponential_backoff=True),
        lambda: moment(execution_timeout=HOUR),
        lambda: TimeSensor(task_id="s", target_time=dt.time(5, tzinfo=dt.UTC)),
        lambda: FileSensor(task_id="s", filepath="/x"),
        lambda: PythonSensor(task_id="s", python_callable=lambda: True),
        lambda: type("Mine", (DateTimeSensor,), {})(task_id="s", target_time=DAY),
    ],
)
def test_some_must_poke(task: Any) -> None:
    assert spec(task()).condition is None


def test_an_offset_without_a_name_must_poke() -> None:
    with DAG("offset", start_date=dt.datetime(2024, 1, 1, tzinfo=dt.timezone(HOUR))):
        assert spec(TimeSensor(task_id="s", target_time=dt.time(5))).condition is None


def test_mapped_sensors_poke_first(dag: DAG) -> None:
    ExternalTaskSensor.partial(task_id="s").expand(external_dag_id=["a", "b"])
    found = to_spec(dag).tasks["s"].sensor
    assert found is not None
    assert found.condition is None


@pytest.mark.parametrize(
    ("kwargs", "attended"),
    [
        ({}, False),
        ({"on_failure_callback": print}, True),
        ({"outlets": [Dataset("s3://x")]}, True),
        ({"email": "me@example.com"}, True),
        ({"pre_execute": lambda context: None}, True),
        ({"post_execute": lambda context, result: None}, True),
    ],
)
def test_what_else_has_to_run_asks_for_a_process(kwargs: dict[str, Any], attended: bool) -> None:
    assert spec(moment(**kwargs)).attended is attended


def test_execute_by_itself_pokes_as_ever() -> None:
    waits = moment(target_time=DAY.replace(year=2199), timeout=0)
    for context in ({}, {"ti": MagicMock()}):
        with pytest.raises(AirflowSensorTimeout):
            waits.execute(context)


# ---- played


def other_run(state: str, *, task_state: str = "success") -> MemoryApi:
    run = RunContext(run_id="r", dag_id="other", logical_date=DAY, run_after=DAY, state=state)
    api = MemoryApi(runs=[("other", run)], dags=[DagInfo(dag_id="other", task_ids=("g.x",), group_ids=("g",))])
    api.states[TaskKey("other", "r", "g.x")] = task_state
    return api


@pytest.mark.parametrize("target", [{}, {"external_task_id": "g.x"}, {"external_task_group_id": "g"}])
@pytest.mark.parametrize("first", [{}, {"check_existence": True}, {"external_dag_id": "{{ 'other' }}"}])
def test_watched_and_handed_over_sensors_end_alike(dag: DAG, target: dict[str, Any], first: dict[str, Any]) -> None:
    external(**target, **first)
    result = play(dag, DAY, api=other_run("success"), logs=False)
    assert (result.tasks, result.tries) == ({"s": "success"}, {"s": 1})


@pytest.mark.parametrize("first", [{}, {"check_existence": True}])
@pytest.mark.parametrize(("soft_fail", "end"), [(False, "failed"), (True, "skipped")])
def test_what_never_comes_times_out(dag: DAG, first: dict[str, Any], soft_fail: bool, end: str) -> None:
    external(external_task_id="g.x", timeout=60, soft_fail=soft_fail, retries=2, **first)
    result = play(dag, DAY, api=other_run("running", task_state="running"), logs=False, jump_pokes=True)
    assert (result.tasks, result.tries) == ({"s": end}, {"s": 1})


def test_a_file_that_appears_later_is_found(dag: DAG, tmp_path: Path) -> None:
    FileSensor(task_id="s", filepath=f"{tmp_path}/in/**/*.csv", recursive=True, fs_conn_id="fs", poke_interval=300)
    looks = []

    class Api(MemoryApi):
        def connection_get(self, conn_id: str) -> dict[str, Any] | None:
            looks.append(conn_id)
            return {"conn_type": "fs"}

    def appears() -> bool:
        (tmp_path / "in" / "deep").mkdir(parents=True)
        (tmp_path / "in" / "deep" / "a.csv").touch()
        return True

    PythonSensor(task_id="makes", python_callable=appears, mode="reschedule")
    result = play(dag, DAY, api=Api(), logs=False, jump_pokes=True)
    assert result.tasks == {"s": "success", "makes": "success"}
    assert looks == ["fs"]


def test_the_log_of_a_played_dag_has_the_words_of_the_server(dag: DAG, caplog: pytest.LogCaptureFixture) -> None:
    external(timeout=5)
    with caplog.at_level("INFO", "airflow.task"):
        play(dag, DAY, jump_pokes=True)
    assert "Poking for DAG 'other' on 2024-01-01T00:00:00+00:00 ... " in caplog.messages
    assert "No DAG 'other' is known." in caplog.messages


def test_callbacks_are_called_in_the_last_poke(dag: DAG) -> None:
    called: list[str] = []
    moment(target_time=DAY.replace(year=2199), timeout=30, on_failure_callback=lambda context: called.append("failure"))
    moment(task_id="t", on_success_callback=lambda context: called.append("success"))
    result = play(dag, DAY, logs=False, jump_pokes=True)
    assert result.tasks == {"s": "failed", "t": "success"}
    assert sorted(called) == ["failure", "success"]
