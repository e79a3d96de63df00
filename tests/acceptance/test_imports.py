"""What a DAG file does at import, seen from its tasks: fresh values, safe threads and connections, watched reads."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.acceptance.server import SOON, ServeProcess, until

pytestmark = pytest.mark.slow

HEAD = """
import os, sqlite3, threading, time
from datetime import datetime
from airflow import DAG
from airflow.decorators import task
from airflow.operators.python import PythonOperator
"""

STAMPED = (
    HEAD
    + """
STAMP = datetime.now()

def note(folder):
    with open(os.path.join(folder, f"{os.getpid()}"), "w") as file:
        file.write(STAMP.isoformat())

with DAG("stamped", start_date=datetime(2024, 1, 1), schedule=None) as dag:
    a = PythonOperator(task_id="a", python_callable=note, op_args=["{folder}"])
    b = PythonOperator(task_id="b", python_callable=note, op_args=["{folder}"])
    a >> b
"""
)


def test_clock_read_at_import_is_fresh_in_each_task(tmp_path: Path) -> None:
    stamps = tmp_path / "stamps"
    stamps.mkdir()
    with ServeProcess(tmp_path) as server:
        server.write("stamped.py", STAMPED.replace("{folder}", str(stamps)))
        server.wait_for_dag("stamped")
        loaded = time.time()
        assert server.run_to_end("stamped")["state"] == "success"
    values = [path.read_text() for path in stamps.iterdir()]
    assert len(set(values)) == 2
    assert min(values) > time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(loaded - 1))


CONNECTED = (
    HEAD
    + """
connection = sqlite3.connect("{database}", check_same_thread=False)
ticks = []
def tick():
    while True:
        ticks.append(1)
        time.sleep(0.005)
threading.Thread(target=tick, daemon=True).start()

with DAG("connected", start_date=datetime(2024, 1, 1), schedule=None, max_active_tasks=20) as dag:
    @task
    def write(number):
        assert threading.active_count() == 2, threading.enumerate()
        before = len(ticks)
        while len(ticks) == before:
            time.sleep(0.001)
        with connection:
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        return number

    for number in range(20):
        write(number)
"""
)


def test_connection_and_thread_made_at_import_serve_twenty_tasks_at_once(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    database = tmp_path / "their.db"
    with closing(sqlite3.connect(database)) as db:
        db.execute("CREATE TABLE t (n)")
        db.commit()
    with ServeProcess(tmp_path, "--concurrency", "20") as server:
        server.write("connected.py", CONNECTED.replace("{database}", str(database)))
        server.wait_for_dag("connected")
        run = server.run_to_end("connected")
        assert {t["state"] for t in run["tasks"]} == {"success"}
    with closing(sqlite3.connect(database)) as db:
        assert sorted(n for (n,) in db.execute("SELECT n FROM t")) == list(range(20))


FACTORY = (
    HEAD
    + """
import yaml
from pathlib import Path

for name in yaml.safe_load((Path(__file__).parent / "conf" / "dags.yaml").read_text()):
    with DAG(f"made_{name}", start_date=datetime(2024, 1, 1), schedule=None) as dag:
        PythonOperator(task_id="t", python_callable=print)
    globals()[dag.dag_id] = dag
"""
)


def test_edit_of_the_yaml_a_factory_reads_changes_its_dags_soon(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("conf/dags.yaml", "[one]")
        server.write("factory.py", FACTORY)
        server.wait_for_dag("made_one")
        before = time.monotonic()
        server.write("conf/dags.yaml", "[one, two]")
        server.wait_for_dag("made_two")
        assert time.monotonic() - before < SOON
        server.write("conf/dags.yaml", "[two]")
        until(lambda: server.dag("made_one") is None, "the first DAG goes")
