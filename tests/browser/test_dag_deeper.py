"""The grid, graph, Gantt chart and code of a DAG in Chromium: selection, the past, what is foreseen; no dead links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import Browser, Page, TimeoutError, expect

from asyncflow.core.commands import Journal, SaveRun, SaveTask
from asyncflow.core.models import DagRun
from asyncflow.core.specs import DagSpec, TaskSpec
from asyncflow.core.states import RunState, TaskState
from tests.browser.dag_site import DagSite, listening
from tests.browser.scan import scan
from tests.browser.windows import window
from tests.web.dag_home import DAY, DAY0, a_run, a_spec, a_ti, a_try

pytestmark = pytest.mark.slow

HOSTILE = "<b>x</b>" * 25
FIRST, SECOND = (a_run(day).run_id for day in range(2))


def _spec() -> DagSpec:
    """The DAG with a task whose name nobody would wish for."""
    spec = a_spec()
    tasks = {
        **spec.tasks,
        "odd": TaskSpec(task_id="odd", label=HOSTILE, task_display_name=HOSTILE, upstream=("start",)),
    }
    tasks["start"] = TaskSpec(
        task_id="start", label="start", operator="EmptyOperator", downstream=("load.orders", "load.users", "odd")
    )
    return a_spec(tasks=tasks)


SOURCE = "from airflow import DAG\n\nwith DAG('etl'):\n" + "    # a line\n" * 60 + "    Empty(task_id='start')\n"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagSite]:
    """One server for the tests that leave it as it is, or add runs of their own."""
    with _serving(tmp_path_factory.mktemp("home")) as site:
        yield site


@pytest.fixture
def own(tmp_path: Path) -> Iterator[DagSite]:
    """A server for one test that changes what is there."""
    with _serving(tmp_path) as site:
        yield site


@contextmanager
def _serving(folder: Path) -> Iterator[DagSite]:
    """A server: two runs that are over, with their journal."""
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(listening(folder)) as found:
        site = DagSite(portal, *found)
        spec = _spec()
        site.ask(site.home.save, a_spec(), "v1", source=SOURCE.replace("# a line\n", "# another\n", 5))
        site.ask(site.home.save, spec, "v2", at=DAY0 + DAY / 2, source=SOURCE)
        for day in range(2):
            _add(site, a_run(day, version="v2", conf={"n": day}))
        site.ask(site.server.scheduler.do, lambda world, now: world.put_dag(spec, "v2", paused=True, now=now))
        yield site


def _add(site: DagSite, run: DagRun) -> None:
    """A run in which `load.users` took three minutes and `end` failed."""
    due = run.run_after
    tis = [
        a_ti(run, "start"),
        a_ti(run, "load.users", ended_at=due + timedelta(minutes=3)),
        a_ti(run, "end", state=TaskState.FAILED),
        a_ti(run, "odd"),
    ]
    site.ask(site.home.add, run, *tis, journal=False)
    lines: list[Any] = [_line(run, 0, "queued"), _line(run, 0, "running")]
    lines += [_line(run, 1, "running", ti.task_id) for ti in tis]
    lines += [_line(run, 4, ti.state.value, ti.task_id) for ti in tis]
    site.ask(site.home.store.commit, [*lines, _line(run, 4, "success")])


def _line(run: DagRun, minute: int, state: str, task_id: str = "") -> Journal:
    kind = "task" if task_id else "run"
    at = run.run_after + timedelta(minutes=minute)
    return Journal(at=at, event=f"{kind}.{state}", dag_id="etl", run_id=run.run_id, task_id=task_id, after=state)


@pytest.fixture
def page(chromium: Browser, live: DagSite) -> Iterator[Page]:
    """An empty tab; a script that fails, or one that the page's own policy refuses, fails the test."""
    complaints: list[str] = []
    with window(chromium, live.address, complaints=complaints) as opened:
        yield opened.new_page()
    assert complaints == []


@pytest.fixture
def plain(chromium: Browser, live: DagSite) -> Iterator[Page]:
    """A tab without scripts."""
    with window(chromium, live.address, java_script_enabled=False) as opened:
        yield opened.new_page()


def _cell(page: Page, task_id: str, place: int) -> Any:
    """The cell of a task in a run, by its place from the oldest."""
    return page.locator(f"table.grid tr[data-id='{task_id}'] td").nth(place).locator("a.c, input.c")


# ---- selection ------------------------------------------------------------------------------------------------------


def test_cells_are_selected_by_key_and_marked_and_the_mark_is_undone(page: Page) -> None:
    page.goto("/dags/etl/grid")
    bar = page.locator("#cells")
    expect(bar).to_be_hidden()
    _cell(page, "end", 0).focus()
    page.keyboard.press("x")
    expect(bar).to_contain_text("1 selected")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+X")
    expect(bar).to_contain_text("2 selected")
    expect(page.locator("td[aria-selected=true]")).to_have_count(2)
    page.keyboard.press("Shift+S")
    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text("This touches 2 task instances. They are in 2 runs.")
    dialog.get_by_role("button", name="Mark success").click()
    expect(page.get_by_text("2 task instances were marked.")).to_be_visible()
    expect(_cell(page, "end", 0)).to_have_class(re.compile("state-success"))
    page.keyboard.press("u")
    expect(page.get_by_text("2 task instances are what they were.")).to_be_visible()
    expect(_cell(page, "end", 1)).to_have_class(re.compile("state-failed"))


def test_clicks_select_a_rectangle_and_escape_lets_go(page: Page) -> None:
    page.goto("/dags/etl/grid")
    count = page.locator(".grid tbody td a.c").count()
    _cell(page, "start", 0).click(modifiers=["Control"])
    _cell(page, "end", 1).click(modifiers=["Shift"])
    expect(page.locator("td.picked")).to_have_count(count)
    _cell(page, "start", 0).click(modifiers=["Control"])
    expect(page.locator("td.picked")).to_have_count(count - 1)
    _cell(page, "end", 1).focus()
    page.keyboard.press("Escape")
    expect(page.locator("td.picked")).to_have_count(0)
    expect(page.locator("#cells")).to_be_hidden()


def test_the_bar_of_a_run_selects_its_column(page: Page) -> None:
    page.goto("/dags/etl/grid")
    page.locator(".bar-box").first.focus()
    page.keyboard.press("x")
    count = page.locator(".grid tbody td:nth-child(2) a.c").count()
    assert count >= 4
    expect(page.locator("td.picked")).to_have_count(count)


def test_letters_do_nothing_when_keys_are_off(page: Page, live: DagSite) -> None:
    page.context.add_cookies([{"name": "asyncflow_keys", "value": "off", "url": live.address}])
    page.goto("/dags/etl/grid")
    _cell(page, "end", 0).focus()
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    expect(page.locator("td.picked")).to_have_count(0)
    assert "2026-01-02" in str(page.evaluate("document.activeElement.getAttribute('href')"))


def test_home_and_end_lead_to_the_first_and_the_last_run(page: Page) -> None:
    page.goto("/dags/etl/grid")
    _cell(page, "start", 1).focus()
    page.keyboard.press("Home")
    assert "2026-01-01" in str(page.evaluate("document.activeElement.getAttribute('href')"))
    page.keyboard.press("End")
    assert "2026-01-02" in str(page.evaluate("document.activeElement.getAttribute('href')"))
    page.keyboard.press("PageDown")
    assert "/tasks/end" in str(page.evaluate("document.activeElement.getAttribute('href')"))


def test_cells_are_ticked_and_cleared_without_scripts(plain: Page, own: DagSite) -> None:
    plain.goto(f"{own.address}/dags/etl/grid")
    plain.get_by_role("link", name="select several").click()
    _cell(plain, "end", 0).check()
    _cell(plain, "end", 1).check()
    plain.locator("#cells").get_by_role("button", name="Clear").click()
    expect(plain.get_by_role("heading", name="Clear: 2 cells of the grid")).to_be_visible()
    plain.get_by_label("Upstream: tasks before them").check()
    plain.get_by_role("button", name="Preview").click()
    expect(plain.locator("main")).to_contain_text("They are in 2 runs")
    plain.get_by_role("link", name="Cancel").click()
    expect(plain).to_have_url(re.compile("/dags/etl/grid$"))
    plain.go_back()
    plain.get_by_label("Upstream: tasks before them").uncheck()
    plain.get_by_role("button", name="Preview").click()
    plain.get_by_role("button", name="Clear").click()
    expect(plain.get_by_text("2 task instances were cleared.")).to_be_visible()
    plain.get_by_role("button", name="Undo").click()
    expect(plain.get_by_text("2 task instances are what they were.")).to_be_visible()
    states = {ti["task_id"]: ti["state"] for ti in own.ask(own.server.actions.get_run, "etl", FIRST)["tasks"]}
    assert states["end"] == "failed"


# ---- the past -------------------------------------------------------------------------------------------------------


def test_the_slider_shows_a_past_minute_and_the_way_back(page: Page) -> None:
    page.goto("/dags/etl/grid?at=2026-01-03T00:02")
    expect(page.get_by_text("As it was at 2026-01-03 00:02 UTC")).to_be_visible()
    expect(_cell(page, "end", 1)).to_have_class(re.compile("state-running"))
    expect(_cell(page, "end", 0)).to_have_class(re.compile("state-failed"))
    slider = page.get_by_role("slider")
    slider.evaluate("it => { it.value = 2; it.dispatchEvent(new Event('change', {bubbles: true})); }")
    expect(page).to_have_url(re.compile("at=2026-01-02T00%3A02"))
    expect(_cell(page, "end", 0)).to_have_class(re.compile("state-running"))
    expect(page.locator(".bar-box")).to_have_count(1)
    page.get_by_role("link", name="now", exact=True).click()
    expect(page.locator(".bar-box")).to_have_count(2)


def test_the_past_is_shown_without_scripts(plain: Page) -> None:
    plain.goto("/dags/etl/grid")
    plain.get_by_label("As of (UTC)").fill("2026-01-02T00:02")
    plain.get_by_role("button", name="Show").click()
    expect(plain.get_by_text("As it was at 2026-01-02 00:02 UTC")).to_be_visible()
    plain.get_by_role("link", name="−1 min").click()
    expect(plain.get_by_text("As it was at 2026-01-02 00:01 UTC")).to_be_visible()
    expect(plain.get_by_role("slider")).to_have_count(0)


# ---- legend, graph, Gantt, code -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"), [("grid", ".grid a.c"), ("graph", ".node:not(.group)"), ("gantt", ".gantt a")]
)
def test_a_state_of_the_legend_makes_the_rest_fade(page: Page, name: str, shown: str) -> None:
    page.goto(f"/dags/etl/{name}")
    faded = f"Array.from(document.querySelectorAll({shown!r}), it => getComputedStyle(it).opacity === '0.2')"
    assert True not in page.evaluate(faded)
    page.locator("[data-light=failed]").hover()
    assert {True, False} == set(page.evaluate(faded))
    page.locator("h1").hover()
    assert True not in page.evaluate(faded)
    page.locator("[data-light=failed]").focus()
    assert {True, False} == set(page.evaluate(faded))
    page.locator("[data-light=failed]").click()
    expect(page).to_have_url(re.compile("lit=failed"))
    assert {True, False} == set(page.evaluate(faded))


def test_the_graph_names_its_critical_path(page: Page) -> None:
    page.goto("/dags/etl/graph")
    expect(page.locator("#foreseen")).to_contain_text("The critical path of this run took")
    expect(page.locator(".node.critical[data-id='load.users']")).to_have_count(1)
    expect(page.locator(".links path.critical")).not_to_have_count(0)
    page.get_by_role("link", name="top to bottom").click()
    expect(page.get_by_role("link", name="left to right")).to_be_visible()


def test_grid_and_graph_are_narrowed_to_what_is_around_a_task_without_scripts(plain: Page) -> None:
    plain.goto("/dags/etl/grid")
    plain.get_by_role("link", name="users").click()
    plain.get_by_role("link", name="Grid around it").click()
    expect(plain.get_by_role("rowheader", name="orders")).to_have_count(0)
    plain.get_by_label("with").select_option("upstream")
    plain.get_by_role("button", name="Show").click()
    expect(plain.get_by_role("rowheader", name="end")).to_have_count(0)
    plain.get_by_role("link", name="all tasks").click()
    expect(plain.get_by_role("rowheader", name="orders")).to_have_count(1)
    plain.goto("/dags/etl/graph")
    plain.get_by_label("Around task").fill("end")
    plain.get_by_role("button", name="Show").click()
    expect(plain.locator("a.node[data-id='odd']")).to_have_count(0)
    expect(plain.locator("a.node[data-id='end']")).to_have_count(1)


def test_the_line_of_now_moves_and_the_page_does_not_ask(page: Page, live: DagSite) -> None:
    now = live.home.pages.now()
    run = a_run(9, version="v2", run_after=now, started_at=now, ended_at=None, state=RunState.RUNNING)
    times = {"queued_at": now, "started_at": now, "ended_at": None}
    live.ask(live.home.add, run, a_ti(run, "start", state=TaskState.RUNNING, token="t", **times))
    page.goto("/dags/etl/gantt")
    asked: list[str] = []
    page.on("request", lambda request: None if "/static/" in request.url else asked.append(request.url))
    line = page.locator("line.now").first
    before = float(line.get_attribute("x1") or 0)
    expect(page.locator("rect.rest")).not_to_have_count(0)
    page.wait_for_function("x => Number(document.querySelector('line.now').getAttribute('x1')) > x", arg=before)
    assert asked == []
    ended = a_ti(run, "start", queued_at=now, started_at=now, ended_at=now + timedelta(seconds=1))
    writes = [SaveTask(ti=ended, expected=TaskState.RUNNING), a_try(ended, 1, token="start--1-1")]
    live.ask(live.home.store.commit, [*writes, _line(run, 0, "success", "start")])
    live.server.changes.noted("etl")
    expect(page.locator("rect.ran.state-success")).not_to_have_count(0)


def test_the_expected_end_follows_what_happens(page: Page, live: DagSite) -> None:
    now = live.home.pages.now()
    run = a_run(12, version="v2", run_after=now, started_at=now, ended_at=None, state=RunState.RUNNING)
    times = {"queued_at": now, "started_at": now, "ended_at": None}
    live.ask(live.home.add, run, a_ti(run, "start", state=TaskState.RUNNING, token="t", **times))
    page.goto("/dags/etl/graph")
    expect(page.locator("#foreseen")).to_contain_text("Expected to end")
    run.state, run.ended_at = RunState.SUCCESS, now + timedelta(seconds=1)
    done = a_ti(run, "start", started_at=now, ended_at=run.ended_at)
    writes = [SaveRun(run=run, expected=RunState.RUNNING), SaveTask(ti=done, expected=TaskState.RUNNING)]
    live.ask(live.home.store.commit, [*writes, _line(run, 0, "success")])
    live.server.changes.noted("etl")
    expect(page.locator("#foreseen")).not_to_contain_text("Expected to end")
    expect(page.locator("#foreseen")).to_have_count(1)


def test_a_task_leads_to_its_line_and_lines_to_their_version(page: Page) -> None:
    page.goto("/dags/etl/details")
    page.get_by_role("link", name="code start").click()
    expect(page).to_have_url(re.compile("/code#L64$"))
    expect(page.locator("tr:target")).to_contain_text("task_id")
    page.get_by_role("link", name="since which version").click()
    expect(page.locator("td.since").first).to_have_text("1")
    assert {"1", "2"} == set(page.locator("td.since").all_inner_texts())
    page.get_by_role("link", name="without the versions of lines").click()
    expect(page.locator("td.since")).to_have_count(0)


def test_a_run_is_run_again_with_its_configuration(page: Page) -> None:
    page.goto(f"/dags/etl/runs/{SECOND.replace('+', '%2B')}")
    page.get_by_role("link", name="Run again").click()
    expect(page.locator("#dialog")).to_contain_text('"n": 1')


# ---- nothing is dead ------------------------------------------------------------------------------------------------

NAMES = [
    *("grid", "grid?select=1", "grid?at=2026-01-03T00:02", "graph", "calendar", "duration", "tries", "landing"),
    *("gantt", "runs", "details", "code", "code?blame=1", "code?version=v2&against=v1"),
]


#: what the addresses that were asked for answered: status and text
_answers: dict[str, tuple[int, str]] = {}
#: links that differ in the values of their query only: so many are followed
_ALIKE = 12


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(page: Page, name: str) -> None:
    page.goto(f"/dags/etl/{name}")
    links = page.locator("main a[href], .crumbs a").evaluate_all(
        "all => all.map(it => new URL(it.getAttribute('href'), location).href)"
    )
    assert links
    bad = []
    for address in _of_each_kind(links):
        there, _, part = address.partition("#")
        if there not in _answers:
            answer = page.request.get(there)
            _answers[there] = (answer.status, answer.text())
        status, text = _answers[there]
        if status != 200 or (part and f'id="{part}"' not in text):
            bad.append(f"{status} {address}")
    assert bad == []


def _of_each_kind(links: list[str]) -> list[str]:
    alike: dict[tuple[str, ...], list[str]] = {}
    for address in sorted(set(links)):
        parts = urlsplit(address)
        alike.setdefault((parts.path, *(key for key, _ in parse_qsl(parts.query))), []).append(address)
    return [address for kind in alike.values() for address in kind[:: -(-len(kind) // _ALIKE)]]


@pytest.mark.parametrize("name", NAMES)
def test_every_button_does_something(page: Page, name: str) -> None:
    page.goto(f"/dags/etl/{name}")
    buttons = page.locator("main button:visible:not([disabled]):not(.switch), main summary:visible")
    dead = []
    for number in range(buttons.count()):
        page.goto(f"/dags/etl/{name}")
        button = buttons.nth(number)
        what = button.inner_text()
        if what == "fit":
            page.get_by_role("button", name="Zoom in").click()
        box = page.locator("table.grid input.c").first
        if box.count():
            box.check()
        page.evaluate(
            "document.changed = 0; new MutationObserver(() => { document.changed += 1; })"
            ".observe(document.body, {subtree: true, childList: true, attributes: true})"
        )
        before = page.url
        button.click()
        try:
            page.wait_for_function(
                "old => document.changed === undefined || document.changed > 0 || location.href !== old",
                arg=before,
                timeout=3000,
            )
        except TimeoutError:
            dead.append(what)
    assert dead == []


_FIRST = FIRST.replace("+", "%2B")
ADDRESSES = (
    *("/dags/etl", "/dags/etl/grid?select=1", "/dags/etl/grid?at=2026-01-03T00:02&lit=failed"),
    *("/dags/etl/graph?lit=failed", "/dags/etl/gantt", "/dags/etl/code?blame=1"),
    *(f"/dags/etl/cells/clear?ti=end@{_FIRST}", f"/dags/etl/cells/mark?state=failed&ti=load@{_FIRST}"),
)


@pytest.mark.timeout(240)
def test_no_page_breaks(chromium: Browser, live: DagSite, axe: str) -> None:
    assert scan(chromium, live.address, ADDRESSES, axe) == []
