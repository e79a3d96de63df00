"""TriggerDagRunOperator on a real server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import ServeProcess, until

pytestmark = pytest.mark.slow

CHILD = """
import time
from datetime import datetime

from airflow import DAG
from airflow.decorators import task

with DAG(
    "child",
    start_date=datetime(2024, 1, 1),
    schedule=None,
    is_paused_upon_creation=False,
    params={"fail": False, "seconds": 0.0},
):

    @task
    def work(params=None, dag_run=None):
        print("conf is", dag_run.conf)
        time.sleep(params["seconds"])
        if params["fail"]:
            raise ValueError("told to fail")

    work()
"""

PARENT = """
from datetime import datetime

from airflow import DAG
from airflow.operators.trigger_dagrun import TriggerDagRunOperator

with DAG("parent", start_date=datetime(2024, 1, 1), schedule=None, is_paused_upon_creation=False):
    TriggerDagRunOperator(task_id="t", trigger_dag_id="child", {arguments})
"""


def parent(server: ServeProcess, arguments: str) -> None:
    """The DAG file with these arguments of the operator, loaded."""
    before = server.dag("parent")
    server.write("parent.py", PARENT.replace("{arguments}", arguments))
    until(
        lambda: (row := server.dag("parent")) and (before is None or row["version"] != before["version"]),
        "the file is loaded",
    )


def play(server: ServeProcess, arguments: str = "") -> tuple[str, str]:
    """State of the task that triggers, and its log."""
    if arguments:
        parent(server, arguments)
    run = server.run_to_end("parent")
    log = server.call("read_log", dag_id="parent", run_id=run["run_id"], task_id="t")
    return run["tasks"][0]["state"], log["text"]


def test_a_run_is_made_with_its_conf_and_waited_for(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("child.py", CHILD)
        server.wait_for_dag("child")
        arguments = 'conf={"from": "{{ dag.dag_id }}"}, trigger_run_id="made", execution_date="2024-02-03", '
        state, log = play(server, arguments + "wait_for_completion=True, poke_interval=1")
        assert state == "success", log
        assert "child finished with allowed state success" in log
        (child,) = server.call("list_runs", dag_id="child")
        assert (child["run_id"], child["run_type"], child["state"]) == ("made", "manual", "success")
        assert (child["conf"], child["external_trigger"]) == ({"from": "parent"}, True)
        assert child["triggered_by"] == "dag:parent/t"
        assert child["logical_date"] == "2024-02-03T00:00:00+00:00"


def test_the_end_is_seen_at_once_without_an_executor_slot(tmp_path: Path) -> None:
    with ServeProcess(tmp_path, "--concurrency", "1") as server:
        server.write("child.py", CHILD)
        server.wait_for_dag("child")
        begin = time.monotonic()
        state, log = play(server, "wait_for_completion=True, poke_interval=60")
        assert state == "success", log
        assert time.monotonic() - begin < 20


def test_waiting_goes_on_over_a_restart_of_the_server(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("child.py", CHILD)
        server.wait_for_dag("child")
        parent(server, 'conf={"seconds": 3.0}, wait_for_completion=True, poke_interval=60')
        server.call("unpause_dag", dag_id="parent")
        run = server.call("trigger_dag", dag_id="parent")
        log = {"dag_id": "parent", "run_id": run["run_id"], "task_id": "t"}
        until(lambda: "Waiting for child" in server.call("read_log", **log)["text"], "the parent waits")
        server.stop(kill=True)
        server.start()
        ended = server.wait_for_run("parent", run["run_id"])
        assert [(task["state"], task["try_number"]) for task in ended["tasks"]] == [("success", 1)]


def test_a_run_that_fails_fails_who_waits_for_it(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("child.py", CHILD)
        server.wait_for_dag("child")
        waits = 'conf={"fail": True}, wait_for_completion=True, poke_interval=1'
        state, log = play(server, waits)
        assert state == "failed"
        assert "child failed with failed states failed" in log
        state, log = play(server, waits + ', allowed_states=["failed"], failed_states=["success"]')
        assert state == "success", log


def test_a_run_that_exists_fails_skips_or_runs_again(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("child.py", CHILD)
        server.wait_for_dag("child")
        again = 'trigger_run_id="made", wait_for_completion=True, poke_interval=1'
        assert play(server, again)[0] == "success"
        state, log = play(server)
        assert state == "failed"
        assert "DagRunAlreadyExists" in log
        assert play(server, again + ", skip_when_already_exists=True")[0] == "skipped"
        state, log = play(server, again + ', reset_dag_run=True, conf={"second": True}')
        assert state == "success", log
        (child,) = server.call("list_runs", dag_id="child")
        assert (child["state"], child["clear_number"]) == ("success", 1)
        (work,) = server.call("get_run", dag_id="child", run_id="made")["tasks"]
        assert work["try_number"] == 2


def test_a_paused_dag_gets_a_run_that_waits_unless_told_to_fail(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("child.py", CHILD)
        server.wait_for_dag("child")
        server.call("pause_dag", dag_id="child")
        state, log = play(server, "fail_when_dag_is_paused=True")
        assert state == "failed"
        assert "Dag child is paused" in log
        assert play(server, "conf='{\"text\": 1}'")[0] == "success"
        (child,) = server.call("list_runs", dag_id="child")
        assert (child["state"], child["conf"]) == ("queued", {"text": 1})


def test_what_cannot_be_triggered_is_said(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        state, log = play(server, "conf={}")
        assert state == "failed"
        assert "DagNotFound" in log


MANY = """
from datetime import datetime

from airflow import DAG
from airflow.operators.trigger_dagrun import TriggerDagRunOperator

with DAG("parent", start_date=datetime(2024, 1, 1), schedule=None, is_paused_upon_creation=False):
    TriggerDagRunOperator.partial(task_id="t", trigger_dag_id="child").expand(conf=[{"n": n} for n in range(20)])
"""


def test_copies_of_a_mapped_task_each_make_a_run(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("child.py", CHILD)
        server.write("parent.py", MANY)
        server.wait_for_dag("child")
        server.wait_for_dag("parent")
        run = server.run_to_end("parent")
        assert [task["state"] for task in run["tasks"]] == ["success"] * 20

        def ended() -> list[Any]:
            rows: list[Any] = server.call("list_runs", dag_id="child")
            return rows if all(row["state"] == "success" for row in rows) else []

        children = until(ended, "all have run")
        assert sorted(child["conf"]["n"] for child in children) == list(range(20))
