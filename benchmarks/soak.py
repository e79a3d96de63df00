"""Tabs that stay open for long: python benchmarks/soak.py [--minutes 15] [--only PAGE ...]. See README.md beside it.

A real server whose tasks change states many times a second and write a log, and one window of the system's Chromium for
each page. Each half minute the garbage is collected and what is left is counted: the JavaScript heap, DOM nodes, event
listeners, and the server's own memory. Prints the counts as they come, then how much each page gained in an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.server import Server
from benchmarks.ui import chromium, dag_file, run_path

PAUSE = 30.0
#: of a page; the heap in MB
COUNTED = ("heap", "nodes", "listeners", "documents")
TALKER = """\
import time
from datetime import datetime
from airflow import DAG
from airflow.operators.python import PythonOperator

def talk():
    for line in range(10_000_000):
        print(f"line {line} of a log that grows while somebody looks at it")
        time.sleep(0.05)

with DAG("talker", schedule=None, start_date=datetime(2024, 1, 1)):
    PythonOperator(task_id="talk", python_callable=talk)
"""
CHAINS = ("busy_0", "busy_1", "busy_2")


def counts(session: Any) -> dict[str, float]:
    """What a tab holds once its garbage is collected."""
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    dom = session.send("Memory.getDOMCounters")
    return {
        **{"heap": round(heap, 3), "nodes": dom["nodes"]},
        **{"listeners": dom["jsEventListeners"], "documents": dom["documents"]},
    }


def slope(times: list[float], values: list[float]) -> float:
    """By how much an hour, by least squares; times in seconds."""
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    below = sum((t - middle) ** 2 for t in times)
    return 3600 * sum((t - middle) * (v - mean) for t, v in zip(times, values, strict=True)) / below if below else 0.0


def lows(values: list[float]) -> list[float]:
    """The least of each five: a swap that is under way holds what it replaces a moment longer."""
    return [min(values[at : at + 5]) for at in range(0, len(values), 5)]


def memory(server: Server) -> float:
    """Resident MB of the server."""
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


class Busy:
    """Runs that follow each other: one of each chain is always under way."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._number = 0
        server.put({"talker.py": TALKER, **{f"{name}.py": dag_file(name, 40, seconds=0.05) for name in CHAINS}})
        server.wait_for_dags(["talker", *CHAINS])
        server.call("trigger_dag", dag_id="talker", run_id="r")
        self.keep_on()

    def keep_on(self) -> None:
        """Start what has ended; the run `r` of the first chain is cleared again and again, as its page is open."""
        self._number += 1
        for dag_id in CHAINS:
            if not self._server.call("list_runs", dag_id=dag_id, state="running"):
                self._server.call("trigger_dag", dag_id=dag_id, run_id=f"r{self._number}")
        if self._number == 1:
            self._server.call("trigger_dag", dag_id=CHAINS[0], run_id="r")
        elif self._server.call("get_run", dag_id=CHAINS[0], run_id="r")["state"] != "running":
            self._server.call("clear_run", dag_id=CHAINS[0], run_id="r", only_failed=False, dry_run=False)


PAGES = {
    "list": "/",
    "grid": f"/dags/{CHAINS[0]}/grid",
    "graph": f"/dags/{CHAINS[0]}/graph",
    "runs": "/runs",
    "run": run_path(CHAINS[0], "r"),
    "log": f"{run_path('talker', 'r')}/tasks/talk/log",
}


def soak(minutes: float, names: list[str]) -> dict[str, Any]:
    """Keep all open, and count."""
    with Server() as server, chromium() as browser:
        busy = Busy(server)
        windows = [browser.new_context(base_url=server.address) for _ in names]
        tabs = {name: window.new_page() for name, window in zip(names, windows, strict=True)}
        for name, tab in tabs.items():
            tab.goto(PAGES[name])
        sessions = {name: tab.context.new_cdp_session(tab) for name, tab in tabs.items()}
        seen: list[tuple[float, dict[str, dict[str, float]], float]] = []
        begun = time.monotonic()
        while (gone := time.monotonic() - begun) < minutes * 60:
            if gone >= len(seen) * PAUSE:
                seen.append((gone, {name: counts(session) for name, session in sessions.items()}, memory(server)))
                print(json.dumps({"s": round(gone), "server MB": round(seen[-1][2]), **seen[-1][1]}), flush=True)
            busy.keep_on()
            next(iter(tabs.values())).wait_for_timeout(1000)
        late = seen[len(seen) // 3 :]  # what a page needs to be warm is no leak
        times = [at for at, _, _ in late]

        def gained(name: str, what: str) -> float:
            return round(slope(lows(times), lows([row[name][what] for _, row, _ in late])), 2)

        return {
            "minutes": minutes,
            **{name: {f"{what}/h": gained(name, what) for what in COUNTED} for name in names},
            "server MB/h": round(slope(times, [mb for _, _, mb in late]), 1),
        }


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--only", choices=PAGES, action="append")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(json.dumps({**soak(options.minutes, options.only or list(PAGES)), "load before": round(load, 1)}, indent=2))


if __name__ == "__main__":
    main()
