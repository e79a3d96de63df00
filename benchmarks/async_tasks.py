"""How long many `async def` tasks take that only sleep. See README.md beside it.

python benchmarks/async_tasks.py [--tasks 1000] [--seconds 10]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.server import Server, until

DAG = """
import asyncio
from datetime import datetime
from airflow.decorators import dag, task

@dag(schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks={tasks})
def sleepers():
    @task
    async def nap(n):
        print("asleep", n)
        await asyncio.sleep({seconds})
        return n
    nap.expand(n=list(range({tasks})))
sleepers()
"""


def measure(tasks: int, seconds: float) -> tuple[float, float]:
    """Wall-clock seconds of a run of so many naps, and CPU seconds of the server."""
    settings = {"ASYNCFLOW_DEFAULT_POOL_SLOTS": str(tasks), "ASYNCFLOW_ASYNC_CONCURRENCY": str(tasks)}
    with Server(**settings, ASYNCFLOW_MAX_MAP_LENGTH=str(tasks)) as server:
        server.put({"sleepers.py": DAG.format(tasks=tasks, seconds=seconds)})
        server.wait_for_dags(["sleepers"])
        begun, cpu = time.monotonic(), server.cpu_seconds()
        run_id = server.call("trigger_dag", dag_id="sleepers")["run_id"]

        def state() -> str:
            found: str = server.call("get_run", dag_id="sleepers", run_id=run_id)["state"]
            return found if found in ("success", "failed") else ""

        if until(state, "the run ends", pause=0.2) == "failed":
            raise SystemExit("The run has failed.")
        return time.monotonic() - begun, server.cpu_seconds() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    took, cpu = measure(options.tasks, options.seconds)
    print(f"{options.tasks} async tasks that sleep {options.seconds:g} s: {took:.1f} s, server CPU {cpu:.1f} s")


if __name__ == "__main__":
    main()
