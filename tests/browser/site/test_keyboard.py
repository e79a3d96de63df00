"""Everything that people do most, with the keyboard alone: list, trigger, run, log, clear, mark, pause."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.server import ServeProcess, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

_FOCUSED = (
    "() => { const at = document.activeElement; return (at.getAttribute('aria-label') || at.textContent).trim(); }"
)


def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press Tab until something of that name has the focus, which must be seen to have it."""
    for _ in range(80):
        page.keyboard.press(key)
        if page.evaluate(_FOCUSED) == name:
            shown = page.evaluate(
                "() => { const css = getComputedStyle(document.activeElement);"
                " return css.outlineStyle !== 'none' && parseFloat(css.outlineWidth) >= 2; }"
            )
            assert shown, f"{name} does not show that it has the focus"
            return
    raise AssertionError(f"Tab does not come to {name!r}")


def row_of(page: Page, dag_id: str) -> None:
    """Walk with j to the row of a DAG."""
    for _ in range(20):
        page.keyboard.press("j")
        if page.locator(f'tr.at[id="dag-{dag_id}"]').count():
            return
    raise AssertionError(f"j does not come to {dag_id}")


def test_the_skip_link_leads_past_the_bar(tab: Page, server: ServeProcess) -> None:
    tab.goto("/")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to content")).to_be_focused()
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_from_the_list_to_the_log_and_back(tab: Page, server: ServeProcess) -> None:
    server.call("unpause_dag", dag_id="etl")
    tab.goto("/")
    row_of(tab, "etl")
    tab.keyboard.press("r")
    expect(tab.get_by_role("dialog").get_by_label("n", exact=True)).to_be_focused()
    tab.keyboard.press("Enter")  # as in any form
    expect(tab).to_have_url(re.compile("/dags/etl/runs/manual"))
    expect(tab.locator("#run-instances .facts .badge").first).to_have_text("failed")
    run = tab.url
    tab.keyboard.press("j")  # what failed is first
    tab.keyboard.press("Enter")
    expect(tab.locator("#log")).to_contain_text("no <b>room</b> left")
    tab.keyboard.press("Shift+S")
    tab.get_by_role("dialog").wait_for()
    tab_to(tab, "Mark success")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status").filter(has_text="was marked")).to_be_visible()
    tab.goto(run)
    tab.keyboard.press("j")
    tab.keyboard.press("Shift+C")
    expect(tab.get_by_role("dialog").get_by_role("heading")).to_have_text("Clear: extract")  # the row, not the run
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog")).to_have_count(0)
    tab.keyboard.press("Shift+C")
    tab.get_by_role("dialog").wait_for()
    tab_to(tab, "Clear")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status").filter(has_text="cleared")).to_be_visible()


def test_a_dag_is_paused_and_the_rest_of_the_row_reached(tab: Page, server: ServeProcess) -> None:
    server.call("unpause_dag", dag_id="slow")
    tab.goto("/?q=slow")
    tab_to(tab, "slow is on")
    tab.keyboard.press("Space")
    until(lambda: server.dag("slow")["paused"], "it is paused")
    expect(tab.get_by_role("switch")).to_have_attribute("aria-checked", "false")
    tab_to(tab, "Trigger slow")
    tab_to(tab, "Delete slow")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("dialog").get_by_role("heading", name="Delete slow")).to_be_visible()
    tab.keyboard.press("Escape")
    assert tab.evaluate(_FOCUSED) == "Delete slow"  # back where one was


def test_rows_are_picked_and_changed_with_the_keyboard(tab: Page, server: ServeProcess) -> None:
    for dag_id in ("slow", "daily"):
        server.call("unpause_dag", dag_id=dag_id, missed="none")
    tab.goto("/")
    expect(tab.get_by_role("button", name="Pause", exact=True)).to_be_hidden()
    for dag_id in ("daily", "slow"):
        row_of(tab, dag_id)
        tab.keyboard.press("x")
    tab.get_by_role("button", name="Pause", exact=True).focus()
    tab.keyboard.press("Enter")
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("This is about 2 DAGs")
    tab_to(tab, "Pause DAGs")
    tab.keyboard.press("Enter")
    until(lambda: server.dag("slow")["paused"] and server.dag("daily")["paused"], "both are paused")


def test_keys_of_ones_own(tab: Page, server: ServeProcess) -> None:
    tab.goto("/keys")
    tab.get_by_label(re.compile("Next row")).fill("q")
    tab.get_by_label(re.compile("Select the row")).fill("")
    tab.get_by_role("button", name="Save").last.click()
    expect(tab.get_by_text("usually j")).to_be_visible()
    tab.goto("/")
    tab.keyboard.press("j")
    tab.keyboard.press("x")
    expect(tab.locator("tr.at")).to_have_count(0)
    tab.keyboard.press("q")
    expect(tab.locator("tr.at")).to_have_count(1)
    tab.keyboard.press("x")
    expect(tab.locator("tr.at td.pick input")).not_to_be_checked()


def test_single_letters_can_be_turned_off(tab: Page, server: ServeProcess) -> None:
    tab.goto("/")
    tab.locator(".menu summary").click()
    tab.get_by_label("Single-letter keys").select_option("off")
    tab.locator(".preferences button").click()
    for key in ("j", "?", "g", "r", "Shift+C"):
        tab.keyboard.press(key)
    expect(tab.locator("tr.at")).to_have_count(0)
    expect(tab.locator("#keys")).to_be_hidden()
    tab.keyboard.press("Control+k")
    expect(tab.locator("#find")).to_be_focused()
