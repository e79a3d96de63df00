"""Measures what waiting costs: 10,000 sensors that wait, a mapped task with 10,000 copies. Prints a table.

python benchmarks/sensors.py [--sensors N] [--seconds N] [--copies N] [--only waiting|mapped]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.server import Server, until

PER_DAG = 500
DATE = "2024-01-01T00:00:00+00:00"
ENDED = ("success", "failed")

WAITING = """
from datetime import datetime, timedelta
from airflow import DAG
from airflow.sensors.date_time import DateTimeSensor
from airflow.sensors.external_task import ExternalTaskSensor
from airflow.sensors.filesystem import FileSensor
from airflow.sensors.time_delta import TimeDeltaSensor

REST = {{"mode": "reschedule", "poke_interval": 60}}
with DAG("waits_{number}", schedule=None, start_date=datetime(2024, 1, 1)):
    for i in range({sensors} // 2):
        ExternalTaskSensor(task_id=f"other_{{i}}", external_dag_id="other", external_task_id="done", **REST)
    for i in range({sensors} // 4):
        DateTimeSensor(task_id=f"moment_{{i}}", target_time=datetime(2199, 1, 1), **REST)
    for i in range({sensors} // 5):
        TimeDeltaSensor(task_id=f"delta_{{i}}", delta=timedelta(days=40_000), **REST)
    for i in range({sensors} - {sensors} // 2 - {sensors} // 4 - {sensors} // 5):
        FileSensor(task_id=f"file_{{i}}", filepath=f"{folder}/{{i}}.csv", fs_conn_id="bench", **REST)
"""

OTHER = """
from datetime import datetime
from airflow import DAG
from airflow.operators.python import PythonOperator

with DAG("other", schedule=None, start_date=datetime(2024, 1, 1)):
    PythonOperator(task_id="done", python_callable=lambda: None)
"""

MAPPED = """
from datetime import datetime
from airflow import DAG
from airflow.decorators import task

with DAG("mapped_{copies}", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=1000):

    @task
    def one(number):
        pass

    one.expand(number=list(range({copies})))
"""


def family(pid: int) -> set[int]:
    """The process and all its descendants."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _readable(pids: set[int], name: str) -> Iterator[str]:
    for pid in pids:
        try:
            yield Path(f"/proc/{pid}/{name}").read_text()
        except OSError:
            continue


def cpu_seconds(pid: int) -> float:
    """CPU time of the family, with what its members have waited for."""
    ticks = sum(sum(map(int, text.rpartition(")")[2].split()[11:15])) for text in _readable(family(pid), "stat"))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Proportional memory of the family: shared pages count once."""
    lines = [line for text in _readable(family(pid), "smaps_rollup") for line in text.splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def waiting(server: Server, sensors: int, seconds: float) -> None:
    """Have sensors wait, and measure what it costs; then let the external ones go."""
    pid = server.pid
    folder = server.home / "incoming"
    dags = max(1, sensors // PER_DAG)
    each = sensors // dags
    server.call("set_connection", conn_id="bench", fields={"conn_type": "fs"})
    texts = {f"waits_{n}.py": WAITING.format(number=n, sensors=each, folder=folder) for n in range(dags)}
    server.put({"other.py": OTHER, **texts})
    names = [f"waits_{n}" for n in range(dags)]
    server.wait_for_dags([*names, "other"])
    begun = time.perf_counter()
    runs = [server.call("trigger_dag", dag_id=name, logical_date=DATE) for name in names]
    until(lambda: _in_state(server, runs, "up_for_reschedule") == each * dags, "all sensors wait", pause=2)
    print(f"{each * dags} sensors wait after {time.perf_counter() - begun:.1f} s")
    time.sleep(5)
    before, begun = cpu_seconds(pid), time.perf_counter()
    time.sleep(seconds)
    used = (cpu_seconds(pid) - before) / (time.perf_counter() - begun)
    print(f"while they wait: {used:.2%} of one core, {memory_mb(pid):.0f} MB, {len(family(pid))} processes")
    run = server.call("trigger_dag", dag_id="other", logical_date=DATE)
    time.sleep(3)  # looking at so many tasks would be in the way
    wanted = each // 2 * dags
    until(lambda: _in_state(server, runs, "success") >= wanted, "the external ones have ended", pause=0.5)
    done = server.call("get_run", dag_id="other", run_id=run["run_id"])["tasks"][0]["ended_at"]
    tasks = [task for r in runs for task in _tasks(server, r) if task["task_id"].startswith("other_")]
    late = max(_moment(task["ended_at"]) for task in tasks) - _moment(done)
    print(f"{len(tasks)} sensors woken {late.total_seconds() * 1000:.0f} ms after the task they waited for")
    _print_lag(server)


def mapped(server: Server, copies: int) -> None:
    """Time per instance of a mapped task, for 100 copies and for many."""
    sizes = [100, copies]
    server.put({f"mapped_{size}.py": MAPPED.format(copies=size) for size in sizes})
    server.wait_for_dags([f"mapped_{size}" for size in sizes])
    each: dict[int, float] = {}
    for size in [100, *sizes]:  # the first one warms up
        run = server.call("trigger_dag", dag_id=f"mapped_{size}")
        ended = until(lambda run=run: _ended(server, run), f"{size} copies have run", pause=0.25, limit=900)
        tasks = ended["tasks"]
        span = max(_moment(task["ended_at"]) for task in tasks) - _moment(ended["started_at"])
        each[size] = span.total_seconds() * 1000 / len(tasks)
        print(f"mapped, {size:>6} copies: {each[size]:.2f} ms each, {span.total_seconds():.1f} s ({ended['state']})")
    print(f"ratio: {each[copies] / each[100]:.2f}")
    _print_lag(server)


def _print_lag(server: Server) -> None:
    print(f"longest turn of the server's event loop: {server.call('health')['asyncflow']['loop_lag_max_ms']} ms")


def _tasks(server: Server, run: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.call("get_run", dag_id=run["dag_id"], run_id=run["run_id"])["tasks"]
    return found


def _in_state(server: Server, runs: list[dict[str, Any]], state: str) -> int:
    return sum(task["state"] == state for run in runs for task in _tasks(server, run))


def _ended(server: Server, run: dict[str, Any]) -> dict[str, Any] | None:
    runs = server.call("list_runs", dag_id=run["dag_id"])  # without the tasks: the question must cost nothing
    if not any(row["run_id"] == run["run_id"] and row["state"] in ENDED for row in runs):
        return None
    found: dict[str, Any] = server.call("get_run", dag_id=run["dag_id"], run_id=run["run_id"])
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sensors", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60, help="how long to watch them wait")
    parser.add_argument("--copies", type=int, default=10_000)
    parser.add_argument("--only", choices=["waiting", "mapped"])
    arguments = parser.parse_args()
    if arguments.only != "mapped":
        with Server() as server:
            waiting(server, arguments.sensors, arguments.seconds)
    if arguments.only != "waiting":
        with Server(ASYNCFLOW_MAX_MAP_LENGTH=str(arguments.copies)) as server:
            mapped(server, arguments.copies)


if __name__ == "__main__":
    main()
