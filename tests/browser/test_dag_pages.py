"""The pages of one DAG in Chromium: nothing for axe to find, nothing wider than the screen, keys and pointer."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import Browser, Page, Route, expect

from asyncflow.core.specs import DagSpec, TaskGroupSpec, TaskSpec
from asyncflow.core.states import RunState, TaskState
from tests.browser.dag_site import DagSite, listening
from tests.browser.scan import scan
from tests.browser.windows import window
from tests.web.dag_home import DAY, DAY0, a_run, a_spec, a_ti

pytestmark = pytest.mark.slow

HOSTILE = "x" * 180
STATES = [state for state in TaskState if state not in (TaskState.QUEUED, TaskState.RUNNING, TaskState.DEFERRED)]


def _spec() -> DagSpec:
    """A DAG with a group in a group, a mapped task, labels, and names that nobody would wish for."""
    spec = a_spec()
    tasks = dict(spec.tasks)
    tasks["load.deep.er"] = TaskSpec(task_id="load.deep.er", label="er", group_id="load.deep", upstream=("load.users",))
    tasks["load.users"] = TaskSpec(
        task_id="load.users",
        label="users",
        group_id="load",
        upstream=("start",),
        downstream=("end", "load.deep.er"),
        edge_labels={"end": "<b>all</b>"},
    )
    tasks[HOSTILE] = TaskSpec(task_id=HOSTILE, operator="<script>alert(1)</script>")
    tasks["이름이_아주_긴_작업"] = TaskSpec(task_id="이름이_아주_긴_작업", operator="PythonOperator")
    groups = {**spec.groups, "load.deep": TaskGroupSpec(group_id="load.deep", label="deep", parent="load")}
    return a_spec(
        tasks=tasks,
        groups=groups,
        doc_md="# <script>alert(1)</script>",
        description="<img src=x onerror=alert(1)>",
        tags=("<i>", HOSTILE),
    )


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagSite]:
    """One server for this module."""
    folder = tmp_path_factory.mktemp("home")
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(listening(folder)) as found:
        site = DagSite(portal, *found)
        _fill(site)
        yield site


@pytest.fixture
def page(chromium: Browser, live: DagSite) -> Iterator[Page]:
    """An empty tab; a script that fails, or one that the page's own policy refuses, fails the test."""
    complaints: list[str] = []
    with window(chromium, live.address, complaints=complaints) as opened:
        yield opened.new_page()
    assert complaints == []


def _fill(live: DagSite) -> None:
    """The DAG in two versions, with runs of both."""
    home = live.home
    live.ask(home.save, a_spec())
    for day in range(3):
        run = a_run(day)
        live.ask(home.add, run, a_ti(run, "start"), a_ti(run, "end", state=TaskState.FAILED))
    spec = _spec()
    live.ask(home.save, spec, "v2", at=DAY0 + 3 * DAY, source="# new\n" * 40)
    for day in range(3, 9):
        run = a_run(day, version="v2", state=RunState.FAILED if day % 2 else RunState.SUCCESS, note="<b>note</b>")
        tis = [
            a_ti(run, task_id, state=STATES[(place + day) % len(STATES)], try_number=1 + place % 3)
            for place, task_id in enumerate(spec.tasks)
            if task_id != "load.orders"
        ]
        live.ask(home.add, run, *tis, *(a_ti(run, "load.orders", map_index=n) for n in range(3)))


PAGES = [
    *("grid", "grid?open=-", "graph", "graph?dir=down&open=-", "calendar", "calendar?until=2026-03-01", "duration"),
    *("landing", "tries", "gantt", "runs", "details", "code", "code?version=v2&against=v1"),
    *("tasks/end", "tasks/load", "tasks/load.orders", f"tasks/{HOSTILE}"),
]


ADDRESSES = tuple(f"/dags/etl/{name}" for name in PAGES)


@pytest.mark.timeout(240)
def test_no_page_breaks(chromium: Browser, live: DagSite, axe: str) -> None:
    assert scan(chromium, live.address, ADDRESSES, axe) == []


@pytest.mark.parametrize("name", PAGES)
def test_no_script_of_a_dag_file_runs(page: Page, name: str) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog said {dialog.message}"))
    page.goto(f"/dags/etl/{name}")
    assert page.locator("main script, main img, main b").count() == 0


def test_arrows_walk_the_grid_from_the_newest_cell(page: Page) -> None:
    page.goto("/dags/etl/grid")
    stop = page.locator("table.grid a[tabindex='0']")
    expect(stop).to_have_count(1)
    expect(stop).to_have_attribute("href", "/dags/etl/runs/scheduled__2026-01-09T00%3A00%3A00%2B00%3A00/tasks/start")
    stop.focus()
    for key, part in (
        ("ArrowLeft", "2026-01-08"),
        ("ArrowUp", "2026-01-08"),
        ("j", "/tasks/start"),
        ("Home", "2026-01-01"),
    ):
        page.keyboard.press(key)
        assert part in str(page.evaluate("document.activeElement.getAttribute('href')"))


def test_groups_of_the_grid_fold_without_scripts(chromium: Browser, live: DagSite) -> None:
    with window(chromium, live.address, java_script_enabled=False) as opened:
        page = opened.new_page()
        page.goto("/dags/etl/grid")
        page.locator("a.fold", has_text="load").first.click()
        expect(page.get_by_role("rowheader", name="users")).to_have_count(0)
        page.get_by_role("link", name="open all groups").click()
        expect(page.get_by_role("rowheader", name="users")).to_have_count(1)


def test_every_page_is_one_click_away_without_scripts(chromium: Browser, live: DagSite) -> None:
    with window(chromium, live.address, java_script_enabled=False) as opened:
        page = opened.new_page()
        page.goto("/dags/etl")
        for label in (
            "Graph",
            "Calendar",
            "Task duration",
            "Task tries",
            "Landing times",
            "Gantt",
            "Runs",
            "Details",
            "Code",
        ):
            page.locator(".tabs").get_by_role("link", name=label, exact=True).click()
            expect(page.locator(".tabs [aria-current]")).to_have_text(label)


def test_the_graph_moves_and_zooms(page: Page) -> None:
    page.goto("/dags/etl/graph")
    pane = page.locator(".graph-pane")
    before = pane.evaluate("it => it.style.transform")
    page.get_by_role("button", name="Zoom in").click()
    zoomed = pane.evaluate("it => it.style.transform")
    assert zoomed != before
    box = page.locator(".graph-box").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 60, steps=3)
    page.mouse.up()
    assert pane.evaluate("it => it.style.transform") not in (before, zoomed)
    assert page.url.endswith("/graph")
    page.get_by_role("button", name="fit").click()
    page.locator("a.node[data-id='start']").hover()
    expect(page.locator(".links path.lit")).not_to_have_count(0)


def test_a_group_of_the_graph_folds(page: Page) -> None:
    page.goto("/dags/etl/graph")
    page.locator("a.group[data-id='load']").click(position={"x": 20, "y": 8})
    expect(page.locator("a.node.closed[data-id='load']")).to_have_count(1)
    expect(page.locator("a.node[data-id='load.users']")).to_have_count(0)


def test_a_line_of_the_code_is_an_address(page: Page) -> None:
    page.goto("/dags/etl/code")
    page.locator("#L30 a").click()
    assert page.url.endswith("#L30")
    expect(page.locator("tr:target")).to_contain_text("# new")


def test_brackets_lead_to_older_and_newer_runs(page: Page) -> None:
    page.goto("/dags/etl/grid?runs=2")
    page.keyboard.press("[")
    expect(page).to_have_url(re.compile("until="))
    page.keyboard.press("]")
    expect(page).not_to_have_url(re.compile("until="))


def test_a_new_run_is_seen_while_the_grid_is_open(page: Page, live: DagSite) -> None:
    spec, server = _spec(), live.server
    live.ask(server.scheduler.do, lambda world, now: world.put_dag(spec, "v2", paused=False, now=now))
    live.ask(server.actions.trigger_dag, "etl", run_id="first")
    page.goto("/dags/etl/grid?type=manual")
    expect(page.locator(".bar-box")).to_have_count(1)
    live.ask(server.actions.trigger_dag, "etl", run_id="second", logical_date="2026-02-01")
    expect(page.locator(".bar-box")).to_have_count(2)


def test_the_stream_opens_also_when_its_script_comes_late(page: Page) -> None:
    held: list[Route] = []
    page.route("**/static/hx-sse*", lambda route: held.append(route))
    page.goto("/dags/etl/grid", wait_until="commit")
    page.wait_for_function("() => window.htmx")  # the script before it has run
    page.evaluate("() => new Promise((done) => setTimeout(() => setTimeout(done)))")  # and so has what it put off
    with page.expect_request("**/events?*"):
        held[0].continue_()
