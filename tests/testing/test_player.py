"""Playing whole runs and single tasks without a server."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from asyncflow.authoring.api import DagInfo
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.decorators import task
from asyncflow.authoring.exceptions import ParamValidationError
from asyncflow.authoring.params import Param
from asyncflow.authoring.variable import Variable
from asyncflow.core.messages import RunContext
from asyncflow.core.models import TaskKey
from asyncflow.core.states import RunType
from asyncflow.errors import Conflict, NotFound
from asyncflow.operators.python import PythonOperator
from asyncflow.sensors.date_time import DateTimeSensor
from asyncflow.sensors.python import PythonSensor
from asyncflow.testing.memory import MemoryApi
from asyncflow.testing.player import Player, data_interval, play, run_one

START = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def make_dag(**options: Any) -> DAG:
    return DAG("d", **{"start_date": START, "schedule": "@daily", **options})


def test_a_run_ends_with_states_tries_and_outputs() -> None:
    with make_dag() as dag:

        @task
        def numbers() -> list[int]:
            return [1, 2]

        @task
        def double(n: int) -> int:
            return n * 2

        @task(retries=1, retry_delay=dt.timedelta(hours=3))
        def total(values: Any, ti: Any = None) -> int:
            if ti.try_number == 1:
                raise ValueError("first try")
            return sum(values)

        total(double.expand(n=numbers()))

    begun = time.monotonic()
    result = play(dag, START, logs=False)
    assert result.run_id == "manual__2024-05-01T00:00:00+00:00"
    assert result.state == "success"
    assert result.tasks == {"numbers": "success", "double[0]": "success", "double[1]": "success", "total": "success"}
    assert result.tries["total"] == 2
    assert result.errors == {"total": "ValueError: first try"}
    assert result.xcoms["total"] == {"return_value": 6}
    assert time.monotonic() - begun < 10  # the three hours were jumped over


def test_conf_and_params_reach_the_tasks() -> None:
    with make_dag(params={"n": Param(1, type="integer")}) as dag:
        PythonOperator(task_id="t", python_callable=lambda params, dag_run: [params["n"], dag_run.conf])
    assert play(dag, START, conf={"n": 7}, logs=False).xcoms["t"]["return_value"] == [7, {"n": 7}]
    with pytest.raises(ParamValidationError):
        play(dag, START, conf={"n": "seven"}, logs=False)


def test_variables_come_from_the_api() -> None:
    with make_dag() as dag:
        PythonOperator(task_id="t", python_callable=lambda: Variable.get("v"))
    result = play(dag, START, api=MemoryApi(variables={"v": "w"}), logs=False)
    assert result.xcoms["t"] == {"return_value": "w"}


def test_a_failed_run_says_so_and_calls_the_dags_callback() -> None:
    seen: list[Any] = []

    def broken() -> None:
        raise ValueError("told to")

    with make_dag(on_failure_callback=lambda context: seen.append((context["run_id"], context["reason"]))) as dag:
        PythonOperator(task_id="t", python_callable=broken)
    result = play(dag, START, logs=False)
    assert (result.state, result.tasks) == ("failed", {"t": "failed"})
    assert [run_id for run_id, _ in seen] == [result.run_id]


def test_a_broken_callback_of_the_dag_changes_nothing() -> None:
    def broken(context: Any) -> None:
        raise RuntimeError

    with make_dag(on_success_callback=broken) as dag:
        PythonOperator(task_id="t", python_callable=print)
    assert play(dag, START, logs=False).state == "success"


def test_several_runs_know_each_other() -> None:
    with make_dag() as dag:
        PythonOperator(
            task_id="t",
            depends_on_past=True,
            python_callable=lambda ti, prev_data_interval_end_success: str(prev_data_interval_end_success),
        )
    player = Player(dag, logs=False)
    first, second = (player.add_run(START + n * DAY, run_type=RunType.SCHEDULED) for n in range(2))
    player.play()
    assert player.result(first).xcoms["t"]["return_value"] == "None"
    assert player.result(second).xcoms["t"]["return_value"] == "2024-05-02 00:00:00+00:00"
    with pytest.raises(KeyError):
        player.result("nope")


def test_a_rescheduled_sensor_is_poked_until_it_is_true() -> None:
    pokes = iter([False, False, True])
    with make_dag() as dag:
        PythonSensor(task_id="s", python_callable=lambda: next(pokes), mode="reschedule", poke_interval=600)
    result = play(dag, START, jump_pokes=True, logs=False)
    assert (result.tasks, result.tries) == ({"s": "success"}, {"s": 1})


def test_pokes_take_their_time_unless_told_to_jump() -> None:
    pokes = iter([False, True])
    with make_dag() as dag:
        PythonSensor(task_id="s", python_callable=lambda: next(pokes), mode="reschedule", poke_interval=0.02)
    begun = time.monotonic()
    assert play(dag, START, logs=False).state == "success"
    assert time.monotonic() - begun >= 0.02


def test_intervals_follow_the_schedule() -> None:
    daily = make_dag()
    assert data_interval(daily, START, RunType.SCHEDULED) == (START, START + DAY)
    assert data_interval(daily, START + DAY / 2, RunType.MANUAL) == (START - DAY, START)
    assert data_interval(make_dag(schedule=None), START, RunType.SCHEDULED) == (START, START)


# ---- one task -------------------------------------------------------------------------------------------------------


def test_one_task_runs_by_itself_in_test_mode() -> None:
    with make_dag() as dag:
        before = PythonOperator(task_id="before", python_callable=print)
        after = PythonOperator(
            task_id="after",
            python_callable=lambda ti, params, test_mode: [ti.xcom_pull("before"), params["p"], test_mode],
            params={"p": 1},
        )
        before >> after
    result = run_one(dag, "after", START, task_params={"p": 2}, logs=False)
    assert result.xcoms["return_value"] == "[null, 2, true]"


def test_params_of_the_task_stand_for_those_the_dag_has_no_value_for() -> None:
    with make_dag(params={"who": Param(type="string")}) as dag:
        PythonOperator(task_id="greet", python_callable=lambda params: params["who"])
    assert run_one(dag, "greet", START, task_params={"who": "Ada"}, logs=False).xcoms["return_value"] == '"Ada"'


def test_a_sensor_pokes_once() -> None:
    pokes: list[int] = []
    with make_dag() as dag:
        PythonSensor(task_id="s", python_callable=lambda: pokes.append(1), poke_interval=300)
    assert run_one(dag, "s", START, logs=False).outcome == "reschedule"
    assert pokes == [1]
    assert dag.get_task("s").mode == "poke"


# ---- the api in memory ----------------------------------------------------------------------------------------------


def run(number: int, state: str = "success") -> tuple[str, RunContext]:
    return "d", RunContext(run_id=f"r{number}", logical_date=START + number * DAY, state=state)


def test_runs_before_and_counts() -> None:
    api = MemoryApi(runs=[run(0), run(1, "failed"), run(2, "running")])
    for number in range(3):
        api.states[TaskKey("d", f"r{number}", "g.t", -1)] = "success"
        api.states[TaskKey("d", f"r{number}", "m", 0)] = "failed"
    date = START + 2 * DAY
    assert getattr(api.previous_run("d", date), "run_id", None) == "r1"
    assert getattr(api.previous_run("d", date, "success"), "run_id", None) == "r0"
    assert api.previous_run("d", START) is None
    assert [found.run_id for found in api.dag_runs("d", states=["failed", "running"])] == ["r1", "r2"]
    assert api.task_states("d", "r0") == {"g.t": "success", "m[0]": "failed"}
    assert api.task_states("d", "r0", ["m"]) == {"m[0]": "failed"}
    assert api.task_count("d", group_id="g", logical_dates=[START, date]) == 2
    assert api.task_count("d", task_ids=["m"], run_ids=["r1"], states=["success"]) == 0


def test_triggered_runs_are_noted_down() -> None:
    api = MemoryApi(find_dag=lambda dag_id: DagInfo(dag_id=dag_id) if dag_id == "other" else None)
    made = api.trigger_dag_run("other", run_id="x", conf={"a": 1})
    with pytest.raises(NotFound):
        api.trigger_dag_run("unknown")
    assert api.triggered == [made]
    assert (made.conf, made.state, made.external_trigger) == ({"a": 1}, "queued", True)
    with pytest.raises(Conflict):
        api.trigger_dag_run("other", run_id="x")
    assert api.trigger_dag_run("other", run_id="x", reset_dag_run=True).run_id == "x"


def test_cleared_xcoms_are_gone() -> None:
    api = MemoryApi()
    key = TaskKey("d", "r", "t", -1)
    api.xcom_set(key, "a", "1", None)
    api.xcom_set(key._replace(task_id="other"), "a", "2", None)
    api.xcom_clear(key)
    assert [row.task_id for row in api.xcom_rows(dag_id="d", run_id="r")] == ["other"]


def test_callbacks_of_a_sensor_that_is_watched_are_called() -> None:
    called: list[str] = []
    with DAG("watched", schedule=None, start_date=dt.datetime(2024, 1, 1, tzinfo=dt.UTC)) as dag:
        DateTimeSensor(
            task_id="waits",
            target_time=dt.datetime.now(dt.UTC) + dt.timedelta(milliseconds=300),
            mode="reschedule",
            on_success_callback=lambda context: called.append(context["ti"].task_id),
        )
    assert play(dag, jump_pokes=True).state == "success"
    assert called == ["waits"]
