"""How many runs a second the engine of `asyncflow.testing` plays: `benchmarks/virtual_time.py`.

A thousand hourly runs of a chain of tasks, once with scripted outcomes and once really executed. CPU time of this
process, so that what else the machine does does not count.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from asyncflow.authoring.dag import DAG
from asyncflow.operators.python import PythonOperator
from asyncflow.testing import Engine

START = datetime(2024, 1, 1, tzinfo=UTC)
RUNS = 1000


def a_chain(tasks: int) -> DAG:
    with DAG("chain", start_date=START, schedule="@hourly", catchup=True) as dag:
        before: PythonOperator | None = None
        for number in range(tasks):
            task = PythonOperator(task_id=f"t{number}", python_callable=lambda: 1)
            if before is not None:
                before >> task
            before = task
    return dag


def runs_per_second(tasks: int, *, execute: bool, runs: int = RUNS) -> float:
    """Runs of a chain of so many tasks per second of CPU time."""
    engine = Engine(a_chain(tasks), start=START, execute=execute)
    begun = time.process_time()
    engine.run_until(START + timedelta(hours=runs))
    seconds = time.process_time() - begun
    assert [run.state for run in engine.runs("chain")] == ["success"] * runs
    return runs / seconds


def main() -> None:
    for tasks in (1, 3, 10):
        scripted, executed = (runs_per_second(tasks, execute=execute) for execute in (False, True))
        print(f"{tasks:2} tasks a run: {scripted:6.0f} runs/s scripted, {executed:6.0f} runs/s executed")


if __name__ == "__main__":
    main()
