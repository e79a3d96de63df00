"""Sensors: poking, timeouts, reschedule mode, back-off; and what each kind waits for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine

from asyncflow import DAG
from asyncflow.authoring.api import DagInfo, use_api
from asyncflow.authoring.exceptions import AirflowException, AirflowFailException
from asyncflow.core.messages import RunContext
from asyncflow.core.models import TaskKey
from asyncflow.sensors.base import BaseSensorOperator, PokeReturnValue, poke_mode_only
from asyncflow.sensors.bash import BashSensor
from asyncflow.sensors.date_time import DateTimeSensor
from asyncflow.sensors.external_task import ExternalTaskMarker, ExternalTaskSensor
from asyncflow.sensors.filesystem import FileSensor
from asyncflow.sensors.python import PythonSensor
from asyncflow.sensors.time_delta import TimeDeltaSensor
from asyncflow.sensors.time_sensor import TimeSensor
from asyncflow.sensors.weekday import DayOfWeekSensor
from asyncflow.testing.memory import MemoryApi
from asyncflow.testing.player import play, run_one

DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)  # a monday


@pytest.fixture(autouse=True)
def dag() -> Iterator[DAG]:
    with DAG("d", schedule="@daily", start_date=DAY) as made:
        yield made


def answers(*values: Any) -> Callable[[], Any]:
    """A function that gives one value after the other; an exception among them is raised."""
    rest = iter(values)

    def poke() -> Any:
        value = next(rest)
        if isinstance(value, Exception):
            raise value
        return value

    return poke


def sensor(*values: Any, **kwargs: Any) -> PythonSensor:
    return PythonSensor(**{"task_id": "s", "poke_interval": 0, "python_callable": answers(*values), **kwargs})


def state(dag: DAG) -> str:
    return play(dag, DAY, logs=False, jump_pokes=True).tasks["s"]


# ---- the base -------------------------------------------------------------------------------------------------------


def test_pokes_until_true(dag: DAG) -> None:
    sensor(False, 0, None, True)
    assert state(dag) == "success"


def test_value_of_the_last_poke_goes_to_xcom(dag: DAG) -> None:
    sensor(False, PokeReturnValue(True, "found"))
    assert play(dag, DAY, logs=False).xcoms["s"] == {"return_value": "found"}


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize(("soft_fail", "outcome"), [(False, "failed"), (True, "skipped")])
def test_timeout_fails_for_good_or_skips(dag: DAG, mode: str, soft_fail: bool, outcome: str) -> None:
    sensor(*[False] * 50, timeout=0, soft_fail=soft_fail, mode=mode, retries=3)
    result = play(dag, DAY, logs=False, jump_pokes=True)
    assert (result.tasks["s"], result.tries["s"]) == (outcome, 1)


def test_reschedule_mode_comes_back_after_the_interval(dag: DAG) -> None:
    sensor(False, mode="reschedule", poke_interval=300)
    with time_machine.travel(DAY, tick=False):
        result = run_one(dag, "s", DAY, logs=False)
    assert result.outcome == "reschedule"


def test_reschedule_mode_ends_well(dag: DAG) -> None:
    sensor(False, False, True, mode="reschedule", poke_interval=300)
    assert state(dag) == "success"


@pytest.mark.parametrize(
    ("error", "kwargs", "outcome"),
    [
        (ValueError("x"), {}, "failed"),
        (ValueError("x"), {"soft_fail": True}, "failed"),
        (ValueError("x"), {"never_fail": True}, "skipped"),
        (ValueError("x"), {"silent_fail": True}, "success"),
        (AirflowFailException("x"), {"soft_fail": True}, "skipped"),
    ],
)
def test_error_of_a_poke(dag: DAG, error: Exception, kwargs: dict[str, Any], outcome: str) -> None:
    sensor(error, True, **kwargs)
    assert state(dag) == outcome


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({"mode": "wait"}, AirflowException, "mode must be one of poke, reschedule; not 'wait'"),
        ({"poke_interval": -1}, AirflowException, "poke_interval must not be negative"),
        ({"poke_interval": "1m"}, TypeError, "poke_interval must be a timedelta or a number"),
        ({"timeout": -1}, AirflowException, "timeout must not be negative"),
        ({"soft_fail": True, "never_fail": True}, ValueError, "mutually exclusive"),
    ],
)
def test_wrong_arguments_are_refused(kwargs: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        sensor(True, **kwargs)


def test_poke_mode_only_refuses_the_other_mode() -> None:
    @poke_mode_only
    class Stateful(BaseSensorOperator):
        pass

    with pytest.raises(AirflowException, match="must be one of poke; not 'reschedule'"):
        Stateful(task_id="x", mode="reschedule")


def test_base_sensor_wants_a_poke(dag: DAG) -> None:
    BaseSensorOperator(task_id="s")
    assert "Override me" in play(dag, DAY, logs=False).errors["s"]


def test_back_off_grows_with_jitter_up_to_the_cap() -> None:
    waiting = sensor(True, poke_interval=10, exponential_backoff=True, max_wait=dt.timedelta(seconds=100))
    pauses = [waiting._pause(pokes, 0.0) for pokes in range(1, 12)]
    assert all(5 <= pauses[0] < 10 for _ in (0,))
    assert 10 <= pauses[1] < 20
    assert 20 <= pauses[2] < 40
    assert pauses[-1] == 100
    assert pauses == [waiting._get_next_poke_interval(0.0, lambda: 0.0, pokes) for pokes in range(1, 12)]


def test_back_off_never_waits_beyond_the_timeout() -> None:
    waiting = sensor(True, poke_interval=10, exponential_backoff=True, timeout=30)
    assert waiting._pause(8, 25.0) == 5


# ---- the kinds ------------------------------------------------------------------------------------------------------


@pytest.fixture
def root_connection() -> Iterator[None]:
    """The connection `fs_default`, without a path."""
    before = use_api(MemoryApi(connections={"fs_default": {"conn_type": "fs"}}))
    yield
    use_api(before)


def poked(made: BaseSensorOperator, **context: Any) -> bool:
    return bool(made.poke(context))


def test_bash_sensor_looks_at_the_exit_code() -> None:
    assert poked(BashSensor(task_id="a", bash_command="exit 0"))
    assert not poked(BashSensor(task_id="b", bash_command="exit $CODE", env={"CODE": "1"}))
    assert not poked(BashSensor(task_id="c", bash_command="exit 3", retry_exit_code=3))
    with pytest.raises(AirflowFailException, match="code 4"):
        poked(BashSensor(task_id="e", bash_command="exit 4", retry_exit_code=3))


def test_time_sensors_look_at_the_clock() -> None:
    interval = {"data_interval_end": DAY, "dag_run": None}
    with time_machine.travel(DAY + dt.timedelta(hours=2), tick=False):
        assert poked(TimeSensor(task_id="a", target_time=dt.time(1, 59)))
        assert not poked(TimeSensor(task_id="b", target_time=dt.time(2, 1)))
        assert poked(DateTimeSensor(task_id="c", target_time="2024-01-01T01:59:00"))
        assert not poked(DateTimeSensor(task_id="e", target_time=DAY + dt.timedelta(hours=3)))
        assert poked(TimeDeltaSensor(task_id="f", delta=dt.timedelta(hours=1)), **interval)
        assert not poked(TimeDeltaSensor(task_id="g", delta=dt.timedelta(hours=3)), **interval)
        assert poked(DayOfWeekSensor(task_id="h", week_day="Monday"))
        assert not poked(
            DayOfWeekSensor(task_id="i", week_day={"Tuesday"}, use_task_logical_date=True), logical_date=DAY
        )


def test_target_time_must_be_a_time() -> None:
    with pytest.raises(TypeError, match="target_time must be a text or a datetime, not int"):
        DateTimeSensor(task_id="a", target_time=5)  # type: ignore[arg-type]


@pytest.mark.usefixtures("root_connection")
def test_file_sensor_finds_files_patterns_and_files_in_folders(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert not poked(FileSensor(task_id="a", filepath=tmp_path / "x"))
    assert not poked(FileSensor(task_id="b", filepath=str(tmp_path / "a")))
    (tmp_path / "a" / "b" / "x.csv").touch()
    assert poked(FileSensor(task_id="c", filepath=str(tmp_path / "a")))
    assert poked(FileSensor(task_id="e", filepath=str(tmp_path / "a/b/*.csv")))
    assert poked(FileSensor(task_id="f", filepath=str(tmp_path / "**/x.csv"), recursive=True))


def test_file_sensor_starts_at_the_path_of_its_connection(dag: DAG, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    FileSensor(task_id="s", filepath="x", fs_conn_id="mine")
    api = MemoryApi(connections={"mine": {"conn_type": "fs", "extra": f'{{"path": "{tmp_path}"}}'}})
    assert play(dag, DAY, api=api, logs=False).state == "success"


def test_file_sensor_fails_without_its_connection(dag: DAG) -> None:
    FileSensor(task_id="s", filepath="/x")
    assert "AirflowNotFoundException" in str(run_one(dag, "s", DAY, logs=False).error)


# ---- other DAGs -----------------------------------------------------------------------------------------------------


def world(**states: str) -> MemoryApi:
    """The DAG "other" with one run of DAY whose tasks have these states."""
    run = RunContext(run_id="r", logical_date=DAY, state=states.pop("run", "running"), dag_id="other")
    api = MemoryApi(runs=[("other", run)], dags=[DagInfo(dag_id="other", task_ids=("a", "b", "g.c"), group_ids=("g",))])
    for task_id, one in states.items():
        api.states[TaskKey("other", "r", task_id)] = one
    return api


def waits_for(dag: DAG, api: MemoryApi, **kwargs: Any) -> Any:
    ExternalTaskSensor(task_id="s", external_dag_id="other", mode="reschedule", **kwargs)
    return run_one(dag, "s", kwargs.pop("day", DAY), api=api, logs=False)


@pytest.mark.parametrize(
    ("states", "kwargs", "outcome"),
    [
        ({"a": "success"}, {"external_task_id": "a"}, "success"),
        ({"a": "running"}, {"external_task_id": "a"}, "reschedule"),
        ({"a": "success", "b": "running"}, {"external_task_ids": ["a", "b"]}, "reschedule"),
        ({"a": "success", "b": "success"}, {"external_task_ids": ["a", "b"]}, "success"),
        ({"a": "failed"}, {"external_task_id": "a"}, "reschedule"),
        ({"a": "failed"}, {"external_task_id": "a", "failed_states": ["failed"]}, "failed"),
        ({"a": "failed"}, {"external_task_id": "a", "failed_states": ["failed"], "soft_fail": True}, "skipped"),
        ({"a": "skipped"}, {"external_task_id": "a", "skipped_states": ["skipped"]}, "skipped"),
        ({"a": "skipped"}, {"external_task_id": "a", "allowed_states": ["skipped"]}, "success"),
        ({"run": "success"}, {}, "success"),
        ({}, {}, "reschedule"),
        ({"a": "success"}, {"external_task_id": "a", "execution_delta": dt.timedelta(days=1)}, "reschedule"),
        ({"a": "success"}, {"external_task_id": "a", "execution_date_fn": lambda day: [day]}, "success"),
        ({"a": "success"}, {"external_task_id": "a", "execution_date_fn": lambda day, ds: day}, "success"),
        ({}, {"external_task_id": "nope", "check_existence": True}, "failed"),
        ({}, {"external_task_group_id": "nope", "check_existence": True}, "failed"),
    ],
)
def test_external_task_sensor(dag: DAG, states: dict[str, str], kwargs: dict[str, Any], outcome: str) -> None:
    assert waits_for(dag, world(**states), **kwargs).outcome == outcome


def test_external_dag_that_is_not_there_fails(dag: DAG) -> None:
    result = waits_for(dag, MemoryApi(), check_existence=True)
    assert "The external DAG other does not exist" in str(result.error)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"execution_delta": dt.timedelta(1), "execution_date_fn": len}, "Only one of `execution_delta`"),
        ({"external_task_id": "a", "external_task_group_id": "g"}, "Only one of `external_task_group_id`"),
        ({"failed_states": ["success"]}, "more than one of allowed"),
    ],
)
def test_contradictions_are_refused(kwargs: dict[str, Any], text: str) -> None:
    with pytest.raises((ValueError, AirflowException), match=text):
        ExternalTaskSensor(task_id="s", external_dag_id="other", **kwargs)


def test_marker_keeps_what_it_marks() -> None:
    made = ExternalTaskMarker(task_id="m", external_dag_id="other", external_task_id="a", execution_date=DAY)
    assert (made.external_dag_id, made.execution_date) == ("other", DAY.isoformat())
    with pytest.raises(ValueError, match="recursion_depth"):
        ExternalTaskMarker(task_id="n", external_dag_id="other", external_task_id="a", recursion_depth=0)
