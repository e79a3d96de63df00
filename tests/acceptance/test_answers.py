"""Tasks that ask a person, on a real server: the answer comes from outside, the task goes on with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import ServeProcess, environment, until

pytestmark = pytest.mark.slow

DAG = """
from datetime import datetime, timedelta
from airflow import DAG
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLBranchOperator, HITLOperator
from airflow.operators.empty import EmptyOperator

with DAG("ask", start_date=datetime(2026, 1, 1), schedule=None):
    ApprovalOperator(task_id="approve", subject="Load {{ ds }}?") >> EmptyOperator(task_id="load")
    HITLBranchOperator(task_id="way", subject="Which?", options=["left", "right"]) >> [
        EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]
    HITLOperator(task_id="short", subject="Quick!", options=["a", "b"], defaults="b",
                 response_timeout=timedelta(seconds=0.5))
"""


def command(server: ServeProcess, *words: str) -> str:
    """What a command prints."""
    line = [sys.executable, "-m", "asyncflow", *words]
    return subprocess.run(line, env=environment(server.home), capture_output=True, text=True, check=True).stdout


def _state(server: ServeProcess, run_id: str, task_id: str) -> str:
    run = server.call("get_run", dag_id="ask", run_id=run_id)
    return str(next(row["state"] for row in run["tasks"] if row["task_id"] == task_id))


def _both(asked: list[Any]) -> list[Any] | None:
    return asked if len(asked) == 2 else None


def test_people_answer_and_time_runs_out(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("ask.py", DAG)
        server.wait_for_dag("ask")
        server.call("unpause_dag", dag_id="ask")
        run_id = server.call("trigger_dag", dag_id="ask")["run_id"]
        until(lambda: _state(server, run_id, "short") == "success", "the third has gone on by itself")
        asked = until(lambda: _both(server.call("list_questions")), "two tasks ask")
        assert {row["subject"].split()[0] for row in asked} == {"Load", "Which?"}
        server.call("answer_task", dag_id="ask", run_id=run_id, task_id="approve", options=["Approve"])
        assert "Which?" in command(server, "tasks", "list-required-actions", "--output", "plain")
        command(server, "tasks", "answer", "ask", "way", run_id, "--option", "right", "--yes")
        run = server.wait_for_run("ask", run_id)
        states = {row["task_id"]: row["state"] for row in run["tasks"]}
        assert run["state"] == "success", states
        assert (states["load"], states["left"], states["right"]) == ("success", "skipped", "success")
        assert (
            "the defaults ['b'] count" in server.call("read_log", dag_id="ask", run_id=run_id, task_id="short")["text"]
        )
        assert server.call("list_questions") == []
        events = [line["event"] for line in server.call("list_events", dag_id="ask", run_id=run_id)]
        assert events.count("task.answered") == 2
        assert "answer_task" in command(server, "audit", "--dag-id", "ask", "--via", "cli", "--output", "plain")
        command(server, "dags", "delete-run", "ask", run_id, "--yes")
        assert server.call("list_runs", dag_id="ask") == []
