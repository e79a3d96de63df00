"""The commands against a real server, and without one: the same answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import LIMIT, ServeProcess, environment, until

pytestmark = pytest.mark.slow

FILE = """
from datetime import datetime

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.empty import EmptyOperator

with DAG("etl", start_date=datetime(2026, 1, 1), schedule="0 0 * * *", catchup=False, tags=["nightly"]) as dag:
    start = EmptyOperator(task_id="start")
    extract = BashOperator(task_id="extract", bash_command="echo word is {{ dag_run.conf.get('word') }}")
    load = BashOperator(task_id="load", bash_command="exit {{ dag_run.conf.get('code', 0) }}")
    start >> extract >> load
"""


class CommandLine(ServeProcess):
    """A server, and the commands that are pointed at its home and folder."""

    def run(self, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """`asyncflow <args>` as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "asyncflow", *args, "--dags", str(self.dags)],
            env=environment(self.home),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *args: str) -> Any:
        return json.loads(self.run(*args, "-o", "json").stdout)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with CommandLine(tmp_path_factory.mktemp("cli")) as running:
        running.write("etl.py", FILE)
        running.wait_for_dag("etl")
        yield running


@pytest.fixture
def alone(tmp_path: Path) -> CommandLine:
    """A home and a DAG folder without a server."""
    nobody = CommandLine(tmp_path)
    nobody.write("etl.py", FILE)
    return nobody


def ended(server: CommandLine, run_id: str) -> str:
    def look() -> str:
        state = server.run("dags", "state", "etl", run_id).stdout.split(",")[0].strip()
        return state if state in ("success", "failed") else ""

    return str(until(look, f"{run_id} ends"))


def test_lists(server: CommandLine) -> None:
    (row,) = server.json("dags", "list")
    assert (row["dag_id"], row["fileloc"], row["owners"]) == ("etl", "etl.py", "airflow")
    assert server.json("dags", "list-import-errors") == []
    assert [row["task_id"] for row in server.json("tasks", "list", "etl")] == ["start", "extract", "load"]
    assert server.json("dags", "details", "etl")["tags"] == ["nightly"]
    assert '"extract" -> "load"' in server.run("dags", "show", "etl").stdout
    assert len(server.run("dags", "next-execution", "etl", "-n", "3").stdout.splitlines()) == 3
    assert server.json("info")["server"] == "running"


def test_a_run_from_trigger_to_clear(server: CommandLine) -> None:
    server.run("dags", "unpause", "etl")
    server.run("dags", "trigger", "etl", "-r", "first", "-e", "2026-01-05", "-c", '{"word": "banana", "code": 3}')
    assert ended(server, "first") == "failed"
    states = [(row["task_id"], row["state"]) for row in server.json("tasks", "states-for-dag-run", "etl", "first")]
    assert states == [("start", "success"), ("extract", "success"), ("load", "failed")]
    assert server.run("tasks", "state", "etl", "load", "2026-01-05").stdout == "failed\n"
    assert "word is banana" in server.run("tasks", "logs", "etl", "extract", "first").stdout
    assert [row["run_id"] for row in server.json("dags", "list-runs", "-d", "etl", "--state", "failed")] == ["first"]

    assert "etl  first  load" in server.run("tasks", "clear", "etl", "-f", "--run-id", "first", "--dry-run").stdout
    assert "Cleared 1 task instance." in server.run("tasks", "clear", "etl", "-f", "--run-id", "first", "-y").stdout
    assert ended(server, "first") == "failed"
    tries = server.call("get_task_instance", dag_id="etl", run_id="first", task_id="load")["tries"]
    assert [row["try_number"] for row in tries] == [1, 2]
    assert server.run("dags", "trigger", "etl", "-r", "first", code=4).stderr.startswith("Error: ")


def test_wrong_names(server: CommandLine) -> None:
    assert "Did you mean 'etl'?" in server.run("dags", "trigger", "elt", code=3).stderr
    assert "Did you mean 'load'?" in server.run("tasks", "state", "etl", "laod", "2026-01-05", code=3).stderr


def test_broken_file_fails_list_import_errors(server: CommandLine) -> None:
    path = server.write("broken.py", "from airflow import DAG\nDAG('x'\n")
    until(lambda: server.call("list_import_errors"), "the error is seen")
    done = server.run("dags", "list-import-errors", "-o", "json", code=1)
    (row,) = json.loads(done.stdout)
    assert (row["filepath"], row["line"]) == ("broken.py", 2)
    path.unlink()
    until(lambda: not server.call("list_import_errors"), "the error is forgotten")


def test_second_server_on_the_same_home_is_refused(server: CommandLine) -> None:
    done = server.run("serve", "--port", "0", code=5)
    assert str(server.home) in done.stderr


def test_port_that_is_taken_is_a_sentence(server: CommandLine, tmp_path: Path) -> None:
    other = CommandLine(tmp_path)
    port = server.address.rsplit(":", 1)[1]
    assert f"Port {port}" in other.run("serve", "--port", port, code=2).stderr


def test_commands_answer_without_a_server(alone: CommandLine) -> None:
    (row,) = alone.json("dags", "list")
    assert row["dag_id"] == "etl"
    assert alone.run("tasks", "list", "etl").stdout == "extract\nload\nstart\n"
    assert alone.json("dags", "pause", "etl") == [{"dag_id": "etl", "is_paused": True}]
    assert "Did you mean 'etl'?" in alone.run("dags", "details", "elt", code=3).stderr
    assert "is in order" in alone.run("db", "check").stdout
    assert alone.json("info")["server"] == "not running"


def test_run_triggered_without_a_server_starts_with_the_next_one(alone: CommandLine) -> None:
    alone.run("dags", "unpause", "etl")
    alone.run("dags", "trigger", "etl", "-r", "early")
    assert alone.run("dags", "state", "etl", "early").stdout.split(",")[0].strip() in ("queued", "running")
    with alone:
        assert ended(alone, "early") == "success"


def test_killed_server_leaves_nothing_that_commands_stumble_over(alone: CommandLine) -> None:
    alone.start()
    alone.wait_for_dag("etl")
    alone.stop(kill=True)
    assert [row["dag_id"] for row in alone.json("dags", "list")] == ["etl"]
