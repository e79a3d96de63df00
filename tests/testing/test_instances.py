"""Runs and task instances that a test makes itself, as in Airflow's documentation and "Data Pipelines with Airflow"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asyncflow.authoring.api import use_api
from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.connection import Connection
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.exceptions import AirflowException, AirflowSkipException
from asyncflow.authoring.localruns import check_cycle
from asyncflow.authoring.taskinstance import DagRun, TaskInstance
from asyncflow.authoring.variable import Variable
from asyncflow.errors import InvalidInput
from asyncflow.hooks.base import BaseHook
from asyncflow.operators.bash import BashOperator
from asyncflow.operators.empty import EmptyOperator
from asyncflow.operators.python import BranchPythonOperator, PythonOperator
from asyncflow.testing import Engine, MemoryApi, instances
from asyncflow.testing.instances import memory

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def api() -> Iterator[MemoryApi]:
    made = MemoryApi()
    before = use_api(made)
    yield made
    use_api(before)


@pytest.fixture
def dag() -> DAG:
    return DAG("test_dag", default_args={"owner": "airflow", "start_date": START}, schedule="@daily")


class Echo(BaseOperator):
    template_fields = ("text",)

    def __init__(self, text: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text

    def execute(self, context: Any) -> str:
        return self.text


def test_task_run_renders_and_executes_for_each_run_between_two_dates(dag: DAG, tmp_path: Path) -> None:
    BashOperator(
        task_id="test", bash_command=f"echo x > {tmp_path}/{{{{ ds }}}}_{{{{ data_interval_end | ds }}}}", dag=dag
    ).run(start_date=START, end_date=START + 2 * DAY, ignore_ti_state=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("2024-01-01_2024-01-02", "2024-01-02_2024-01-03", "2024-01-03_2024-01-04")
    ]


def test_task_run_raises_what_the_task_raises(dag: DAG) -> None:
    def fail() -> None:
        raise ZeroDivisionError("by zero")

    task = PythonOperator(task_id="test", python_callable=fail, dag=dag)
    with pytest.raises(ZeroDivisionError, match="by zero"):
        task.run(start_date=START, end_date=START, ignore_ti_state=True)
    assert TaskInstance(task, START).state == "failed"


def test_a_task_that_succeeded_runs_again_only_if_its_state_is_ignored_or_cleared(dag: DAG) -> None:
    calls: list[int] = []
    task = PythonOperator(task_id="test", python_callable=lambda ti: calls.append(ti.try_number), dag=dag)
    task.run(START, START)
    task.run(START, START)
    assert calls == [1]
    task.run(START, START, ignore_ti_state=True)
    assert calls == [1, 2]
    assert dag.clear(start_date=START + DAY) == 0
    assert dag.clear() == 1
    task.run(START, START)
    assert calls == [1, 2, 1]


def test_execute_works_without_server_run_or_context() -> None:
    assert BashOperator(task_id="test", bash_command="echo hello!").execute(context={}) == "hello!"
    assert Echo(task_id="test", text="{{ ds }}").execute(context=None) == "{{ ds }}"


def test_a_hook_gets_the_connection_that_was_patched_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseHook, "get_connection", lambda conn_id: Connection(conn_id, login="ann", password="pw1"))
    assert BaseHook.get_connection("anything").login == "ann"


def test_a_run_gives_instances_that_run_as_airflow_documents_it(dag: DAG) -> None:
    Echo(task_id="say", text="{{ data_interval_end | ds }} {{ dag_run.conf['word'] }}", dag=dag)
    run = dag.create_dagrun(
        state="running",
        execution_date=START,
        data_interval=(START, START + DAY),
        start_date=START + DAY,
        run_type="manual",
        conf={"word": "hi"},
    )
    ti = run.get_task_instance(task_id="say")
    assert ti.state is None
    ti.run(ignore_ti_state=True)
    assert ti.state == "success"
    assert ti.xcom_pull(task_ids="say") == "2024-01-02 hi"
    assert run.get_task_instance("say").state == "success"
    assert [(found.task_id, found.run_id) for found in run.get_task_instances()] == [("say", run.run_id)]


def test_instances_of_one_run_see_each_others_values(dag: DAG) -> None:
    first = PythonOperator(task_id="first", python_callable=lambda: 20, dag=dag)
    second = PythonOperator(task_id="second", python_callable=lambda ti: ti.xcom_pull("first") + 1, dag=dag)
    first.run(START, START)
    second.run(START, START)
    assert TaskInstance(second, START).xcom_pull(task_ids="second") == 21
    assert TaskInstance(second, START + DAY).xcom_pull(task_ids="first") is None


def test_a_branch_notes_what_it_skips(dag: DAG, api: MemoryApi) -> None:
    branch = BranchPythonOperator(task_id="branch", python_callable=lambda: "left", dag=dag)
    branch >> [EmptyOperator(task_id="left", dag=dag), EmptyOperator(task_id="right", dag=dag)]
    ti = TaskInstance(branch, START)
    ti.run()
    assert api.task_states(dag.dag_id, ti.run_id) == {"branch": "success", "right": "skipped"}


def test_states_after_a_try(dag: DAG) -> None:
    def skip() -> None:
        raise AirflowSkipException

    skipped = TaskInstance(PythonOperator(task_id="a", python_callable=skip, dag=dag), START)
    skipped.run()
    assert skipped.state == "skipped"
    retried = TaskInstance(PythonOperator(task_id="b", python_callable=lambda: 1 / 0, retries=1, dag=dag), START)
    with pytest.raises(ZeroDivisionError):
        retried.run()
    assert retried.state == "up_for_retry"
    marked = TaskInstance(PythonOperator(task_id="c", python_callable=lambda: 1 / 0, dag=dag), START)
    marked.run(mark_success=True)
    assert (marked.state, marked.run_id) == ("success", skipped.run_id)


def test_the_running_ti_and_a_made_one_are_instances_of_the_same_class(dag: DAG) -> None:
    seen: list[bool] = []
    task = PythonOperator(task_id="a", python_callable=lambda ti: seen.append(isinstance(ti, TaskInstance)), dag=dag)
    assert task.execute(TaskInstance(task, START).get_template_context()) is None
    dag.test(START)
    assert seen == [True, True]
    assert not isinstance(task, TaskInstance)


def test_a_task_without_a_dag_has_no_instance() -> None:
    with pytest.raises(AirflowException, match="has no DAG"):
        TaskInstance(EmptyOperator(task_id="alone"), START)


def test_dag_run_plays_all_runs_and_stops_at_the_first_that_fails(dag: DAG, api: MemoryApi) -> None:
    PythonOperator(task_id="a", python_callable=lambda ds: 1 / (ds != "2024-01-03"), dag=dag)
    dag.run(start_date=START, end_date=START + DAY)
    assert sorted(api.states.values()) == ["success", "success"]
    with pytest.raises(AirflowException, match=r"2024-01-03.* of test_dag failed: a \(ZeroDivisionError"):
        dag.run(start_date=START, end_date=START + 4 * DAY)
    assert len(api.dag_runs("test_dag")) == 3


def test_a_whole_run_and_the_engine_use_what_the_test_has_set(dag: DAG, api: MemoryApi) -> None:
    PythonOperator(task_id="a", python_callable=lambda: Variable.get("colour"), dag=dag)
    api.variables["colour"] = "blue"
    assert dag.test(START).xcoms["a"]["return_value"] == "blue"
    engine = Engine(dag, start=START)
    engine.run_for(days=1)
    assert engine.api is api
    assert {run.state.value for run in engine.runs()} == {"success"}


def test_files_give_a_whole_run_its_connections(dag: DAG, tmp_path: Path) -> None:
    PythonOperator(task_id="a", python_callable=lambda: BaseHook.get_connection("db").host, dag=dag)
    (tmp_path / "c.yaml").write_text("db: postgres://h1/x\n")
    assert dag.test(START, conn_file_path=str(tmp_path / "c.yaml")).xcoms["a"]["return_value"] == "h1"
    (tmp_path / "c.yaml").write_text("db: {conn_type: postgres, host: h2}\n")
    assert dag.test(START, conn_file_path=str(tmp_path / "c.yaml")).xcoms["a"]["return_value"] == "h2"
    (tmp_path / "c.yaml").write_text("db: {no_such_field: 1}\n")
    with pytest.raises(InvalidInput, match="no field 'no_such_field'"):
        dag.test(START, conn_file_path=str(tmp_path / "c.yaml"))


def test_runs_are_found(dag: DAG) -> None:
    EmptyOperator(task_id="a", dag=dag)
    for day in range(3):
        dag.create_dagrun("running" if day else "success", execution_date=START + day * DAY, run_type="scheduled")
    dag.create_dagrun("running", execution_date=START + 5 * DAY, run_id="mine", external_trigger=True)

    def found(**filters: Any) -> list[int]:
        return [run.logical_date.day for run in DagRun.find(dag_id="test_dag", **filters) if run.logical_date]

    assert found() == [1, 2, 3, 6]
    assert found(state="success") == found(execution_date=START) == [1]
    assert found(run_id="mine") == found(external_trigger=True) == found(run_type="manual") == [6]
    assert found(execution_start_date=START + DAY, execution_end_date=START + 2 * DAY) == [2, 3]


def test_circles_are_found(dag: DAG) -> None:
    first, second = EmptyOperator(task_id="a", dag=dag), EmptyOperator(task_id="b", dag=dag)
    first >> second
    assert dag.test_cycle() is False
    second >> first
    with pytest.raises(AirflowException, match="a"):
        check_cycle(dag)


def test_memory_is_made_when_there_is_none() -> None:
    use_api(None)
    made = memory()
    assert memory() is made
    run = DAG("d", start_date=START).create_dagrun()
    assert isinstance(run, instances.DagRun)
    assert (run.state, run.run_id in {name for _, name in made.runs}) == ("running", True)
