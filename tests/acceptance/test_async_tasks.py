"""`async def` tasks on a real server: many at once on one loop, each with its own log, XCom, retries, time limit."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import ServeProcess, until

pytestmark = pytest.mark.slow

FILE = """
import asyncio, os, time
from datetime import datetime, timedelta
from airflow.decorators import dag, task
from airflow.models import Variable
from airflow.operators.python import PythonOperator, get_current_context

DEFAULTS = dict(schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=100)

@dag(**DEFAULTS)
def crowd():
    @task
    async def nap(n):
        print("before", n, Variable.get("mood", "calm"))
        await asyncio.sleep(0.5)
        ti = get_current_context()["ti"]
        print("after", n, ti.map_index, os.getpid())
        ti.xcom_push("mine", n)
        return n * 2

    @task
    def total(values):
        print("total", sum(values))
    total(nap.expand(n=list(range(30))))
crowd()

@dag(**DEFAULTS)
def hard():
    @task(retries=1, retry_delay=timedelta(0))
    async def second_time(ti=None):
        await asyncio.sleep(0)
        if ti.try_number == 1:
            raise ValueError("not yet")

    @task(execution_timeout=timedelta(seconds=0.3))
    async def slow():
        try:
            await asyncio.sleep(3600)
        finally:
            print("cancelled")

    @task
    async def blocking():
        await asyncio.sleep(0.05)
        time.sleep(0.6)
    second_time(), slow(), blocking()
hard()

@dag(**DEFAULTS)
def waiting():
    @task
    async def wait(path):
        print("pid", os.getpid())
        while not os.path.exists(path):
            await asyncio.sleep(0.02)
        return "seen"
    wait("{flag}")
waiting()
"""


@pytest.fixture
def server(tmp_path: Path) -> Any:
    with ServeProcess(tmp_path, "--concurrency", "2") as server:
        server.write("asyncs.py", FILE.replace("{flag}", str(tmp_path / "flag")))
        for dag_id in ("crowd", "hard", "waiting"):
            server.wait_for_dag(dag_id)
        yield server


def logs(server: ServeProcess, run: Any) -> dict[str, str]:
    found = [path for path in (server.home / "logs").rglob("*.log") if run["run_id"] in str(path)]
    return {str(path.relative_to(server.home)): path.read_text() for path in found}


def one_log(server: ServeProcess, run: Any, *words: str) -> str:
    found = [text for name, text in logs(server, run).items() if all(word in name for word in words)]
    assert len(found) == 1, list(logs(server, run))
    return found[0]


def states(run: Any) -> dict[str, str]:
    return {task["task_id"]: task["state"] for task in run["tasks"]}


def test_thirty_naps_share_a_process_and_keep_their_logs_apart(server: ServeProcess) -> None:
    run = server.run_to_end("crowd")
    assert run["state"] == "success"
    texts = [text for name, text in logs(server, run).items() if "nap" in name]
    assert len(texts) == 30
    said = [[line.split() for line in text.splitlines() if line.startswith(("before", "after"))] for text in texts]
    assert all(len(lines) == 2 and lines[0][1] == lines[1][1] for lines in said)
    assert {line[3] for lines in said for line in lines if line[0] == "after"} == {said[0][1][3]}
    assert "calm" in texts[0]
    assert "total 870" in one_log(server, run, "total")


def test_retries_time_limits_and_blockers(server: ServeProcess) -> None:
    run = server.run_to_end("hard")
    assert states(run) == {"second_time": "success", "slow": "failed", "blocking": "success"}
    tries = {task["task_id"]: task["try_number"] for task in run["tasks"]}
    assert tries["second_time"] == 2
    slow = one_log(server, run, "slow")
    assert "cancelled" in slow
    assert "execution_timeout of 0.3 s" in slow
    until(lambda: "has blocked the event loop" in one_log(server, run, "blocking"), "it is named")
    assert "time.sleep(0.6)" in one_log(server, run, "blocking")


def started(server: ServeProcess) -> Any:
    server.call("unpause_dag", dag_id="waiting")
    run = server.call("trigger_dag", dag_id="waiting")
    until(lambda: any("pid" in text for text in logs(server, run).values()), "the task runs")
    return run


def test_marking_one_failed_cancels_it(server: ServeProcess) -> None:
    run = started(server)
    server.call("mark_tasks", dag_id="waiting", run_id=run["run_id"], task_id="wait", state="failed")
    assert server.wait_for_run("waiting", run["run_id"])["state"] == "failed"
    until(lambda: "told to end" in one_log(server, run, "wait"), "the task is cancelled")


@pytest.mark.parametrize("while_away", [False, True])
def test_they_go_on_while_the_server_is_away(server: ServeProcess, tmp_path: Path, while_away: bool) -> None:
    run = started(server)
    server.stop(kill=True)
    if while_away:  # its result waits in the spool
        (tmp_path / "flag").touch()
        until(lambda: list((server.home / "spool").glob("*.try")), "the result is spooled")
    server.start()
    (tmp_path / "flag").touch()
    ended = server.wait_for_run("waiting", run["run_id"])
    assert (ended["state"], ended["tasks"][0]["try_number"]) == ("success", 1)
    assert one_log(server, run, "wait").count("pid") == 1


def test_killing_their_process_is_a_failure_that_retries_answer(server: ServeProcess, tmp_path: Path) -> None:
    run = started(server)
    pid = int(one_log(server, run, "wait").partition("pid ")[2].split()[0])
    os.kill(pid, signal.SIGKILL)
    ended = server.wait_for_run("waiting", run["run_id"])
    assert ended["state"] == "failed"
    (tmp_path / "flag").touch()
    assert server.run_to_end("waiting")["state"] == "success"
