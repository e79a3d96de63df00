"""The engine on virtual time: schedules, retries, limits and durations of whole months within milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from asyncflow.authoring import timezone
from asyncflow.authoring.dag import DAG
from asyncflow.operators.empty import EmptyOperator
from asyncflow.operators.python import PythonOperator
from asyncflow.sensors.python import PythonSensor
from asyncflow.testing import Engine, MemoryApi
from asyncflow.testing.engine import returns

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def etl(**kwargs: Any) -> DAG:
    with DAG("etl", start_date=START, **{"schedule": "@daily", "catchup": True, **kwargs}) as dag:
        extract = PythonOperator(task_id="extract", python_callable=lambda ds: ds)
        load = PythonOperator(task_id="load", python_callable=lambda: None, retries=2, retry_delay=timedelta(minutes=5))
        extract >> load
    return dag


def test_a_month_of_scheduled_runs_is_played() -> None:
    engine = Engine(etl(), start=START)
    engine.run_until(datetime(2024, 2, 1, tzinfo=UTC))
    assert [run.state.value for run in engine.runs("etl")] == ["success"] * 31
    first = engine.runs("etl")[0]
    assert (first.logical_date, first.started_at, first.ended_at) == (START, START + DAY, START + DAY)
    assert engine.states("etl", first.run_id) == {"extract": "success", "load": "success"}
    assert engine.now == datetime(2024, 2, 1, tzinfo=UTC)


def test_tasks_are_really_executed_with_the_dates_of_their_run() -> None:
    engine = Engine(etl(), start=START)
    engine.run_for(days=2)
    rows = engine.api.xcom_rows(dag_id="etl", run_id=engine.runs()[1].run_id, task_ids=["extract"])
    assert rows[0].value == '"2024-01-02"'


def test_scripted_outcomes_go_by_try_and_delays_pass() -> None:
    engine = Engine(etl(), start=START, outcomes={"load": ["failed", ValueError("no"), "success"]})
    engine.run_for(days=1, minutes=9)
    (run,) = engine.runs()
    assert run.state.value == "running"
    engine.run_for(minutes=1)
    (run,) = engine.runs()
    assert (run.state.value, run.ended_at) == ("success", START + DAY + timedelta(minutes=10))
    assert engine.tries("etl", "load") == [3]


def test_an_outcome_may_depend_on_the_run() -> None:
    bad_day = START + 2 * DAY
    engine = Engine(
        etl(),
        start=START,
        outcomes={"etl.extract": lambda info: "failed" if info.run.logical_date == bad_day else "success"},
    )
    engine.run_for(days=5)
    assert [run.state.value for run in engine.runs()] == ["success", "success", "failed", "success", "success"]
    assert engine.states("etl", engine.runs()[2].run_id)["load"] == "upstream_failed"


def test_a_run_waits_while_the_one_before_takes_its_time() -> None:
    engine = Engine(etl(max_active_runs=1), start=START, execute=False, durations={"extract": timedelta(hours=30)})
    engine.run_for(days=4)
    first, second, *_ = engine.runs()
    assert first.ended_at == START + DAY + timedelta(hours=30)
    assert second.started_at == first.ended_at


def test_tasks_of_one_run_take_their_time_side_by_side() -> None:
    with DAG("wide", start_date=START, schedule=None) as dag:
        for n in range(4):
            EmptyOperator(task_id=f"t{n}", pool="small", pre_execute=lambda context: None)
    hour = timedelta(hours=1)
    engine = Engine(dag, start=START, execute=False, durations={f"t{n}": hour for n in range(4)}, pools={"small": 2})
    engine.trigger("wide", run_id="one")
    engine.run_for(hours=5)
    (run,) = engine.runs("wide")
    assert run.ended_at is not None
    assert run.ended_at - START == 2 * hour


def test_values_can_be_told_and_are_mapped_over() -> None:
    with DAG("mapped", start_date=START, schedule=None) as dag:
        numbers = PythonOperator(task_id="numbers", python_callable=lambda: None)
        PythonOperator.partial(task_id="square", python_callable=lambda n: n * n).expand(
            op_args=numbers.output.map(lambda n: [n])
        )
    engine = Engine(dag, start=START, outcomes={"numbers": returns([1, 2, 3])})
    engine.trigger("mapped", run_id="one")
    engine.run_for(minutes=1)
    assert engine.states("mapped", "one")["square[2]"] == "success"
    values = [row.value for row in engine.api.xcom_rows(dag_id="mapped", run_id="one", task_ids=["square"])]
    assert sorted(values) == ["1", "4", "9"]


def test_the_past_is_remembered_where_it_counts() -> None:
    dag = etl(default_args={"depends_on_past": True})
    engine = Engine(
        dag, start=START, outcomes={"extract": lambda info: "failed" if info.run.logical_date == START else "success"}
    )
    engine.run_for(days=3)
    assert [run.state.value for run in engine.runs()] == ["failed", "running", "running"]


def test_several_dags_share_the_time_and_a_memory() -> None:
    with DAG("hourly", start_date=START, schedule="@hourly", catchup=True) as hourly:
        PythonOperator(task_id="count", python_callable=lambda: None)
    api = MemoryApi(variables={"colour": "blue"})
    engine = Engine(etl(), hourly, start=START, api=api)
    engine.run_for(days=1)
    assert (len(engine.runs("etl")), len(engine.runs("hourly")), len(engine.runs())) == (1, 24, 25)


def test_sensors_wait_in_virtual_time() -> None:
    with DAG("patient", start_date=START, schedule="@daily", catchup=True) as dag:
        PythonSensor(
            task_id="wait",
            python_callable=lambda: timezone.utcnow().hour >= 6,
            mode="reschedule",
            poke_interval=3600,
        )
    engine = Engine(dag, start=START)
    engine.run_for(days=1, hours=7)
    (run,) = engine.runs()
    assert (run.state.value, run.ended_at) == ("success", START + DAY + timedelta(hours=6))


def test_an_outcome_that_does_not_exist_is_refused() -> None:
    engine = Engine(etl(), start=START, outcomes={"extract": "done"})
    with pytest.raises(ValueError, match="'extract' cannot come to 'done'; write success, failed"):
        engine.run_for(days=1)


def test_callbacks_of_the_dag_are_called() -> None:
    called: list[str] = []
    dag = etl(on_success_callback=lambda context: called.append(context["ds"]))
    Engine(dag, start=START).run_for(days=2)
    assert called == ["2024-01-01", "2024-01-02"]
