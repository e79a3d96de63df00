"""Server time of the pages over the database that `fill.py` makes: python benchmarks/pages.py HOME [--repeat 40].

Each page is asked for in this process, without a network, so what is measured is the work of the server's loop and
its reader threads. Prints median and p95 in milliseconds; the CPU time of loop and threads, which other programs on the
machine do not change; the size over the wire (compressed) in kB; and what the same page costs (CPU, milliseconds) a
browser that has it already.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import quote

import anyio
import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from asyncflow.config import Settings
from asyncflow.engine.assembly import assemble
from asyncflow.web.app import make_app


def addresses(run_id: str) -> dict[str, str]:
    """name -> address; the DAG `big` has 1,000 tasks."""
    run = f"/dags/big/runs/{quote(run_id, safe='')}"
    return {
        "DAGs, 50 of 1,000": "/",
        "DAGs, 100 of 1,000": "/?limit=100",
        "DAGs, failed, by last run": "/?status=failed&sort=last&order=falling",
        "runs": "/runs",
        "datasets": "/datasets",
        "pools": "/pools",
        "runs, failed, of some DAGs": "/runs?state=failed&dag=finance",
        "runs, manual and failed": "/runs?state=failed&type=manual",
        "runs, page 500": "/runs?page=500",
        "task instances": "/tasks",
        "task instances, failed": "/tasks?state=failed",
        "task instances, running": "/tasks?state=running",
        "task instances, by start": "/tasks?sort=-started",
        "task instances, of one DAG": "/tasks?dag_id=risk_0003&task=task",
        "task instances, in no pool": "/tasks?pool=nothing",
        "task instances, tried again": "/tasks?tries=more",
        "audit log": "/audit",
        "dataset events": "/datasets/events",
        "DAG dependencies": "/dependencies",
        "backfills": "/backfills",
        "search": "/search?q=task_0005",
        "run of 1,000 tasks": run,
        "task instance": f"{run}/tasks/group_05.task_0055",
        "log": f"{run}/tasks/group_05.task_0055/log",
        "grid of 1,000 tasks, window": "/dags/big/grid",
        "grid, all groups open": "/dags/big/grid?open=*",
        "graph of 1,000 tasks": "/dags/big/graph",
        "Gantt": "/dags/big/gantt",
        "calendar": "/dags/big/calendar",
        "runs of a DAG": "/dags/big/runs",
    }


async def measure(home: Path, repeat: int) -> None:
    """Ask for every page `repeat` times and print what it took."""
    settings = Settings(home=home)
    async with anyio.create_task_group() as tasks, assemble(settings, tasks, scheduling=False) as server:
        tasks.start_soon(server.scheduler.run)
        await server.restore()
        await server.actions.pages.learn()
        gc.freeze()  # as `asyncflow serve` does
        transport = httpx.ASGITransport(app=make_app(server.actions))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            newest = await server.actions.pages.dag_row("big")
            assert newest.last_run is not None
            print(f"{'page':30} {'median':>8} {'p95':>8} {'CPU':>8} {'kB':>6} {'again':>6}")
            for name, path in addresses(newest.last_run.run_id).items():
                took, cpu, size = await ask(client, path, repeat)
                p95 = statistics.quantiles(took, n=20)[-1]
                again = await ask_again(client, path, repeat)
                print(f"{name:30} {statistics.median(took):8.1f} {p95:8.1f} {cpu:8.1f} {size / 1000:6.1f} {again:>6}")
        tasks.cancel_scope.cancel()


async def ask(client: httpx.AsyncClient, path: str, repeat: int) -> tuple[list[float], float, int]:
    """Milliseconds of each answer, CPU milliseconds of one, and its size; the first two are to warm up."""
    took, size, cpu = [], 0, 0.0
    for turn in range(repeat + 2):
        if turn == 2:
            cpu = time.process_time()
        before = time.perf_counter()
        async with client.stream("GET", path) as answer:
            answer.raise_for_status()
            size = sum([len(part) async for part in answer.aiter_raw()])
        took.append((time.perf_counter() - before) * 1000)
    return took[2:], (time.process_time() - cpu) / repeat * 1000, size


async def ask_again(client: httpx.AsyncClient, path: str, repeat: int) -> str:
    """CPU milliseconds of the answer that nothing has changed; "" for a page that is always sent."""
    tag, took = (await client.get(path)).headers.get("etag"), []
    if tag is None:
        return ""
    for _ in range(repeat):
        before = time.process_time()
        answer = await client.get(path, headers={"If-None-Match": tag})
        if answer.status_code == 304:  # else times have counted on
            took.append((time.process_time() - before) * 1000)
        tag = answer.headers["etag"]
    return f"{statistics.mean(took):.1f}"


def main() -> None:
    """Measure a filled home."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--repeat", type=int, default=40)
    args = parser.parse_args()
    anyio.run(measure, args.home, args.repeat)


if __name__ == "__main__":
    main()
