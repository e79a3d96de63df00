"""Callbacks on a real server always fire: also after kill -9 of a task, its host, the server, and a broken file."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import ServeProcess, until

pytestmark = pytest.mark.slow

DAG = """
import os, time
from datetime import datetime
from airflow import DAG
from airflow.operators.python import PythonOperator

FOLDER = {folder!r}

def tell(context, what):
    with open(os.path.join(FOLDER, what), "a") as file:
        file.write(f"{{context['ti'].task_id}} {{context['ti'].try_number}} {{context.get('reason')}}\\n")

def work():
    open(os.path.join(FOLDER, "pid"), "w").write(str(os.getpid()))
    while not os.path.exists(os.path.join(FOLDER, "go")):
        time.sleep(0.02)

with DAG("calls", schedule=None, start_date=datetime(2024, 1, 1),
         on_success_callback=lambda c: tell(c, "dag_success"), on_failure_callback=lambda c: tell(c, "dag_failure")):
    PythonOperator(task_id="work", python_callable=work, on_failure_callback=lambda c: tell(c, "task_failure"),
                   on_success_callback=lambda c: tell(c, "task_success"))
"""


class Case:
    """A running server with the DAG, its task at work."""

    def __init__(self, server: ServeProcess, tmp_path: Path) -> None:
        self.server = server
        self.folder = tmp_path / "told"
        self.folder.mkdir()
        server.write("calls.py", DAG.format(folder=str(self.folder)))
        server.wait_for_dag("calls")
        server.call("unpause_dag", dag_id="calls")
        self.run_id = server.call("trigger_dag", dag_id="calls")["run_id"]
        self.pid = int(until(lambda: self.told("pid"), "the task is at work"))

    def told(self, what: str) -> str:
        path = self.folder / what
        return path.read_text() if path.exists() else ""

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait_for(self, what: str) -> str:
        return str(until(lambda: self.told(what), f"the {what} callback has fired"))


def test_after_kill_9_of_the_task(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        case = Case(server, tmp_path)
        case.kill()
        assert case.wait_for("task_failure").startswith("work 1")
        assert "task_failure" in case.wait_for("dag_failure") or case.told("dag_failure")

        def journal_has_both() -> Any:
            lines = server.call("list_events", dag_id="calls", run_id=case.run_id)
            return [line for line in lines if line["event"] == "callback.done"][1:]

        until(journal_has_both, "the journal says that both have run")


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_after_kill_9_of_the_host_and_the_task(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        case = Case(server, tmp_path)
        os.kill(parent_of(case.pid), signal.SIGKILL)
        case.kill()
        assert case.wait_for("task_failure").startswith("work 1")
        case.wait_for("dag_failure")


def test_after_kill_9_of_the_server_and_the_task(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        case = Case(server, tmp_path)
        server.stop(kill=True)
        case.kill()
        server.start()
        assert case.wait_for("task_failure").startswith("work 1")
        case.wait_for("dag_failure")


def test_after_the_file_broke_the_last_good_version_calls(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        case = Case(server, tmp_path)
        server.write("calls.py", "from airflow import DAG\n1 / 0\n")
        until(lambda: server.call("list_import_errors"), "the file is known to be broken")
        case.kill()
        case.wait_for("task_failure")
        case.wait_for("dag_failure")


def test_a_file_that_is_broken_when_the_server_comes_back(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        case = Case(server, tmp_path)
        server.stop(kill=True)
        server.write("calls.py", "from airflow import DAG\n1 / 0\n")
        case.kill()
        server.start()
        case.wait_for("task_failure")
        case.wait_for("dag_failure")


def test_the_success_of_a_task_that_outlived_its_server(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        case = Case(server, tmp_path)
        server.stop(kill=True)
        (case.folder / "go").touch()
        case.wait_for("task_success")
        server.start()
        assert case.wait_for("dag_success").startswith("work")
        assert not case.told("task_failure")
