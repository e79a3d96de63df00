"""Measures how soon a DAG that waits for a dataset starts, on a real server. Prints milliseconds.

python benchmarks/datasets.py [--rounds N] [--consumers N] [--json]

    task     a task that updates the dataset ends -> the waiting DAG's run is started -> its first task's process runs
    outside  `asyncflow datasets update` is committed -> the same
    many     one update -> all runs of many waiting DAGs are started
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.server import Server, until

HEAD = """
from datetime import datetime

from airflow import DAG
from airflow.datasets import Dataset
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import PythonOperator

START = datetime(2024, 1, 1)
"""
PAIR = """
with DAG("producer", schedule=None, start_date=START):
    PythonOperator(task_id="write", python_callable=lambda: None, outlets=[Dataset("file://one")])

with DAG("consumer", schedule=[Dataset("file://one")], start_date=START):
    PythonOperator(task_id="read", python_callable=lambda: None)
"""
MANY = """
for number in range({consumers}):
    with DAG(f"waits_{{number}}", schedule=[Dataset("file://many")], start_date=START):
        EmptyOperator(task_id="read")
"""
ENDED = ("success", "failed")


def by_task(server: Server, number: int) -> dict[str, float]:
    """One round: the producer runs, the consumer follows."""
    run = server.call("trigger_dag", dag_id="producer")
    producer = until(lambda: _ended(server, run), "the producer ends", pause=0.01)
    return _follow(server, number, _moment(producer["tasks"][0]["ended_at"]))


def from_outside(server: Server, number: int) -> dict[str, float]:
    """One round: the dataset is updated by hand."""
    event = server.call("update_dataset", uri="file://one")
    return _follow(server, number, _moment(event["at"]))


def _follow(server: Server, number: int, begin: datetime) -> dict[str, float]:
    def latest() -> Any:
        runs = server.call("list_runs", dag_id="consumer", limit=number + 1)
        return len(runs) > number and _ended(server, runs[0])

    run = until(latest, "the consumer ends", pause=0.01)
    if run["state"] != "success":
        raise SystemExit("The consumer failed.")
    return {
        "run_started": _milliseconds(begin, run["started_at"]),
        "task_started": _milliseconds(begin, run["tasks"][0]["started_at"]),
    }


def to_many(server: Server, consumers: int) -> dict[str, float]:
    """One update, many DAGs that wait for it."""
    event = server.call("update_dataset", uri="file://many")

    def ended() -> Any:
        runs = [run for run in server.call("list_runs", limit=consumers + 1000) if run["dag_id"].startswith("waits_")]
        return runs if len(runs) == consumers and all(run["state"] in ENDED for run in runs) else None

    runs = until(ended, "all consumers end", pause=0.05)
    begin = _moment(event["at"])
    return {
        "first_run_started": min(_milliseconds(begin, run["started_at"]) for run in runs),
        "last_run_started": max(_milliseconds(begin, run["started_at"]) for run in runs),
        "last_run_ended": max(_milliseconds(begin, run["ended_at"]) for run in runs),
    }


def _ended(server: Server, run: dict[str, Any]) -> Any:
    found = server.call("get_run", dag_id=run["dag_id"], run_id=run["run_id"])
    return found if found["state"] in ENDED else None


def _milliseconds(begin: datetime, end: str) -> float:
    return (_moment(end) - begin).total_seconds() * 1000


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _summary(rounds: list[dict[str, float]]) -> dict[str, float]:
    shown = {}
    for name in rounds[0]:
        values = sorted(one[name] for one in rounds)
        shown[f"{name}_median"] = round(statistics.median(values), 1)
        shown[f"{name}_p95"] = round(values[int(len(values) * 0.95)], 1)
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--consumers", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with Server() as server:
        server.put({"pair.py": HEAD + PAIR, "many.py": HEAD + MANY.format(consumers=given.consumers)})
        server.wait_for_dags(["producer", "consumer", f"waits_{given.consumers - 1}"])
        until(lambda: server.dag(f"waits_{given.consumers - 1}")["datasets"], "the scheduler knows them")
        tasks = [by_task(server, number) for number in range(given.rounds)]
        outside = [from_outside(server, given.rounds + number) for number in range(given.rounds)]
        figures: dict[str, Any] = {"task": _summary(tasks), "outside": _summary(outside)}
        figures["many"] = {name: round(value, 1) for name, value in to_many(server, given.consumers).items()}
    if given.json:
        print(json.dumps(figures))
        return
    for name, values in figures.items():
        for what, value in values.items():
            print(f"{name:8} {what.replace('_', ' '):24} {value:8.1f} ms")


if __name__ == "__main__":
    main()
