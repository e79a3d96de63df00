"""Datasets, dependencies and backfills in Chromium, over a real server: with scripts, and the same without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.server import ServeProcess, until
from tests.browser.scan import scan
from tests.browser.windows import window

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

HOSTILE = "s3://" + "<script>alert(1)</script>/" + "x" * 300
ORDERS = "s3://shop/orders"
LONG = "y" * 200
DAGS = """
import time
from datetime import datetime
from pathlib import Path

from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sensors.external_task import ExternalTaskSensor
from asyncflow import DAG, Dataset, task

ORDERS, USERS, HOSTILE = Dataset("s3://shop/orders"), Dataset("s3://shop/users"), Dataset({hostile!r})
START = datetime(2026, 1, 1)

with DAG("make", schedule=None, start_date=START):

    @task(outlets=[ORDERS, HOSTILE])
    def load():
        pass

    load()

for dag_id, datasets in (("report", [ORDERS]), ("both", [ORDERS, USERS]), ({long!r}, [HOSTILE, USERS])):
    with DAG(dag_id, schedule=datasets, start_date=START, is_paused_upon_creation=False):

        @task(inlets=[ORDERS])
        def read():
            pass

        read()

with DAG("chain", schedule=None, start_date=START):
    ExternalTaskSensor(task_id="wait", external_dag_id="make") >> TriggerDagRunOperator(
        task_id="go", trigger_dag_id="report"
    )

with DAG("daily", schedule="@daily", start_date=START, catchup=False):

    @task
    def work():
        while not Path({gate!r}).exists():
            time.sleep(0.02)

    work()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    """A server with DAGs that make and await datasets, and `daily`, whose task waits for a file."""
    root = tmp_path_factory.mktemp("shop")
    with ServeProcess(root) as started:
        started.write("shop.py", DAGS.format(hostile=HOSTILE, long=LONG, gate=str(root / "gate")))
        for dag_id in ("make", "report", "both", LONG, "chain", "daily"):
            started.wait_for_dag(dag_id)
        yield started


@pytest.fixture
def gate(server: ServeProcess) -> Iterator[Path]:
    """The file that the task of `daily` waits for; it is not there, and is when the test ends."""
    path = server.home.parent / "gate"
    path.unlink(missing_ok=True)
    yield path
    path.touch()


@pytest.fixture
def page(chromium: Browser, server: ServeProcess) -> Iterator[Page]:
    """A tab; a script that fails, or one that the page's own policy refuses, fails the test."""
    complaints: list[str] = []
    with window(chromium, server.address, complaints=complaints) as opened:
        yield opened.new_page()
    assert complaints == []


@pytest.fixture
def plain(chromium: Browser, server: ServeProcess) -> Iterator[Page]:
    """A tab without scripts."""
    with window(chromium, server.address, java_script_enabled=False) as opened:
        yield opened.new_page()


def _ended(server: ServeProcess, number: int) -> None:
    until(lambda: server.call("get_backfill", backfill_id=number)["ended_at"], f"backfill {number} ends")


def _number(page: Page) -> int:
    """Of the backfill that the tab shows."""
    expect(page).to_have_url(re.compile(r"/backfills/\d+$"))
    return int(page.url.rsplit("/", 1)[1])


def test_an_event_is_made_and_the_run_it_led_to_appears(page: Page) -> None:
    page.goto("/datasets")
    page.get_by_role("link", name="s3://shop/orders", exact=True).first.click()
    page.get_by_role("link", name="Create an event").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("listitem").filter(has_text="report")).to_contain_text("a run starts")
    dialog.get_by_label("Extra, as a JSON object").fill('{"rows": 7}')
    dialog.get_by_role("button", name="Create an event").click()
    expect(page.get_by_role("status").filter(has_text="The event is made")).to_be_visible()
    newest = page.locator("[id^=event-]").first
    expect(newest).to_contain_text('{"rows": 7}')
    expect(newest.get_by_role("link", name="report")).to_be_visible()
    expect(newest.locator(".badge")).to_have_text("success")


def test_a_list_of_datasets_follows_what_happens(page: Page, server: ServeProcess) -> None:
    page.goto("/datasets")
    row = page.locator("tr", has_text="s3://shop/users")
    expect(row).to_contain_text("never updated")
    server.call("update_dataset", uri="s3://shop/users")
    expect(row).not_to_contain_text("never updated")


def test_a_queued_update_is_forgotten(page: Page, server: ServeProcess) -> None:
    server.call("update_dataset", uri=HOSTILE)
    server.call("clear_dataset_queue", dag_id="both")
    server.call("update_dataset", uri="s3://shop/orders")
    page.goto("/dags/both/datasets")
    expect(page.locator("#dag-datasets")).to_contain_text("s3://shop/orders and s3://shop/users")
    page.get_by_role("button", name="Forget the update").first.click()
    expect(page.get_by_role("button", name="Forget the update")).to_have_count(0)


def test_the_graph_leads_to_what_it_shows(page: Page) -> None:
    page.goto("/dependencies")
    expect(page.locator("a.node.kind-trigger")).to_have_count(1)
    expect(page.locator("a.node.kind-sensor")).to_have_count(1)
    page.locator("a.node", has_text="chain").hover()
    expect(page.locator(".links path.lit")).to_have_count(2)
    page.get_by_role("button", name="Zoom in").click()
    page.goto("/datasets/show?uri=" + quote("s3://shop/users", safe=""))
    page.get_by_role("link", name="Graph", exact=True).click()
    expect(page.locator("a.node.chosen")).to_contain_text("s3://shop/users")
    expect(page.locator("a.node")).to_have_count(3)
    page.locator("a.node", has_text="both").click()
    expect(page).to_have_url(re.compile("/dags/both"))


def test_a_backfill_is_shown_begun_paused_and_resumed(page: Page, gate: Path) -> None:
    page.goto("/dags/daily/backfills")
    page.get_by_role("link", name="New backfill").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Start date").fill("2026-02-01")
    dialog.get_by_label("End date").fill("2026-02-04")
    dialog.get_by_label("Runs at a time").fill("1")
    dialog.get_by_label("Latest date first").check()
    runs = dialog.get_by_role("list", name="Runs").get_by_role("listitem")
    expect(runs).to_have_count(4)
    expect(runs.first).to_contain_text("2026-02-04")
    expect(dialog.get_by_label("Start date")).to_have_value("2026-02-01")
    dialog.get_by_role("button", name="Start the backfill").click()
    _number(page)
    bar = page.locator("#backfill .progress")
    expect(bar).to_have_attribute("aria-label", "1 running, 3 to come")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#backfill .heading .badge")).to_have_text("paused")
    gate.touch()
    expect(bar).to_have_attribute("aria-label", "1 success, 3 to come")
    page.get_by_role("button", name="Resume").click()
    expect(bar).to_have_attribute("aria-label", "4 success")
    expect(page.locator("#backfill .heading .badge")).to_have_text("success")


def test_a_backfill_is_cancelled(page: Page, gate: Path, server: ServeProcess) -> None:
    plan = server.call(
        "backfill_dag", dag_id="daily", start_date="2026-03-01", end_date="2026-03-09", max_active_runs=1
    )
    page.goto(f"/backfills/{plan['backfill_id']}")
    expect(page.locator("#backfill .progress")).to_have_attribute("aria-label", re.compile("8 to come"))
    page.get_by_role("link", name="Cancel the backfill").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("8 runs are still to come")
    dialog.get_by_role("button", name="Cancel the backfill").click()
    expect(page.locator("#backfill .heading .badge")).to_have_text("cancelling")
    gate.touch()
    expect(page.locator("#backfill .heading .badge")).to_have_text("cancelled")


def test_an_empty_day_of_the_calendar_runs_its_interval(page: Page, server: ServeProcess) -> None:
    (server.home.parent / "gate").touch()
    page.goto("/dags/daily/calendar")
    page.locator('a.blank[href$="/day/2026-05-05"]').click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 interval has no run")
    dialog.get_by_role("button", name="Run this interval").click()
    _ended(server, _number(page))
    expect(page.locator("#backfill .progress")).to_have_attribute("aria-label", "1 success")


def test_a_planned_day_says_when(page: Page, server: ServeProcess) -> None:
    server.call("unpause_dag", dag_id="daily", missed="none")
    page.goto("/dags/daily/calendar")
    page.locator("a.state-planned").last.click()
    expect(page.get_by_role("dialog")).to_contain_text("Planned")
    expect(page.get_by_role("dialog").locator("ol time.ago")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_same_without_scripts(plain: Page, server: ServeProcess) -> None:
    (server.home.parent / "gate").touch()
    plain.goto("/datasets")
    plain.get_by_role("link", name="s3://shop/orders", exact=True).first.click()
    plain.get_by_role("link", name="Create an event").click()
    plain.get_by_role("button", name="Create an event").click()
    expect(plain.get_by_role("status").filter(has_text="The event is made")).to_be_visible()
    plain.get_by_role("link", name="Graph", exact=True).click()
    plain.locator("a.node", has_text="report").click()
    for tab in ("Datasets", "Backfills"):
        plain.locator("nav.tabs").get_by_role("link", name=tab, exact=True).click()
        expect(plain.locator(".tabs [aria-current]")).to_have_text(tab)
    plain.goto("/dags/daily/backfills")
    plain.get_by_role("link", name="New backfill").click()
    plain.get_by_label("Start date").fill("2026-06-01")
    plain.get_by_label("End date").fill("2026-06-02")
    plain.get_by_role("button", name="Preview").click()
    expect(plain.get_by_role("list", name="Runs").get_by_role("listitem")).to_have_count(2)
    plain.get_by_role("button", name="Start the backfill").click()
    _ended(server, _number(plain))
    plain.goto("/dags/daily/calendar")
    plain.locator('a.blank[href$="/day/2026-05-06"]').click()
    plain.get_by_role("button", name="Run this interval").click()
    _ended(server, _number(plain))
    plain.reload()
    expect(plain.locator("#backfill .progress")).to_have_attribute("aria-label", "1 success")


# ---- nothing to stumble over ----------------------------------------------------------------------------------------


ADDRESSES = (
    *("/datasets", "/datasets?q=nothing", "/datasets/events", "/datasets/graph", "/dependencies"),
    *("/datasets/graph?q=nothing", "/backfills", "/backfills?show=active", "/backfills/99999"),
    *(
        f"/datasets/{name}?uri={quote(uri, safe='')}"
        for name in ("show", "update", "events")
        for uri in (ORDERS, HOSTILE)
    ),
    *(
        f"/dags/{dag}/{name}"
        for dag in ("make", "both", LONG, "chain")
        for name in ("datasets", "backfills", "backfill")
    ),
    *("/backfills/{backfill}", "/backfills/{backfill}/cancel"),
    *(f"/dags/daily/backfill?from=2026-07-0{day}&reprocess=completed" for day in (1, 9)),
    *(f"/dags/daily/day/{date}" for date in ("2026-05-07", "2026-07-01", "2100-01-01")),
)


@pytest.fixture(scope="module")
def addresses(server: ServeProcess) -> list[str]:
    """The list, once there is what it shows."""
    (server.home.parent / "gate").touch()
    for uri in (ORDERS, HOSTILE):
        server.call("update_dataset", uri=uri, extra={"<b>long</b>": "z" * 300})
    plan = server.call("backfill_dag", dag_id="daily", start_date="2026-07-01", end_date="2026-07-20")
    server.call("backfill_dag", dag_id="daily", start_date="2026-08-01", end_date="2026-08-03", max_active_runs=1)
    _ended(server, plan["backfill_id"])
    return [it.replace("{backfill}", str(plan["backfill_id"])) for it in ADDRESSES]


def test_no_page_breaks(chromium: Browser, server: ServeProcess, addresses: list[str], axe: str) -> None:
    wrong = scan(chromium, server.address, addresses, axe)
    assert not wrong, "\n".join(wrong)
