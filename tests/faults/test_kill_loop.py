"""kill -9 of a real server again and again in the middle of runs: nothing is lost, nothing runs twice unrecorded."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.server import ServeProcess, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

KILLS = 8
FILE = """
import os, time
from datetime import datetime, timedelta
from airflow import DAG
from airflow.operators.python import PythonOperator

def work(ti):
    line = f"{ti.dag_id} {ti.run_id} {ti.task_id} {ti.try_number}\\n"
    file = os.open("{marks}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)
    time.sleep(0.05)

for number in range(3):
    with DAG(f"load_{number}", start_date=datetime(2024, 1, 1), schedule=None) as dag:
        last = None
        for layer in range(12):
            tasks = [
                PythonOperator(
                    task_id=f"t{layer}_{n}", python_callable=work, retries=10, retry_delay=timedelta(milliseconds=10)
                )
                for n in range(3)
            ]
            if last:
                for above in last:
                    above >> tasks
            last = tasks
    globals()[dag.dag_id] = dag
"""


def test_runs_end_well_though_the_server_is_killed_again_and_again(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    moments = random.Random(7)
    server = ServeProcess(tmp_path)
    with server:
        server.write("load.py", FILE.replace("{marks}", str(marks)))
        runs = []
        for number in range(3):
            server.wait_for_dag(f"load_{number}")
            server.call("unpause_dag", dag_id=f"load_{number}")
            runs.append((f"load_{number}", server.call("trigger_dag", dag_id=f"load_{number}")["run_id"]))
        for _ in range(KILLS):
            threading.Event().wait(moments.uniform(0.05, 0.5))
            server.stop(kill=True)
            server.start()
        ended = [server.wait_for_run(dag_id, run_id, limit=90) for dag_id, run_id in runs]
        assert [run["state"] for run in ended] == ["success"] * 3
        until(lambda: not server.call("list_runs", state="running"), "nothing runs any more")
    executed = Counter(tuple(line.split()) for line in marks.read_text().splitlines())
    assert set(executed.values()) == {1}, "a try was started twice"
    with closing(sqlite3.connect(server.home / "asyncflow.db")) as db:
        rows = db.execute(
            "SELECT dag_id, run_id, task_id, try_number FROM task_try JOIN dag_run ON dag_run.id = task_try.run"
        )
        recorded = {(*row[:3], str(row[3])) for row in rows}
    assert set(executed) <= recorded
    assert {name[:3] for name in executed} == {
        (run["dag_id"], run["run_id"], task["task_id"]) for run in ended for task in run["tasks"]
    }
