"""Which file a DAG belongs to: duplicates, renames, and files that are broken when the server starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.server import ServeProcess, until

pytestmark = pytest.mark.slow

FILE = """
from datetime import datetime
from airflow import DAG
from airflow.operators.python import PythonOperator

with DAG("{dag_id}", start_date=datetime(2024, 1, 1), schedule=None) as dag:
    PythonOperator(task_id="t", python_callable=lambda: print("from {name}"))
"""


def text(dag_id: str, name: str) -> str:
    return FILE.replace("{dag_id}", dag_id).replace("{name}", name)


def test_second_file_with_a_dag_id_gets_it_when_the_first_lets_go(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("first.py", text("same", "first"))
        server.wait_for_dag("same")
        server.write("second.py", text("same", "second"))
        (error,) = until(lambda: server.call("list_import_errors"), "the duplicate is an error")
        assert error["file"] == "second.py"
        assert "'same' is already used by first.py" in error["message"]
        assert error["line"] == 6
        assert server.dag("same")["file"] == "first.py"
        server.write("first.py", text("other", "first"))
        until(lambda: (server.dag("same") or {}).get("file") == "second.py", "the second file gets the DAG")
        assert server.call("list_import_errors") == []


def test_file_renamed_while_no_server_ran_keeps_its_dag(tmp_path: Path) -> None:
    server = ServeProcess(tmp_path)
    with server:
        path = server.write("old.py", text("moved", "old"))
        server.wait_for_dag("moved")
        server.run_to_end("moved")
        server.stop()
        path.rename(path.with_name("new.py"))
        server.start()
        until(lambda: (server.dag("moved") or {}).get("file") == "new.py", "the DAG is in its new file")
        assert server.dag("moved")["paused"] is False
        assert server.run_to_end("moved")["state"] == "success"
        assert len(server.call("list_runs", dag_id="moved")) == 2


def test_file_that_is_broken_at_the_start_runs_its_last_good_version(tmp_path: Path) -> None:
    server = ServeProcess(tmp_path)
    with server:
        path = server.write("file.py", text("kept", "good"))
        version = server.wait_for_dag("kept")["version"]
        server.stop()
        path.write_text(text("kept", "bad") + "\n1 / 0\n")
        server.start()
        until(lambda: server.call("list_import_errors"), "the error shows")
        run = server.run_to_end("kept")
        assert run["state"] == "success"
        assert run["version"] == version
        assert "from good" in server.call("read_log", dag_id="kept", run_id=run["run_id"], task_id="t")["text"]


def test_sound_dag_of_a_new_file_runs_beside_a_broken_one(tmp_path: Path) -> None:
    broken = "\nwith DAG('cyclic', start_date=datetime(2024, 1, 1), schedule=None) as other:\n"
    broken += "    a, b = (PythonOperator(task_id=i, python_callable=print) for i in 'ab')\n    a >> b >> a\n"
    with ServeProcess(tmp_path) as server:
        server.write("two.py", text("sound", "two") + broken)
        (error,) = until(lambda: server.call("list_import_errors"), "the cycle is an error")
        assert "cyclic" in error["message"]
        server.wait_for_dag("sound")
        assert server.run_to_end("sound")["state"] == "success"
