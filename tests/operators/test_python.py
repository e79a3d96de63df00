"""PythonOperator, branches and short circuits, run in process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from asyncflow import DAG
from asyncflow.core.states import RunType
from asyncflow.operators.datetime import BranchDateTimeOperator, target_times_as_dates
from asyncflow.operators.empty import EmptyOperator
from asyncflow.operators.latest_only import LatestOnlyOperator
from asyncflow.operators.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator
from asyncflow.operators.weekday import BranchDayOfWeekOperator
from asyncflow.testing.player import play

DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)  # a monday


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d", schedule="@daily", start_date=DAY, params={"p": 1}) as made:
        yield made


def returned(dag: DAG, task_id: str = "p") -> Any:
    result = play(dag, DAY, logs=False)
    assert result.state == "success", result.errors
    return result.xcoms[task_id].get("return_value")


def test_arguments_are_templates_and_context_comes_by_name(dag: DAG) -> None:
    def work(day: str, *, word: str, ds: str, params: dict[str, Any]) -> list[Any]:
        return [day, word, ds, params["p"]]

    PythonOperator(task_id="p", python_callable=work, op_args=["{{ ds }}"], op_kwargs={"word": "{{ task.task_id }}"})
    assert returned(dag) == ["2024-01-01", "p", "2024-01-01", 1]


def test_templates_dict_reaches_the_function_rendered(dag: DAG) -> None:
    PythonOperator(
        task_id="p",
        python_callable=lambda templates_dict: templates_dict["day"],
        templates_dict={"day": "{{ ds_nodash }}"},
    )
    assert returned(dag) == "20240101"


def test_kwargs_take_the_whole_context(dag: DAG) -> None:
    PythonOperator(
        task_id="p",
        provide_context=True,
        python_callable=lambda **kw: [kw["ds"], kw["ti"].task_id, kw["x"]],
        op_kwargs={"x": 5},
    )
    assert returned(dag) == ["2024-01-01", "p", 5]


def test_function_may_be_async(dag: DAG) -> None:
    async def work() -> int:
        return 3

    PythonOperator(task_id="p", python_callable=work)
    assert returned(dag) == 3


def test_positional_argument_in_the_place_of_a_context_variable_fails(dag: DAG) -> None:
    PythonOperator(task_id="p", python_callable=lambda ds: ds, op_args=["x"])
    assert "The key 'ds' in args is a part of kwargs" in play(dag, DAY, logs=False).errors["p"]


def test_callable_must_be_callable(dag: DAG) -> None:
    with pytest.raises(TypeError, match="Task 'p': python_callable must be a function, not 'print'"):
        PythonOperator(task_id="p", python_callable="print")  # type: ignore[arg-type]


def test_return_value_is_logged_unless_told_otherwise(dag: DAG, caplog: pytest.LogCaptureFixture) -> None:
    PythonOperator(task_id="a", python_callable=lambda: "shown")
    PythonOperator(task_id="b", python_callable=lambda: "hidden", show_return_value_in_logs=False)
    with caplog.at_level("INFO", "airflow"):
        play(dag, DAY, logs=False)
    assert "Returned value was: shown" in caplog.text
    assert "hidden" not in caplog.text


@pytest.mark.parametrize(
    ("chosen", "states"),
    [
        ("a", {"a": "success", "b": "skipped"}),
        (["a", "b"], {"a": "success", "b": "success"}),
        (None, {"a": "skipped", "b": "skipped"}),
        ("end", {"a": "skipped", "b": "skipped"}),
    ],
)
def test_branch_skips_what_is_not_chosen(dag: DAG, chosen: Any, states: dict[str, str]) -> None:
    branch = BranchPythonOperator(task_id="branch", python_callable=lambda: chosen)
    end = EmptyOperator(task_id="end", trigger_rule="all_done")
    branch >> [EmptyOperator(task_id="a"), EmptyOperator(task_id="b"), end]
    dag.get_task("a") >> end
    found = play(dag, DAY, logs=False).tasks
    assert {name: found[name] for name in "ab"} == states


@pytest.mark.parametrize(("chosen", "text"), [("nowhere", "nowhere"), (5, "int"), ([5], "5")])
def test_branch_to_nowhere_fails(dag: DAG, chosen: Any, text: str) -> None:
    BranchPythonOperator(task_id="branch", python_callable=lambda: chosen) >> EmptyOperator(task_id="a")
    result = play(dag, DAY, logs=False)
    assert text in result.errors["branch"]
    assert result.tasks["a"] == "upstream_failed"


@pytest.mark.parametrize(
    ("condition", "ignore", "states"),
    [
        (True, True, {"a": "success", "b": "success", "t": "success"}),
        (False, True, {"a": "skipped", "b": "skipped", "t": "success"}),
        (False, False, {"a": "skipped", "b": "success", "t": "success"}),
    ],
)
def test_short_circuit(dag: DAG, condition: bool, ignore: bool, states: dict[str, str]) -> None:
    gate = ShortCircuitOperator(
        task_id="gate", python_callable=lambda: condition, ignore_downstream_trigger_rules=ignore
    )
    setup, teardown = EmptyOperator(task_id="s"), EmptyOperator(task_id="t")
    gate >> EmptyOperator(task_id="a") >> EmptyOperator(task_id="b", trigger_rule="all_done") >> teardown
    teardown.as_teardown(setups=setup)
    found = play(dag, DAY, logs=False).tasks
    assert {name: found[name] for name in states} == states


@pytest.mark.parametrize(
    ("schedule", "run_type", "day", "state"),
    [
        ("@daily", RunType.SCHEDULED, DAY, "skipped"),
        ("@daily", RunType.MANUAL, DAY, "skipped"),
        ("@daily", RunType.SCHEDULED, None, "success"),
        ("@once", RunType.SCHEDULED, DAY, "success"),
    ],
)
def test_latest_only(schedule: str, run_type: RunType, day: dt.datetime | None, state: str) -> None:
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with DAG("d", schedule=schedule, start_date=DAY) as dag:
        LatestOnlyOperator(task_id="latest") >> EmptyOperator(task_id="a")
    result = play(dag, day or midnight - dt.timedelta(days=1), run_type=run_type, logs=False)
    assert result.tasks == {"latest": "success", "a": state}


@pytest.mark.parametrize(
    ("dialect", "triggered", "state"), [(2, True, "success"), (2, False, "skipped"), (3, False, "success")]
)
def test_latest_only_lets_runs_by_hand_go_on(dialect: Any, triggered: bool, state: str) -> None:
    with DAG("d", schedule="@daily", start_date=DAY) as dag:
        LatestOnlyOperator(task_id="latest") >> EmptyOperator(task_id="a")
    dag.dialect = dialect
    assert play(dag, DAY, external_trigger=triggered, logs=False).tasks == {"latest": "success", "a": state}


@pytest.mark.parametrize(
    ("lower", "upper", "taken"),
    [
        (dt.datetime(2023, 1, 1), dt.datetime(2025, 1, 1), "yes"),
        (dt.datetime(2024, 6, 1), None, "no"),
        (None, dt.datetime(2023, 6, 1), "no"),
        (dt.time(0, 0), dt.time(1, 0), "yes"),
        (dt.time(1, 0), dt.time(2, 0), "no"),
    ],
)
def test_branch_by_date(dag: DAG, lower: Any, upper: Any, taken: str) -> None:
    branch = BranchDateTimeOperator(
        task_id="branch",
        follow_task_ids_if_true="yes",
        follow_task_ids_if_false="no",
        target_lower=lower,
        target_upper=upper,
        use_task_logical_date=True,
    )
    branch >> [EmptyOperator(task_id="yes"), EmptyOperator(task_id="no")]
    found = play(dag, DAY, logs=False).tasks
    assert [name for name in ("yes", "no") if found[name] == "success"] == [taken]


def test_times_over_midnight_reach_into_the_next_day() -> None:
    lower, upper = target_times_as_dates(DAY, dt.time(22), dt.time(2))
    assert (lower, upper) == (DAY.replace(hour=22), DAY.replace(day=2, hour=2))


@pytest.mark.parametrize(("days", "taken"), [("Monday", "yes"), (["Tuesday", "Sunday"], "no")])
def test_branch_by_day_of_week(dag: DAG, days: Any, taken: str) -> None:
    branch = BranchDayOfWeekOperator(
        task_id="branch",
        follow_task_ids_if_true="yes",
        follow_task_ids_if_false="no",
        week_day=days,
        use_task_logical_date=True,
    )
    branch >> [EmptyOperator(task_id="yes"), EmptyOperator(task_id="no")]
    found = play(dag, DAY, logs=False).tasks
    assert [name for name in ("yes", "no") if found[name] == "success"] == [taken]
