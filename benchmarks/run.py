"""Measures asyncflow on this machine and prints a table. See README.md beside it.

python benchmarks/run.py [--only NAME] [--repeat N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import workloads
from benchmarks.server import Server, until

EDITS = 20
FILES_BESIDE = 100
ENDED = ("success", "failed")


class Figures(NamedTuple):
    """What one workload came to. Times in milliseconds."""

    name: str
    tasks: int
    seconds: float
    handoffs_ms: list[float]

    @property
    def per_second(self) -> float:
        return self.tasks / self.seconds

    def shown(self, limit: float) -> dict[str, Any]:
        ordered = sorted(self.handoffs_ms)
        return {
            "workload": self.name,
            "tasks": self.tasks,
            "seconds": round(self.seconds, 3),
            "tasks_per_second": round(self.per_second, 1),
            "of_limit": round(self.per_second / limit, 2),
            "handoff_median_ms": round(statistics.median(ordered), 1),
            "handoff_p99_ms": round(_quantile(ordered, 0.99), 1),
        }


def run_workload(server: Server, workload: workloads.Workload) -> Figures:
    """Trigger each DAG once, all together, and wait for the last run."""
    runs = [server.call("trigger_dag", dag_id=dag_id) for dag_id in workload.dag_ids]
    finished = [until(lambda run=run: _ended(server, run), f"{run['dag_id']} ends", pause=0.1) for run in runs]
    failed = [run["dag_id"] for run in finished if run["state"] != "success"]
    if failed:
        raise SystemExit(f"Runs failed: {', '.join(failed)}")
    begin = min(_moment(run["queued_at"]) for run in finished)
    end = max(_moment(task["ended_at"]) for run in finished for task in run["tasks"])
    handoffs = [gap for run in finished for gap in _handoffs(run, workload.upstream)]
    return Figures(workload.name, workload.tasks, (end - begin).total_seconds(), handoffs)


def save_to_visible(server: Server) -> list[float]:
    """Milliseconds from saving an edited DAG file until the server shows the edit, with other files in the folder."""
    beside = workloads.many(FILES_BESIDE)
    server.put(beside.files)
    server.wait_for_dags(beside.dag_ids)
    times = []
    for number in range(EDITS):
        note = f"edit {number}"
        text = workloads.dag_file("edited", '    task("only")\n', note)
        begin = time.perf_counter()
        server.put({"edited.py": text})
        until(lambda note=note: server.dag("edited").get("description") == note, "the edit shows", pause=0.002)
        times.append((time.perf_counter() - begin) * 1000)
    return times[1:]  # the first one was not an edit


def machine_limit(at_once: int, seconds: float = 2.0) -> float:
    """Processes as large as the zygote that this machine can fork, let exit and wait for, per second."""
    command = [sys.executable, str(Path(__file__).parent / "limit.py"), str(at_once), str(seconds)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.splitlines()[-1])  # what the preloading prints comes before


def _ended(server: Server, run: dict[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] = server.call("get_run", dag_id=run["dag_id"], run_id=run["run_id"])
    return found if found["state"] in ENDED else None


def _handoffs(run: dict[str, Any], upstream: dict[str, list[str]]) -> list[float]:
    tasks = {task["task_id"]: task for task in run["tasks"]}
    gaps = []
    for task_id, before in upstream.items():
        ready = max(_moment(tasks[name]["ended_at"]) for name in before)
        gaps.append((_moment(tasks[task_id]["started_at"]) - ready).total_seconds() * 1000)
    return gaps


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _workload(load: workloads.Workload, repeat: int) -> Figures:
    """The median of several turns of one workload, after one that warms up the hosts."""
    with Server() as server:
        server.put(load.files)
        server.wait_for_dags(load.dag_ids)
        turns = [run_workload(server, load) for _ in range(repeat + 1)][1:]
    return sorted(turns, key=lambda figures: figures.seconds)[len(turns) // 2]


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    loads = {"chain": workloads.chain, "fan-out": workloads.fan_out, "many": workloads.many}
    parser.add_argument("--only", choices=[*loads, "save", "limit"], action="append")
    parser.add_argument("--repeat", type=int, default=3, help="turns of each workload; the median counts")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    wanted = arguments.only or [*loads, "save"]
    limits = {"one_after_another": machine_limit(1), "one_per_cpu": machine_limit(os.cpu_count() or 1)}
    limit = max(limits.values())
    result: dict[str, Any] = {"limit_forks_per_second": {name: round(value) for name, value in limits.items()}}
    result["workloads"] = [_workload(make(), arguments.repeat).shown(limit) for n, make in loads.items() if n in wanted]
    if "save" in wanted:
        with Server() as server:
            times = save_to_visible(server)
        result["save_to_visible_ms"] = {"median": round(statistics.median(times)), "worst": round(max(times))}
    print(json.dumps(result, indent=2) if arguments.json else table(result))


def table(result: dict[str, Any]) -> str:
    """The figures as lines of text."""
    limits = result["limit_forks_per_second"]
    lines = [
        f"fork + exit + wait of a process as large as the zygote: {limits['one_after_another']}/s one after another, "
        f"{limits['one_per_cpu']}/s with one per CPU",
    ]
    if result["workloads"]:
        lines += [
            "",
            f"{'workload':<16} {'tasks':>6} {'seconds':>8} {'tasks/s':>8} {'of limit':>8} {'hand-off':>12} {'p99':>9}",
        ]
    lines += [
        f"{row['workload']:<16} {row['tasks']:>6} {row['seconds']:>8.2f} {row['tasks_per_second']:>8.0f} "
        f"{row['of_limit']:>8.2f} {row['handoff_median_ms']:>9.1f} ms {row['handoff_p99_ms']:>6.1f} ms"
        for row in result["workloads"]
    ]
    if saved := result.get("save_to_visible_ms"):
        lines += ["", f"save to visible, 100 files beside: median {saved['median']} ms, worst {saved['worst']} ms"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
