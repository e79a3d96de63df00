"""The operator and the sensor: `execute` without a server, `task.run` with templates, mocks on the hook."""

import datetime
import json

import pytest
from airflow.models import Connection, TaskInstance, Variable
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType
from airflow_movies.hook import MoviesHook
from airflow_movies.operator import FetchRatingsOperator
from airflow_movies.sensor import RatingsSensor

ROWS = [{"movie": 1, "rating": 5}, {"movie": 2, "rating": 3}]


def test_example():
    task = BashOperator(task_id="test", bash_command="echo 'hello!'", do_xcom_push=True)
    assert task.execute(context={}) == "hello!"


def test_operator_outside_of_a_dag(tmp_path, mocker):
    mock_get = mocker.patch.object(
        MoviesHook, "get_connection", return_value=Connection(conn_id="test", host="h", login="airflow", password="pw1")
    )
    mocker.patch.object(MoviesHook, "_pages", return_value=iter(ROWS))
    task = FetchRatingsOperator(
        task_id="test",
        conn_id="test",
        start_date="2024-01-01",
        end_date="2024-01-02",
        output_path=f"{tmp_path}/a/b.json",
    )
    assert task.execute(context=None) == 2
    assert json.loads((tmp_path / "a" / "b.json").read_text()) == ROWS
    assert mock_get.call_count == 0


def test_operator_with_templates(tmp_path, mocker, test_dag, run_task):
    called = mocker.patch.object(MoviesHook, "get_ratings", return_value=ROWS)
    task = FetchRatingsOperator(
        task_id="test",
        conn_id="test",
        start_date="{{ ds }}",
        end_date="{{ data_interval_end | ds }}",
        output_path=str(tmp_path / "{{ ds }}.json"),
        dag=test_dag,
    )
    run_task(task=task, dag=test_dag)
    called.assert_called_once_with("2024-01-01", "2024-01-02", 1000)
    assert json.loads((tmp_path / "2024-01-01.json").read_text()) == ROWS


def test_errors_of_the_task_reach_the_test(mocker, test_dag, run_task):
    mocker.patch.object(MoviesHook, "get_ratings", side_effect=ConnectionError("no route"))
    task = FetchRatingsOperator(task_id="test", conn_id="test", output_path="/nowhere", dag=test_dag)
    with pytest.raises(ConnectionError, match="no route"):
        run_task(task=task, dag=test_dag)


def test_sensor_pokes_until_there_is_something(mocker, test_dag, run_task):
    answers = mocker.patch.object(MoviesHook, "get_ratings", side_effect=[iter([]), iter(ROWS)])
    sensor = RatingsSensor(task_id="wait", conn_id="test", poke_interval=0.01, dag=test_dag)
    run_task(sensor, test_dag)
    assert answers.call_count == 2
    assert RatingsSensor(task_id="wait", conn_id="test").poke.__name__ == "poke"


def test_a_run_as_in_airflows_documentation(mocker, test_dag, tmp_path):
    mocker.patch.object(MoviesHook, "get_ratings", return_value=ROWS)
    FetchRatingsOperator(task_id="fetch", conn_id="test", output_path=f"{tmp_path}/x.json", dag=test_dag)
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    end = start + datetime.timedelta(days=1)
    dagrun = test_dag.create_dagrun(
        state=DagRunState.RUNNING,
        execution_date=start,
        data_interval=(start, end),
        start_date=end,
        run_type=DagRunType.MANUAL,
    )
    ti = dagrun.get_task_instance(task_id="fetch")
    ti.task = test_dag.get_task(task_id="fetch")
    ti.run(ignore_ti_state=True)
    assert ti.state == TaskInstanceState.SUCCESS
    assert ti.xcom_pull(task_ids="fetch") == 2


def test_the_context_of_an_instance_is_what_execute_takes(test_dag):
    task = PythonOperator(task_id="test", python_callable=lambda ds, ti: (ds, ti.task_id), dag=test_dag)
    ti = TaskInstance(task=task, execution_date=datetime.datetime(2024, 2, 3))
    assert task.execute(ti.get_template_context()) == ("2024-02-03", "test")


def test_variables(asyncflow_variables, monkeypatch):
    asyncflow_variables["limits"] = '{"low": 1}'
    assert Variable.get("limits", deserialize_json=True) == {"low": 1}
    Variable.set("colour", "blue")
    assert asyncflow_variables["colour"] == "blue"
    monkeypatch.setenv("AIRFLOW_VAR_COLOUR", "red")
    assert Variable.get("colour") == "red"


def test_variables_of_the_test_before_are_gone():
    assert Variable.get("colour", default_var=None) is None


def test_run_task_fixture(asyncflow_run_task, test_dag):
    task = BashOperator(task_id="praise", bash_command="echo {{ macros.movies.stars(3) }} {{ ds }}", dag=test_dag)
    assert asyncflow_run_task(task).xcom_pull(task_ids="praise") == "*** 2024-01-01"
