"""Backfills on a real server, through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import ServeProcess, environment, until

pytestmark = pytest.mark.slow

DAG = """
from datetime import datetime
from airflow import DAG
from airflow.operators.python import PythonOperator

def work(ds, dag_run, **_):
    print("working on", ds, dag_run.run_type, dag_run.conf)
    if ds == dag_run.conf.get("fail"):
        raise ValueError("told to fail")

with DAG("days", schedule="@daily", start_date=datetime(2024, 1, 1), catchup=False, max_active_runs=2):
    PythonOperator(task_id="work", python_callable=work) >> PythonOperator(task_id="after", python_callable=work)
"""


def cli(server: ServeProcess, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asyncflow", *words, "--home", str(server.home), "--dags", str(server.dags)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(server.home), timeout=60, check=False
    )


def states(server: ServeProcess) -> dict[str, Any]:
    return {run["run_id"]: run["state"] for run in server.call("list_runs", dag_id="days")}


def test_the_command_runs_a_paused_dag_for_past_dates_and_waits(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("days.py", DAG)
        server.wait_for_dag("days")
        plan = cli(
            server, "dags", "backfill", "days", "-s", "2024-03-01", "-e", "2024-03-03", "--dry-run", "-o", "json"
        )
        assert [row["logical_date"][:10] for row in json.loads(plan.stdout)] == [
            "2024-03-01",
            "2024-03-02",
            "2024-03-03",
        ]
        assert states(server) == {}
        done = cli(
            server,
            "dags",
            "backfill",
            "days",
            "-s",
            "2024-03-01",
            "-e",
            "2024-03-03",
            "--conf",
            '{"k": 1}',
            "-o",
            "json",
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0]["state"] == "success"
        assert states(server) == {f"backfill__2024-03-0{day}T00:00:00+00:00": "success" for day in (1, 2, 3)}
        log = server.call("read_log", dag_id="days", run_id="backfill__2024-03-02T00:00:00+00:00", task_id="work")
        assert "working on 2024-03-02 backfill {'k': 1}" in log["text"]


def test_a_failed_task_ends_the_backfill_and_the_command(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("days.py", DAG)
        server.wait_for_dag("days")
        words = ("-s", "2024-03-01", "-e", "2024-03-20", "--conf", '{"fail": "2024-03-01"}')
        failed = cli(server, "dags", "backfill", "days", *words)
        assert failed.returncode == 1
        assert "work failed in backfill__2024-03-01" in failed.stderr
        assert len(states(server)) < 6
        again = cli(server, "dags", "backfill", "days", "-s", "2024-03-01", "--rerun-failed-tasks", "-m")
        assert again.returncode == 0, again.stderr
        assert states(server)["backfill__2024-03-01T00:00:00+00:00"] == "success"


def test_a_backfill_survives_kill_9_of_the_server(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("days.py", DAG)
        server.wait_for_dag("days")
        words = ("-s", "2024-03-01", "-e", "2024-03-30", "--detach", "-o", "json")
        begun = json.loads(cli(server, "dags", "backfill", "days", *words).stdout)[0]
        until(lambda: "success" in states(server).values(), "a first run has ended")
        server.stop(kill=True)
        server.start()

        def ended() -> Any:
            row = server.call("get_backfill", backfill_id=begun["backfill_id"])
            return row if row["state"] not in ("running", "failing") else None

        assert until(ended, "the backfill has ended")["state"] == "success"
        assert list(states(server).values()) == ["success"] * 30


CUSTOM = """
from datetime import datetime, timedelta
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.timetables.base import DagRunInfo, Timetable

class EveryTenDays(Timetable):
    def infer_manual_data_interval(self, *, run_after):
        raise NotImplementedError

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        start = last_automated_data_interval.end if last_automated_data_interval else restriction.earliest
        if restriction.latest is not None and start > restriction.latest:
            return None
        return DagRunInfo.interval(start, start + timedelta(days=10))

with DAG("tens", timetable=EveryTenDays(), start_date=datetime(2024, 1, 1), catchup=False):
    BashOperator(task_id="a", bash_command="true")
"""


def test_a_timetable_of_the_users_own_is_asked_for_its_dates(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("tens.py", CUSTOM)
        server.wait_for_dag("tens")
        plan = server.call("backfill_dag", dag_id="tens", start_date="2024-02-01", end_date="2024-02-25", dry_run=True)
        assert [run["logical_date"][:10] for run in plan["runs"]] == ["2024-02-01", "2024-02-11", "2024-02-21"]


def test_a_backfill_can_be_cancelled(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("days.py", DAG.replace("max_active_runs=2", "max_active_runs=1"))
        server.wait_for_dag("days")
        words = ("-s", "2020-01-01", "-e", "2024-03-30", "--detach", "-o", "json")
        begun = json.loads(cli(server, "dags", "backfill", "days", *words).stdout)[0]
        number = str(begun["backfill_id"])
        assert "is paused" in cli(server, "dags", "pause-backfill", number).stdout
        assert json.loads(cli(server, "dags", "list-backfills", "-o", "json").stdout)[0]["paused"]
        assert "goes on" in cli(server, "dags", "resume-backfill", number).stdout
        assert cli(server, "dags", "cancel-backfill", number).returncode == 0

        def ended() -> Any:
            return server.call("get_backfill", backfill_id=begun["backfill_id"])["state"] == "cancelled"

        until(ended, "it has ended")
        again = cli(server, "dags", "cancel-backfill", str(begun["backfill_id"]))
        assert again.returncode == 4
        assert "cancelled" in cli(server, "dags", "list-backfills").stdout


def test_bad_words_are_answered_with_a_sentence(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("days.py", DAG)
        server.wait_for_dag("days")
        assert "start date and/or an end date" in cli(server, "dags", "backfill", "days").stderr
        assert cli(server, "dags", "backfill", "dais", "-s", "2024-01-01").returncode == 3
        nothing = cli(server, "dags", "backfill", "days", "-s", "2024-01-01T05:00:00", "-e", "2024-01-01T06:00:00")
        assert "no run between these dates" in nothing.stderr
        assert nothing.returncode == 0
