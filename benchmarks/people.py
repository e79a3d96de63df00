"""The hand-off between tasks while people click through the pages: ui.py's measure `people`.

Two servers run the same chains all the time. First nobody clicks, then people click on one server, then on the other,
and so on: the server that is clicked at shows what the pages do to its hand-off, the other one, in the same seconds,
what a machine does to it that is busy with somebody else's pages. The clicks come from a process of their own.

python benchmarks/people.py ADDRESS SECONDS COUNT PATH [PATH ...] is that process: it prints what it saw as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fill import Size, dag_ids
from benchmarks.server import Server, until
from benchmarks.tabs import Web
from benchmarks.timing import figures

#: what the clicking process gives way with: people's browsers are not on the machine of the server
NICE = 10
#: tasks of a chain, and the seconds that each takes
LENGTH, SECONDS = 200, 0.2
CHAINS = ("busy_00", "busy_01")
#: pages of a DAG that runs, and those over the filled database
PAGES = ("/", "/runs", "/dags/{}/grid", "/dags/{}/graph", "/dags/{}/gantt", "/dags/{}/runs/r0", "/search?q=t1")
FILLED = ("/tasks", "/runs?state=failed", "/dags/big/grid", "/dags/risk_0003/grid", "/dags/risk_0003/gantt")

CHAIN = """\
import time
from datetime import datetime
from airflow import DAG
from airflow.operators.python import PythonOperator

with DAG({dag_id!r}, schedule=None, start_date=datetime(2024, 1, 1), max_active_runs=1):
    tasks = [
        PythonOperator(task_id=f"t{{n:03}}", python_callable=time.sleep, op_args=[{seconds}]) for n in range({length})
    ]
    for before, after in zip(tasks, tasks[1:]):
        before >> after
"""
#: the DAGs of `fill.py`, some in each file
OF_FILL = """\
from datetime import datetime
from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.utils.task_group import TaskGroup

for dag_id in {dag_ids!r}:
    with DAG(
        dag_id, schedule="0 3 * * *", start_date=datetime(2024, 1, 1), catchup=False,
        tags=[dag_id.partition("_")[0], "daily"], default_args={{"owner": dag_id.partition("_")[0]}},
    ):
        last = None
        for group in range(-(-{tasks} // 10)):
            with TaskGroup(f"group_{{group:02d}}"):
                numbers = range(group * 10, min(group * 10 + 10, {tasks}))
                tasks = [EmptyOperator(task_id=f"task_{{n:04d}}") for n in numbers]
                for before, after in zip(tasks, tasks[1:]):
                    before >> after
            if last is not None:
                last >> tasks[0]
            last = tasks[0]
"""
#: nothing of the past goes on by itself
AT_REST = """
UPDATE dag SET paused = 1, active = 0;
UPDATE task_instance SET state = 'success', ended_at = coalesce(started_at, 0)
WHERE run IN (SELECT id FROM dag_run WHERE state IN ('queued', 'running')) AND ended_at IS NULL;
UPDATE dag_run SET state = 'success', ended_at = started_at WHERE state IN ('queued', 'running');
"""


def people(home: Path | None = None, *, count: int = 20, seconds: float = 20.0, rounds: int = 3) -> dict[str, Any]:
    """The hand-off of a server: nobody clicks; somebody clicks on another one; people click on it."""
    with ExitStack() as kept:
        servers = [Server(), Server()]
        for server in servers:
            if home is not None:
                _fill(server, home)
            server.put({f"{name}.py": CHAIN.format(dag_id=name, seconds=SECONDS, length=LENGTH) for name in CHAINS})
            kept.enter_context(server)
            server.wait_for_dags([*CHAINS, *(dag_ids(Size()) if home is not None else ())])
        for server in servers:
            _start_chains(server, rounds * seconds * 3)
        for server in servers:
            until(partial(_begun, server), "the chain runs")
        paths = [path.format(dag_id) for path in PAGES for dag_id in CHAINS] + list(FILLED if home is not None else ())
        spans: dict[str, list[tuple[Server, float, float]]] = {"alone": [], "beside": [], "clicked": []}
        seen: list[dict[str, Any]] = []
        for _ in range(rounds):
            begun = time.time()
            time.sleep(seconds)
            spans["alone"] += [(server, begun, time.time()) for server in servers]
            for clicked, beside in (servers, servers[::-1]):
                begun = time.time()
                seen.append(_clicks(clicked, seconds, count, paths))
                spans["clicked"].append((clicked, begun, time.time()))
                spans["beside"].append((beside, begun, time.time()))
        took = [one for part in seen for one in part["took"]]
        return {
            "people": count,
            "pages": len(took),
            "page, ms": figures(took),
            "CPU of a page, ms": round(sum(part["server"] for part in seen) / len(took) * 1000, 1),
            "share of a core, people": round(sum(part["client"] for part in seen) / len(seen) / seconds, 2),
            "share of a core, server": round(sum(part["server"] for part in seen) / len(seen) / seconds, 2),
            **_handoffs(servers, spans),
        }


def _fill(server: Server, home: Path) -> None:
    """Give it a copy of the database, with nothing under way, and the files of its DAGs."""
    copy = server.home / "asyncflow.db"
    shutil.copyfile(home / "asyncflow.db", copy)
    with closing(sqlite3.connect(copy)) as db:
        db.executescript(AT_REST)
    ids, size = dag_ids(Size()), Size()
    server.put({"big.py": OF_FILL.format(dag_ids=ids[:1], tasks=size.big)})
    server.put({f"of_fill_{n:02}.py": OF_FILL.format(dag_ids=ids[n::20], tasks=size.tasks) for n in range(1, 21)})


def _start_chains(server: Server, seconds: float) -> None:
    """Chains that follow one another for so long, and longer."""
    for name in CHAINS:
        for number in range(int(seconds / (LENGTH * SECONDS)) + 2):
            server.call("trigger_dag", dag_id=name, run_id=f"r{number}")


def _begun(server: Server) -> bool:
    tasks = server.call("get_run", dag_id=CHAINS[0], run_id="r0")["tasks"]
    return any(ti["state"] == "success" for ti in tasks)


def _handoffs(servers: list[Server], spans: dict[str, list[tuple[Server, float, float]]]) -> dict[str, Any]:
    """Milliseconds from the end of a task to the start of the next in its chain, of those that began in these spans."""
    known = {server: [one for dag_id in CHAINS for one in _of_chain(server, dag_id)] for server in servers}
    result = {}
    for name, where in spans.items():
        gaps = [gap for server, since, until_ in where for at, gap in known[server] if since <= at <= until_]
        result[f"hand-off {name}, ms"] = {**figures(gaps), "of": len(gaps)}
    return result


def _of_chain(server: Server, dag_id: str) -> list[tuple[float, float]]:
    """When each task of a chain began, and how long after the end of the one before."""
    found = []
    for run in server.call("list_runs", dag_id=dag_id):
        tasks = server.call("get_run", dag_id=dag_id, run_id=run["run_id"])["tasks"]
        tasks.sort(key=lambda ti: ti["task_id"])
        for before, after in zip(tasks, tasks[1:], strict=False):
            if before["ended_at"] and after["started_at"]:
                ended, began = (
                    datetime.fromisoformat(text).timestamp() for text in (before["ended_at"], after["started_at"])
                )
                found.append((began, began - ended))
    return found


def _clicks(server: Server, seconds: float, count: int, paths: list[str]) -> dict[str, Any]:
    """What the clicking process saw, and the CPU seconds that it cost the server."""
    before = server.cpu_seconds()
    command = [sys.executable, __file__, server.address, str(seconds), str(count), *paths]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(output)
    return {**found, "server": server.cpu_seconds() - before}


# ---- the process that clicks -----------------------------------------------------------------------------------------


async def _click(address: str, paths: list[str], seconds: float, seed: int) -> list[float]:
    """One person: a page, a moment to look at it, the next page."""
    chance, web, took = random.Random(seed), Web(address), []
    end = time.monotonic() + seconds
    await asyncio.sleep(chance.random())
    while time.monotonic() < end:
        begun, path = time.perf_counter(), chance.choice(paths)
        status, _ = await web.get(path)
        took.append(time.perf_counter() - begun)
        assert status == 200, (path, status)
        await asyncio.sleep(chance.uniform(0.5, 1.5))
    return took


async def _crowd(address: str, seconds: float, count: int, paths: list[str]) -> list[float]:
    took = await asyncio.gather(*(_click(address, paths, seconds, seed) for seed in range(count)))
    return [one for many in took for one in many]


if __name__ == "__main__":
    os.nice(NICE)
    pages = asyncio.run(_crowd(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
    print(json.dumps({"took": pages, "client": time.process_time()}))
