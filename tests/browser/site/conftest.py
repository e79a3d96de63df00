"""A real `asyncflow serve` for the browser: what people do from the list to the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.acceptance.server import ServeProcess, until
from tests.browser.windows import window

DAGS = """
import time
from datetime import datetime

from asyncflow import DAG, Param, task

with DAG("etl", schedule=None, tags=["nightly"], params={"n": Param(3, type="integer")}):

    @task
    def extract(params=None):
        print("extracting", params["n"])
        return 1

    @task(retries=0)
    def load(one):
        raise ValueError("no <b>room</b> left")

    load(extract())

with DAG("slow", start_date=datetime(2026, 1, 1), schedule=None):

    @task
    def talk():
        for n in range(60):
            print(f"at {time.time():.3f}", flush=True)
            time.sleep(0.5)

    talk()

with DAG("daily", start_date=datetime(2026, 1, 1), schedule="@daily"):

    @task
    def nothing():
        pass

    nothing()

with DAG("x" * 200, start_date=datetime(2026, 1, 1), schedule=None, description="<script>alert(1)</script>" * 5):

    @task(task_id="y" * 200)
    def long():
        print("z" * 3000)

    long()
"""


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    """A server with a few DAGs, one of which fails and one of which cannot be loaded."""
    with ServeProcess(tmp_path_factory.mktemp("site")) as started:
        started.write("some.py", DAGS)
        started.write("broken.py", "from asyncflow import DAG\n\nwith DAG('broken'):\n    oh no\n")
        for dag_id in ("etl", "slow", "daily", "x" * 200):
            started.wait_for_dag(dag_id)
        until(lambda: started.call("list_import_errors"), "the broken file is known")
        yield started


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of: script errors, things refused by the content security policy."""
    return []


@pytest.fixture
def context(chromium: Browser, server: ServeProcess, complaints: list[str]) -> Iterator[BrowserContext]:
    with window(chromium, server.address, complaints=complaints) as made:
        yield made


@pytest.fixture
def tab(context: BrowserContext, complaints: list[str]) -> Iterator[Page]:
    """A tab; the test fails if the browser complained."""
    yield context.new_page()
    assert complaints == []


@pytest.fixture
def plain(chromium: Browser, server: ServeProcess) -> Iterator[Page]:
    """A tab without scripts."""
    with window(chromium, server.address, java_script_enabled=False) as made:
        yield made.new_page()
