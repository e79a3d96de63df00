"""How the pages feel: python benchmarks/ui.py [--only NAME ...]. See README.md beside it.

Starts real servers with real tasks. `paint`, `action` and `idle` look through the system's Chromium; `tabs`, `people`,
`cuts` and `slow` are raw clients in processes of their own that do what a page's script does (`tabs.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.people import people
from benchmarks.server import Server, until
from benchmarks.tabs import Tab
from benchmarks.timing import figures

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
FILE = """\
import time
from datetime import datetime
from airflow import DAG
from airflow.operators.python import PythonOperator

with DAG({dag_id!r}, schedule=None, start_date=datetime(2024, 1, 1), max_active_runs=100, max_active_tasks=1000):
    tasks = [
        PythonOperator(task_id=f"t{{n:03}}", python_callable=time.sleep, op_args=[{seconds}], pool={pool!r})
        for n in range({count})
    ]
    if {chained}:
        for before, after in zip(tasks, tasks[1:]):
            before >> after
"""


def dag_file(dag_id: str, count: int, *, seconds: float = 0.0, chained: bool = True, pool: str = "default_pool") -> str:
    """A DAG whose tasks sleep."""
    return FILE.format(dag_id=dag_id, count=count, seconds=seconds, chained=chained, pool=pool)


def run_path(dag_id: str, run_id: str) -> str:
    """Address of a run's page."""
    return f"/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


# ---- in Chromium -----------------------------------------------------------------------------------------------------

#: notes when each row of the page has been painted in which state
WATCH = """() => {
  window.painted = [];
  const before = new Map();
  const look = () => {
    const news = [];
    for (const row of document.querySelectorAll('ROWS')) {
      const badge = row.querySelector('[class*="state-"]') || row;
      const state = (badge.className.match(/state-(\\w+)/) || [])[1];
      const name = (row.textContent.match(/t\\d\\d\\d/) || [row.dataset.task || ''])[0];
      if (before.get(name) !== state) { before.set(name, state); news.push([name, state]); }
    }
    if (news.length) requestAnimationFrame(() => setTimeout(() => {
      for (const [name, state] of news) window.painted.push([name, state, Date.now() / 1000]);
    }));
  };
  look();
  const all = {subtree: true, childList: true, attributes: true};
  new MutationObserver(look).observe(document.querySelector('main'), all);
}"""


@contextmanager
def chromium() -> Iterator[Any]:
    """The system's browser."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def paint(tasks: int = 60) -> dict[str, Any]:
    """From the start or the end of a task's process to its new state on the screen, on the page of a run."""
    with Server() as server, chromium() as browser:
        server.put({"chain.py": dag_file("chain", tasks, seconds=0.25)})
        server.wait_for_dags(["chain"])
        warm = server.call("trigger_dag", dag_id="chain", run_id="warm")
        page = browser.new_page(base_url=server.address)
        page.goto(run_path("chain", warm["run_id"]))
        until(lambda: server.call("get_run", dag_id="chain", run_id="warm")["state"] == "success", "it ends", pause=0.5)
        run = server.call("trigger_dag", dag_id="chain", run_id="seen")
        page.goto(run_path("chain", run["run_id"]))
        page.evaluate(WATCH.replace("ROWS", "#run-instances tbody tr"))
        until(lambda: server.call("get_run", dag_id="chain", run_id="seen")["state"] == "success", "it ends", pause=0.5)
        page.wait_for_timeout(500)
        seen = {(name, state): at for name, state, at in page.evaluate("window.painted")}
        took, missed = [], 0
        for ti in server.call("get_run", dag_id="chain", run_id="seen")["tasks"]:
            for state, at in (("running", ti["started_at"]), ("success", ti["ended_at"])):
                painted = seen.get((ti["task_id"], state))
                missed += painted is None
                if painted is not None:
                    took.append(painted - datetime.fromisoformat(at).timestamp())
        return {"ms": figures(took), "changes": len(took), "never painted": missed}


def action(turns: int = 20) -> dict[str, Any]:
    """Clear 100 tasks: from the click that confirms to the first paint of the page that shows it."""
    with Server() as server, chromium() as browser:
        server.call("set_pool", name="none", slots=0, description="")
        server.put({"wide.py": dag_file("wide", 100, chained=False, pool="none")})
        server.wait_for_dags(["wide"])
        server.call("trigger_dag", dag_id="wide", run_id="r")
        page = browser.new_page(base_url=server.address)
        took = []
        for turn in range(turns + 1):
            server.call("mark_run", dag_id="wide", run_id="r", state="success")
            page.goto(f"{run_path('wide', 'r')}/clear?scope=run")
            button = page.locator("form[method=post] button:not([name]):not(.close)").last
            button.wait_for()
            page.evaluate(
                "() => { sessionStorage.clicked = 0; document.addEventListener('submit', "
                "() => { sessionStorage.clicked = Date.now(); }, true); }"
            )
            button.click()
            page.wait_for_url(lambda address: "/clear" not in address)
            painted = "() => performance.getEntriesByName('first-contentful-paint').length"
            until(functools.partial(page.evaluate, painted), "the page is painted", pause=0.005)
            ms = page.evaluate(
                "performance.timeOrigin + performance.getEntriesByName('first-contentful-paint')[0]"
                ".startTime - Number(sessionStorage.clicked)"
            )
            states = server.call("get_run", dag_id="wide", run_id="r")["state"]
            if states == "success":
                raise SystemExit(f"Nothing was cleared: {page.url}")
            if turn:
                took.append(ms / 1000)
        return {"ms": figures(took), "turns": turns}


def idle(seconds: float = 60.0) -> dict[str, Any]:
    """Requests of tabs where nothing happens, and what their streams bring."""
    with Server() as server, chromium() as browser:
        server.put({"chain.py": dag_file("chain", 3)})
        server.wait_for_dags(["chain"])
        run = server.call("trigger_dag", dag_id="chain", run_id="r")
        until(lambda: server.call("get_run", dag_id="chain", run_id="r")["state"] == "success", "it ends", pause=0.2)
        time.sleep(3)
        path = run_path("chain", run["run_id"])
        result = {}
        for name in ("/", "/runs", path, f"{path}/tasks/t000", f"{path}/tasks/t000/log", "/dags/chain/grid"):
            page = browser.new_page(base_url=server.address)
            page.goto(name, wait_until="load")
            page.wait_for_timeout(1500)
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            result[name] = asked, page
        result["/"][1].wait_for_timeout(seconds * 1000)
        counted = {name: len(asked) for name, (asked, _) in result.items()}
        heard = tabs_run(server.address, ["/"], seconds=20, between=lambda wait: wait())[0]
        return {
            "seconds": seconds,
            "requests": counted,
            "stream bytes/min": round(heard["stream_bytes_per_tab_per_minute"]),
        }


# ---- raw clients -----------------------------------------------------------------------------------------------------


def tabs_run(address: str, paths: list[str], *, seconds: float, between: Callable[[Callable[[], Any]], Any]) -> Any:
    """Open tabs in a process of its own for some seconds; `between` gets a function that waits for their end."""
    command = [sys.executable, str(Path(__file__).with_name("tabs.py")), address, str(seconds), *paths]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    process.stdin.write("go\n")
    process.stdin.flush()
    output: list[str] = []

    def ended() -> str:
        if not output:
            output.append(process.communicate()[0])
        return output[0]

    other = between(ended)
    return json.loads(ended()), other


def busy_server(server: Server, dags: int) -> None:
    """Chains that run one after the other for ever: each DAG has two runs under way."""
    names = [f"busy_{n:02}" for n in range(dags)]
    server.put({f"{name}.py": dag_file(name, 200, seconds=0.2) for name in names})
    server.wait_for_dags(names)


def handoffs(server: Server, dag_ids: list[str], run_id: str, since: float, until_: float) -> list[float]:
    """Seconds from the end of a task to the start of the next in its chain, of those that began in a span of time."""
    gaps = []
    for dag_id in dag_ids:
        tasks = sorted(server.call("get_run", dag_id=dag_id, run_id=run_id)["tasks"], key=lambda ti: ti["task_id"])
        for before, after in zip(tasks, tasks[1:], strict=False):
            if before["ended_at"] and after["started_at"]:
                ended, started = (
                    datetime.fromisoformat(t).timestamp() for t in (before["ended_at"], after["started_at"])
                )
                if since <= started <= until_:
                    gaps.append(started - ended)
    return gaps


def tabs(count: int = 200, seconds: float = 20.0, dags: int = 4) -> dict[str, Any]:
    """What open tabs cost a busy server, with all that they fetch; and what they do to its hand-off."""
    with Server() as server:
        busy_server(server, dags)
        names = [f"busy_{n:02}" for n in range(dags)]
        for name in names:
            server.call("trigger_dag", dag_id=name, run_id="r")
        kinds = ["/", "/", "/runs", "/dags/{}/grid", "/dags/{}/graph", "/dags/{}/runs/r", "/dags/{}/runs/r/tasks/t150"]
        paths = [kinds[n % len(kinds)].format(names[n % dags]) for n in range(count)]
        until(lambda: server.call("get_run", dag_id=names[0], run_id="r")["state"] == "running", "it runs")
        time.sleep(3)
        alone, span_alone = _load(server, seconds)

        def between(_: Callable[[], Any]) -> tuple[float, tuple[float, float]]:
            return _load(server, seconds)

        heard, with_tabs = tabs_run(server.address, paths, seconds=seconds, between=between)
        share, span = with_tabs
        return {
            "tabs": count,
            "server alone, share of a core": round(alone, 3),
            "with tabs": round(share, 3),
            "tabs cost": round(share - alone, 3),
            "hand-off alone, ms": figures(handoffs(server, names, "r", *span_alone)),
            "hand-off with tabs, ms": figures(handoffs(server, names, "r", *span)),
            **{name: round(value, 1) for name, value in heard.items()},
        }


def _load(server: Server, seconds: float) -> tuple[float, tuple[float, float]]:
    """Share of a core that the server takes, and from when to when it was looked at."""
    cpu, begun, wall = server.cpu_seconds(), time.monotonic(), time.time()
    time.sleep(seconds)
    return (server.cpu_seconds() - cpu) / (time.monotonic() - begun), (wall, time.time())


#: what of a page counts on, or is a reader's own
_MOVING = re.compile(
    r'have=\w+|<time class="(?:ago|lasting)".*?</time>|form_token" value="[^"]*"|since=[^"&]*'
    r'|name="once" value="[^"]*"',
    re.DOTALL,
)


async def _cuts(server: Server, count: int) -> dict[str, Any]:
    """Cut the stream at random while runs change; after each cut the fragments must equal a fresh page's."""
    chance, wrong = random.Random(4), 0
    tab = Tab(server.address, "/dags/wide/runs?limit=25")
    await tab.load()

    async def mark(number: int) -> None:
        state = chance.choice(["success", "failed"])
        await asyncio.to_thread(server.call, "mark_run", dag_id="wide", run_id=f"r{number}", state=state)

    fetched = 0
    for turn in range(count):
        stream = asyncio.create_task(tab.listen())
        await asyncio.sleep(chance.uniform(0, 0.02))
        await mark(turn % 5)
        await asyncio.sleep(chance.uniform(0, 0.02))
        tab.cut()
        await asyncio.gather(stream, return_exceptions=True)
        if chance.random() < 0.5:  # something happens while it is away
            await mark(chance.randrange(5))
        stream = asyncio.create_task(tab.listen())
        fresh = Tab(server.address, tab.path)
        await fresh.load()
        name = "dag-runs"
        _, text = await fresh._web.get(fresh._waiting[name][0].split("have=")[0] + "have=")
        for _ in range(300):  # until it has caught up, three seconds at most
            if tab.resting and _plain(tab.fragments.get(name, "")) == _plain(text):
                break
            await asyncio.sleep(0.01)
        else:
            wrong += 1
            print(f"cut {turn}: {_plain(tab.fragments.get(name, ''))!r}\nfresh: {_plain(text)!r}", file=sys.stderr)
        tab.cut()
        fresh._web.cut()
        await asyncio.gather(stream, return_exceptions=True)
        fetched = tab.fetches
    return {"cuts": count, "pages that differ from a fresh one": wrong, "fetches": fetched}


def _plain(text: str) -> str:
    return _MOVING.sub("", text)


def cuts(count: int = 1000) -> dict[str, Any]:
    """The stream, cut at random."""
    with Server() as server:
        server.call("set_pool", name="none", slots=0, description="")
        server.put({"wide.py": dag_file("wide", 3, chained=False, pool="none")})
        server.wait_for_dags(["wide"])
        for number in range(5):
            server.call("trigger_dag", dag_id="wide", run_id=f"r{number}")
        return asyncio.run(_cuts(server, count))


def slow(count: int = 500) -> dict[str, Any]:
    """Memory of the server for each stream whose reader does not read."""
    with Server() as server:
        server.call("set_pool", name="none", slots=0, description="")
        server.put({"wide.py": dag_file("wide", 3, chained=False, pool="none")})
        server.wait_for_dags(["wide"])
        server.call("trigger_dag", dag_id="wide", run_id="r")
        time.sleep(2)
        parts = urlsplit(server.address)
        before = _memory(server)
        readers = []
        for _ in range(count):
            reader = socket.create_connection((parts.hostname, parts.port))
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.sendall(b"GET /events?dags=1&runs=1&dag=wide&run=r HTTP/1.1\r\nHost: localhost\r\n\r\n")
            readers.append(reader)
        time.sleep(2)
        opened = _memory(server)
        for turn in range(200):
            server.call("mark_run", dag_id="wide", run_id="r", state="success" if turn % 2 else "failed")
        time.sleep(1)
        after = _memory(server)
        for reader in readers:
            reader.close()
        return {
            "readers": count,
            "kB each, opened": round((opened - before) / count, 1),
            "kB each, after 200 changes": round((after - before) / count, 1),
        }


def _memory(server: Server) -> float:
    """Resident kB of the server."""
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1024


MEASURES: dict[str, Callable[[], dict[str, Any]]] = {
    "paint": paint,
    "action": action,
    "idle": idle,
    "tabs": tabs,
    "people": people,
    "cuts": cuts,
    "slow": slow,
}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=MEASURES, action="append")
    parser.add_argument("--home", type=Path, help="what fill.py made: `people` click through it (default: a new home)")
    args = parser.parse_args()
    MEASURES["people"] = functools.partial(people, args.home)
    for name in args.only or MEASURES:
        load = os.getloadavg()[0]
        print(json.dumps({"measure": name, **MEASURES[name](), "load before": round(load, 1)}, indent=2), flush=True)


if __name__ == "__main__":
    main()
