"""Takes the pictures of docs/images: a real server, its pages in Chromium, light and dark.

python scripts/screenshots.py [FOLDER]     (Chromium must be installed: apt-get install chromium)
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Page, sync_playwright

from asyncflow.worker.client import Client

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "docs" / "images"
SIZE = {"width": 1280, "height": 720}
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
LIMIT = 600.0  #: seconds for anything that is waited for
DAYS = 13  #: of history
SWITCHED_ON = ("orders", "churn_model", "hourly_metrics", "clean_up")


class Site:
    """A server with the example DAGs and some days of their history."""

    def __init__(self, address: str, socket: Path) -> None:
        self.address = address
        self._socket = socket

    def call(self, action: str, **params: Any) -> Any:
        """One action, over the server's socket."""
        client = Client(self._socket)
        try:
            return client.call(action, **params)
        finally:
            client.close()

    def states(self, dag_id: str) -> list[str]:
        """Of the DAG's runs, newest first."""
        return [run["state"] for run in self.call("list_runs", dag_id=dag_id, limit=200)]


def until(what: str, look: Callable[[], Any]) -> Any:
    """Look until the answer is true; the answer."""
    deadline = time.monotonic() + LIMIT
    while not (answer := look()):
        if time.monotonic() > deadline:
            raise SystemExit(f"Waited {LIMIT:g} s in vain until {what}.")
        time.sleep(0.1)
    return answer


@contextmanager
def serving(root: Path) -> Iterator[Site]:
    """A server over the example DAGs in a home of its own."""
    home, dags = root / "home", root / "dags"
    dags.mkdir()
    (dags / "platform.py").write_text((HERE / "screenshot_dags.py").read_text())
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("ASYNCFLOW_", "AIRFLOW_"))}
    command = [sys.executable, "-m", "asyncflow", "serve", str(dags), "--port", "0", "--stop-tasks"]
    with (root / "output").open("w") as output:
        server = subprocess.Popen(
            command, env={**keep, "ASYNCFLOW_HOME": str(home)}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        said = re.compile(r"http://[\w.:]+")
        until("the server says its address", lambda: said.search(_output(root)) or server.poll() is not None)
        found = said.search(_output(root))
        if found is None:
            raise SystemExit(f"The server did not start:\n{_output(root)}")
        site = Site(found.group(), home / "run" / "server.sock")
        until("the DAGs are loaded", lambda: len(site.call("list_dags")) >= 6)
        yield site
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _output(root: Path) -> str:
    return (root / "output").read_text()


def fill(site: Site) -> None:
    """Days of history, a run under way, one that failed, a DAG that waits."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for name in SWITCHED_ON:
        site.call("unpause_dag", dag_id=name, missed="none")
    for name, days in (("orders", DAYS), ("clean_up", DAYS), ("export_ledger", 5 * 7), ("hourly_metrics", 1)):
        begin, end = today - timedelta(days=days), today - timedelta(seconds=1)
        site.call(
            "backfill_dag", dag_id=name, start_date=begin.isoformat(), end_date=end.isoformat(), max_active_runs=3
        )
    until("the history is made", lambda: _ended(site))
    site.call("trigger_dag", dag_id="export_ledger", conf={"quarter": "2026Q3"}, note="for the auditors")
    site.call("unpause_dag", dag_id="export_ledger", missed="none")
    site.call("unpause_dag", dag_id="reindex_search")
    site.call("trigger_dag", dag_id="reindex_search", run_id="manual__reindex")
    site.call("pause_dag", dag_id="clean_up")
    until("the run by hand has failed", lambda: site.states("export_ledger")[0] == "failed")
    time.sleep(20)  # what runs has something to show


def _ended(site: Site) -> bool:
    alive = site.call("list_backfills", active=True)
    busy = [
        state for name in ("orders", "churn_model") for state in site.states(name) if state in ("queued", "running")
    ]
    return not alive and not busy


def pages(site: Site) -> dict[str, str]:
    """Name of a picture -> address."""
    [failed] = site.call("list_runs", dag_id="export_ledger", limit=1)
    ledger = f"/dags/export_ledger/runs/{quote(failed['run_id'], safe='')}"
    return {
        "dags": "/",
        "grid": "/dags/orders/grid",
        "graph": "/dags/orders/graph",
        "gantt": "/dags/orders/gantt",
        "run": ledger,
        "log": "/dags/reindex_search/runs/manual__reindex/tasks/rebuild/log",
    }


def shoot(page: Page, path: Path) -> None:
    """The page as it is seen, without what comes later."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(400)
    page.screenshot(path=path, animations="disabled")


def main() -> None:
    """Everything anew into the folder."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    out.mkdir(parents=True, exist_ok=True)
    executable = shutil.which("chromium")
    with (
        tempfile.TemporaryDirectory(prefix="asyncflow-") as root,
        serving(Path(root)) as site,
        sync_playwright() as play,
    ):
        fill(site)
        browser = play.chromium.launch(executable_path=executable, args=FLAGS)
        for theme in ("light", "dark"):
            context = browser.new_context(base_url=site.address, viewport=SIZE, color_scheme=theme, locale="en-GB")
            page = context.new_page()
            for name, address in pages(site).items():
                page.goto(address)
                shoot(page, out / f"{name}-{theme}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
