"""The DAG files that the benchmark runs. Their tasks do nothing: what is measured is asyncflow itself."""

from __future__ import annotations

from typing import NamedTuple

_HEAD = """\
from datetime import datetime

from airflow import DAG
from airflow.operators.python import PythonOperator


def nothing():
    pass


def task(task_id):
    return PythonOperator(task_id=task_id, python_callable=nothing)


with DAG({dag_id!r}, schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=1000, description={note!r}):
"""


class Workload(NamedTuple):
    """Files to put into the folder; each DAG in them is triggered once, all at the same time."""

    name: str
    files: dict[str, str]
    dag_ids: list[str]
    tasks: int
    #: task id -> task ids it waits for, the same in every DAG
    upstream: dict[str, list[str]]


def dag_file(dag_id: str, body: str, note: str = "") -> str:
    """A DAG file with one DAG; `note` becomes its description."""
    return _HEAD.format(dag_id=dag_id, note=note) + body


def chain(length: int = 50) -> Workload:
    """One task after another: each hand-off counts."""
    body = f"""\
    tasks = [task(f"t{{n}}") for n in range({length})]
    for before, after in zip(tasks, tasks[1:]):
        before >> after
"""
    upstream = {f"t{n}": [f"t{n - 1}"] for n in range(1, length)}
    return Workload(f"chain of {length}", {"chain.py": dag_file("chain", body)}, ["chain"], length, upstream)


def fan_out(width: int = 200) -> Workload:
    """One task, then `width` at once, then one that waits for all."""
    body = f"""\
    first, last = task("first"), task("last")
    first >> [task(f"t{{n}}") for n in range({width})] >> last
"""
    upstream = {"last": [f"t{n}" for n in range(width)]}
    files = {"fan_out.py": dag_file("fan_out", body)}
    return Workload(f"fan-out of {width}", files, ["fan_out"], width + 2, upstream)


def many(dags: int = 100, tasks: int = 10) -> Workload:
    """Many small DAGs, each in its own file, triggered together: a chain of `tasks` each."""
    body = f"""\
    tasks = [task(f"t{{n}}") for n in range({tasks})]
    for before, after in zip(tasks, tasks[1:]):
        before >> after
"""
    ids = [f"many_{n:03}" for n in range(dags)]
    files = {f"{dag_id}.py": dag_file(dag_id, body) for dag_id in ids}
    upstream = {f"t{n}": [f"t{n - 1}"] for n in range(1, tasks)}
    return Workload(f"{dags} DAGs x {tasks}", files, ids, dags * tasks, upstream)
