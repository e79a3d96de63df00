"""Logs: a file of a gigabyte (its end, its middle, a search), and lines that reach many tabs while they are written.

    python benchmarks/logs.py [--tabs 100] [--tasks 10] [--seconds 20] [--size 1000] [--only large|live]

A tab is a raw client of `/events` that reads what the page's script would be sent. A line says when it was written; how
late it comes is measured where it arrives. Prints medians and 95th percentiles in milliseconds, and the CPU time of the
server (without its tasks) as a share of one core.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
import urllib.request
from pathlib import Path
from statistics import quantiles
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.server import Server, until

DAG = """
import time
from datetime import datetime
from asyncflow import DAG, task

with DAG("{dag_id}", start_date=datetime(2026, 1, 1), schedule=None):

    @task
    def talk(n):
        for _ in range({lines}):
            print(f"at {{time.time():.4f}} " + "x" * 80, flush=True)
            time.sleep(0.5)

    talk.expand(n=list(range({tasks})))
"""
SAID = re.compile(rb"at (\d+\.\d{4}) ")


def spread(seconds: list[float]) -> str:
    """Median and 95th percentile in milliseconds."""
    if len(seconds) < 2:
        return "nothing came"
    cuts = quantiles(seconds, n=20)
    return f"p50 {1000 * cuts[9]:6.0f} ms   p95 {1000 * cuts[18]:6.0f} ms   n {len(seconds)}"


# ---- a large file ---------------------------------------------------------------------------------------------------


def large(server: Server, megabytes: int) -> None:
    """The log of a task that is over, made large."""
    server.put({"large.py": DAG.format(dag_id="large", lines=0, tasks=1)})
    server.wait_for_dags(["large"])
    run_id = server.call("trigger_dag", dag_id="large")["run_id"]
    until(lambda: server.call("get_run", dag_id="large", run_id=run_id)["state"] == "success", "the run ends")
    path = Path(server.call("read_log", dag_id="large", run_id=run_id, task_id="talk", map_index=0)["path"])
    lines = b"".join(b"[2026-01-01T00:00:00.000+0000] {task.py:1} INFO - row %07d of many\n" % n for n in range(16_000))
    with path.open("wb") as file:
        for _ in range(megabytes * 1_000_000 // len(lines)):
            file.write(lines)
        file.write(b"[2026-01-01T00:00:00.000+0000] {task.py:1} ERROR - the needle\n")
    size = path.stat().st_size
    base = f"{server.address}/dags/large/runs/{quote(run_id, safe='')}/tasks/talk/log?map_index=0"
    print(f"a log of {size / 1e6:,.0f} MB")
    for name, query, times in (
        ("its end", "", 20),
        ("its middle", f"&at={size // 2}", 20),
        ("what is in its last line", "&q=the+needle", 3),
        ("the same, backwards", f"&q=the+needle&before={size}", 3),
        ("lines of level error", "&level=error", 3),
    ):
        took = []
        for _ in range(times):
            before = time.perf_counter()
            urllib.request.urlopen(base + query, timeout=60).read()
            took.append(time.perf_counter() - before)
        print(f"  {name:26} {spread(took)}")


# ---- many tabs ------------------------------------------------------------------------------------------------------


async def tab(address: str, path: str, late: list[float]) -> None:
    """One open stream, read for ever."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**22)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode())
    try:
        while line := await reader.readline():
            now = time.time()
            late += [now - float(said) for said in SAID.findall(line)]
    finally:
        writer.close()


async def many(server: Server, tabs: int, tasks: int, seconds: float) -> None:
    """Tabs on the logs of running tasks."""
    server.put({"logs.py": DAG.format(dag_id="logs", lines=int(2 * seconds) + 40, tasks=tasks)})
    server.wait_for_dags(["logs"])
    run_id = server.call("trigger_dag", dag_id="logs")["run_id"]
    until(lambda: len(_running(server, run_id)) == tasks, "the tasks run")
    late: list[float] = []
    opened = [
        asyncio.create_task(
            tab(server.address, f"/events?dag=logs&run={quote(run_id)}&log=1&task=talk&map={n % tasks}", late)
        )
        for n in range(tabs)
    ]
    await asyncio.sleep(3)
    late.clear()
    cpu, before = server.cpu_seconds(), time.perf_counter()
    await asyncio.sleep(seconds)
    share = (server.cpu_seconds() - cpu) / (time.perf_counter() - before)
    print(f"{tabs} tabs on the logs of {tasks} tasks that write 2 lines a second each")
    print(f"  from write to tab          {spread(late)}")
    print(f"  server                     {100 * share:.1f} % of a core")
    for one in opened:
        one.cancel()
    await asyncio.gather(*opened, return_exceptions=True)
    server.call("mark_run", dag_id="logs", run_id=run_id, state="failed")


def _running(server: Server, run_id: str) -> list[str]:
    rows = server.call("get_run", dag_id="logs", run_id=run_id)["tasks"]
    return [row["task_id"] for row in rows if row["state"] == "running"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tabs", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--size", type=int, default=1000, help="of the large log, in MB")
    parser.add_argument("--only", choices=["large", "live"])
    given = parser.parse_args()
    with Server(ASYNCFLOW_CONCURRENCY=str(given.tasks + 2)) as server:
        if given.only != "live":
            large(server, given.size)
        if given.only != "large":
            asyncio.run(many(server, given.tabs, given.tasks, given.seconds))


if __name__ == "__main__":
    main()
