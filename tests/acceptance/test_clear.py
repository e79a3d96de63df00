"""Clearing and marking on a real server, beyond one DAG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import ServeProcess, until
from tests.acceptance.test_backfill import cli

pytestmark = pytest.mark.slow

DAGS = """
from datetime import datetime
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.sensors.external_task import ExternalTaskMarker

with DAG("parent", schedule=None, start_date=datetime(2024, 1, 1)):
    work = BashOperator(task_id="work", bash_command="true")
    work >> ExternalTaskMarker(task_id="marks", external_dag_id="child", external_task_id="second")
    work >> ExternalTaskMarker(task_id="circle", external_dag_id="parent", external_task_id="work",
                               execution_date="{{ (logical_date + macros.timedelta(days=1)).isoformat() }}")
    work >> ExternalTaskMarker(task_id="riddle", external_dag_id="child", external_task_id="second",
                               execution_date="{{ ti.xcom_pull(task_ids='work') }}")
with DAG("child", schedule=None, start_date=datetime(2024, 1, 1)):
    first, second, third = (BashOperator(task_id=i, bash_command="true") for i in ("first", "second", "third"))
    first >> second >> third
"""
DATE = "2024-05-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with ServeProcess(tmp_path_factory.mktemp("clear")) as server:
        server.write("both.py", DAGS)
        for dag_id in ("parent", "child"):
            server.wait_for_dag(dag_id)
            server.run_to_end(dag_id, logical_date=DATE, run_id="day")
        yield server


def tries(server: ServeProcess, dag_id: str) -> dict[str, int]:
    return {ti["task_id"]: ti["try_number"] for ti in server.call("get_run", dag_id=dag_id, run_id="day")["tasks"]}


def test_a_dry_run_lists_what_the_markers_lead_to(server: ServeProcess) -> None:
    plan = cli(server, "tasks", "clear", "parent", "-t", "work", "-d", "--dry-run")
    listed = [tuple(line.split()) for line in plan.stdout.splitlines()]
    assert ("child", "day", "second") in listed
    assert ("child", "day", "third") in listed
    assert ("child", "day", "first") not in listed
    assert "riddle: the date it marks is not known" in plan.stderr
    assert tries(server, "child") == {"first": 1, "second": 1, "third": 1}


def test_exclude_subdags_stays_in_the_dag(server: ServeProcess) -> None:
    plan = cli(server, "tasks", "clear", "parent", "-t", "work", "-d", "-x", "--dry-run")
    assert "child" not in plan.stdout


def test_clearing_reaches_the_other_dag(server: ServeProcess) -> None:
    done = cli(server, "tasks", "clear", "parent", "-t", "work", "-d", "--yes")
    assert done.returncode == 0, done.stderr
    until(lambda: tries(server, "child") == {"first": 1, "second": 2, "third": 2}, "the child has run again")
    assert server.wait_for_run("child", "day")["state"] == "success"


def test_marks_list_first_and_then_mark(server: ServeProcess) -> None:
    words = ("tasks", "mark", "child", "second", "day", "--state", "failed", "--downstream")
    plan = cli(server, *words, "--dry-run")
    assert "Would mark 2 task instances failed." in plan.stdout
    assert "Marked 2 task instances failed." in cli(server, *words).stdout
    assert "Marked day success." in cli(server, "dags", "mark", "child", "day", "--state", "success").stdout
    states = {ti["state"] for ti in server.call("get_run", dag_id="child", run_id="day")["tasks"]}
    assert states == {"success"}


def test_markers_in_a_circle_are_refused(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        text = DAGS.replace('execution_date="{{ (logical', 'recursion_depth=2, execution_date="{{ (logical')
        server.write("both.py", text)
        server.wait_for_dag("parent")
        server.call("unpause_dag", dag_id="parent")
        for day in range(1, 6):
            run = server.call("trigger_dag", dag_id="parent", logical_date=f"2024-05-0{day}T00:00:00+00:00")
            server.wait_for_run("parent", run["run_id"])
        plan = cli(server, "tasks", "clear", "parent", "-t", "work|circle", "-e", "2024-05-01", "--dry-run")
        assert plan.returncode == 2
        assert "recursion_depth" in plan.stderr
