"""`asyncflow serve` as a user meets it: a classic DAG file, a run, an edit, a crash."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.acceptance.server import SOON, ServeProcess, until

pytestmark = pytest.mark.slow

CLASSIC = """
from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.bash_operator import BashOperator
from airflow.operators.python_operator import PythonOperator

default_args = {"owner": "data", "retries": 1, "retry_delay": timedelta(seconds=1), "start_date": datetime(2024, 1, 1)}

dag = DAG("classic", default_args=default_args, schedule_interval=timedelta(seconds=2), catchup=False)

task1 = BashOperator(task_id="task1", bash_command="echo hello from {{ ds }}", dag=dag)
task2 = PythonOperator(task_id="task2", python_callable=lambda **context: print("two", context["run_id"]), dag=dag)

task1 >> task2

if __name__ == "__main__":
    dag.cli()
"""


def test_classic_file_appears_runs_on_its_schedule_and_logs(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        before = time.monotonic()
        server.write("classic.py", CLASSIC)
        row = server.wait_for_dag("classic")
        assert time.monotonic() - before < SOON
        assert row["paused"] is True
        server.call("unpause_dag", dag_id="classic")
        runs = until(
            lambda: [r for r in server.call("list_runs", dag_id="classic") if r["state"] == "success"], "a run succeeds"
        )
        assert runs[0]["run_type"] == "scheduled"
        log = server.call("read_log", dag_id="classic", run_id=runs[0]["run_id"], task_id="task1")
        assert f"hello from {runs[0]['logical_date'][:10]}" in log["text"]
        assert "task1" in server.get(f"/dags/classic/runs/{runs[0]['run_id']}".replace("+", "%2B"))


def test_triggered_run_ends_with_task_states_and_conf(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("classic.py", CLASSIC.replace("timedelta(seconds=2)", "None"))
        server.wait_for_dag("classic")
        run = server.run_to_end("classic", conf={"a": 1})
        assert run["state"] == "success"
        assert run["conf"] == {"a": 1}
        assert {t["task_id"]: t["state"] for t in run["tasks"]} == {"task1": "success", "task2": "success"}


def test_failing_task_is_retried_then_fails_its_run(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        text = CLASSIC.replace("timedelta(seconds=2)", "None").replace("echo hello from {{ ds }}", "exit 3")
        server.write("classic.py", text)
        server.wait_for_dag("classic")
        run = server.run_to_end("classic")
        assert run["state"] == "failed"
        states = {t["task_id"]: (t["state"], t["try_number"]) for t in run["tasks"]}
        assert states == {"task1": ("failed", 2), "task2": ("upstream_failed", 0)}


def test_broken_edit_keeps_the_last_good_version_and_shows_the_error(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        good = CLASSIC.replace("timedelta(seconds=2)", "None")
        server.write("classic.py", good)
        version = server.wait_for_dag("classic")["version"]
        server.write("classic.py", good + "\nraise RuntimeError('half an edit')\n")
        errors = until(lambda: server.call("list_import_errors"), "the import error shows")
        assert errors[0]["file"] == "classic.py"
        assert errors[0]["line"] == good.count("\n") + 2
        assert "half an edit" in errors[0]["message"]
        assert server.run_to_end("classic")["state"] == "success"
        server.write("classic.py", good)
        until(lambda: not server.call("list_import_errors"), "the error goes away")
        assert server.dag("classic")["version"] == version


def test_deleted_file_takes_its_dag_off_the_list(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        path = server.write("classic.py", CLASSIC)
        server.wait_for_dag("classic")
        path.unlink()
        until(lambda: server.dag("classic") is None, "the DAG goes")


SLOW = """
import os, pathlib, time
from datetime import datetime
from airflow import DAG
from airflow.operators.python import PythonOperator

def work(mark, gate):
    with open(mark, "a") as file:
        file.write(f"{os.environ.get('X', '')}{os.getpid()}\\n")
    while not os.path.exists(gate):
        time.sleep(0.01)

with DAG("slow", start_date=datetime(2024, 1, 1), schedule=None) as dag:
    first = PythonOperator(task_id="first", python_callable=work, op_args=["{mark}.first", "{gate}"])
    second = PythonOperator(task_id="second", python_callable=work, op_args=["{mark}.second", "{gate}"])
    first >> second
"""


@pytest.mark.parametrize("finish_while_down", [False, True], ids=["adopted", "spooled"])
def test_killed_server_takes_up_its_run_where_it_was(tmp_path: Path, finish_while_down: bool) -> None:
    mark, gate = tmp_path / "mark", tmp_path / "gate"
    server = ServeProcess(tmp_path)
    with server:
        server.write("slow.py", SLOW.replace("{mark}", str(mark)).replace("{gate}", str(gate)))
        server.wait_for_dag("slow")
        server.call("unpause_dag", dag_id="slow")
        run_id = server.call("trigger_dag", dag_id="slow")["run_id"]
        first = Path(f"{mark}.first")
        until(first.exists, "the first task runs")
        server.stop(kill=True)
        pid = int(first.read_text())
        if finish_while_down:
            gate.touch()
            until(lambda: not Path(f"/proc/{pid}").exists(), "the task ends without a server")
        server.start()
        gate.touch()
        run = server.wait_for_run("slow", run_id)
        assert run["state"] == "success"
        assert [t["try_number"] for t in run["tasks"]] == [1, 1]
        assert len(first.read_text().split()) == 1
        assert len(Path(f"{mark}.second").read_text().split()) == 1
