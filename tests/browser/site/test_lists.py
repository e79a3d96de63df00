"""Lists of task instances and runs: select, look, act, undo; what people did. With scripts, and without."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.server import ServeProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def failed(server: ServeProcess) -> list[str]:
    """Two failed runs of `etl`, which is paused so that what is cleared stays as it is."""
    runs = [str(server.run_to_end("etl")["run_id"]) for _ in range(2)]
    server.call("pause_dag", dag_id="etl")
    return runs


def of(run_id: str, state: str = "") -> str:
    """The list of the task instances of a run."""
    return f"/tasks?dag_id=etl&run_id={quote(run_id, safe='')}" + (f"&state={state}" if state else "")


def test_task_instances_are_found_cleared_and_put_back(tab: Page, server: ServeProcess, failed: list[str]) -> None:
    tab.goto("/")
    tab.keyboard.press("g")
    tab.keyboard.press("t")
    expect(tab).to_have_url(re.compile("/tasks$"))
    tab.get_by_label("Run id").fill(failed[0][8:])
    tab.get_by_role("button", name="Show").click()
    tab.get_by_role("link", name="failed", exact=True).click()
    expect(tab.locator("#tasks-table tbody tr")).to_have_count(1)
    expect(tab.locator("#tasks-table")).to_contain_text("load")
    tab.locator("#tasks-table [data-all]").check()
    tab.locator("#bulk").get_by_role("button", name="Clear").click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("This touches 1 task instance.")
    dialog.get_by_role("button", name="Clear", exact=True).click()
    expect(tab.get_by_role("status").filter(has_text="1 task instance was cleared.")).to_be_visible()
    expect(tab.locator("#tasks-table")).to_contain_text("No task instance matches.")
    tab.get_by_role("button", name="Undo").click()
    expect(tab.get_by_role("status").filter(has_text="is what it was")).to_be_visible()
    expect(tab).to_have_url(re.compile("state=failed"))
    expect(tab.locator("#tasks-table tbody tr")).to_have_count(1)


def test_the_list_follows_what_happens(tab: Page, server: ServeProcess, failed: list[str]) -> None:
    tab.goto(of(failed[0]))
    row = tab.locator("#tasks-table tbody tr").filter(has_text="load")
    expect(row.locator(".badge")).to_contain_text("failed")
    tab.wait_for_timeout(300)
    server.call("mark_tasks", dag_id="etl", run_id=failed[0], task_id="load", state="success")
    expect(row.locator(".badge")).to_contain_text("success")


def test_all_that_match_are_marked(tab: Page, server: ServeProcess, failed: list[str]) -> None:
    tab.goto(of(failed[1]))
    tab.get_by_label("all 2 matching task instances").check()
    tab.locator("#bulk").get_by_role("button", name="Mark skipped").click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("This touches 2 task instances.")
    dialog.get_by_role("button", name="Mark skipped").click()
    expect(tab.locator("#tasks-table .badge.state-skipped")).to_have_count(2)


def test_clearing_reaches_further_when_asked(tab: Page, server: ServeProcess, failed: list[str]) -> None:
    tab.goto(of(failed[0], "success"))
    tab.locator("#tasks-table [data-all]").check()
    tab.locator("#bulk").get_by_role("button", name="Clear").click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("This touches 1 task instance.")
    dialog.get_by_label("Downstream: tasks after them").check()
    expect(dialog).to_contain_text("This touches 2 task instances.")


def test_a_run_is_deleted_from_the_list(tab: Page, server: ServeProcess, failed: list[str]) -> None:
    tab.goto(f"/runs?dag_id=etl&run={quote(failed[0], safe='')}")
    tab.locator("#runs-table td.pick input").check()
    tab.locator("#bulk").get_by_role("button", name="Delete").click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("This cannot be undone.")
    dialog.get_by_role("button", name="Delete runs").click()
    expect(tab.get_by_role("status").filter(has_text="1 run was deleted.")).to_be_visible()
    expect(tab.locator("#runs-table")).to_contain_text("No run matches.")


def test_a_run_is_deleted_from_its_page(tab: Page, server: ServeProcess, failed: list[str]) -> None:
    tab.goto(f"/dags/etl/runs/{quote(failed[0], safe='')}")
    tab.locator(".heading").get_by_role("link", name="Delete").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete runs").click()
    expect(tab.get_by_role("status").filter(has_text="1 run was deleted.")).to_be_visible()
    expect(tab).to_have_url(re.compile(r"/runs\?dag_id=etl"))


def test_runs_are_selected_on_the_page_of_their_dag(tab: Page, server: ServeProcess, failed: list[str]) -> None:
    tab.goto("/dags/etl/runs?state=failed")
    tab.locator(f'[id="run-{failed[1]}"] td.pick input').check()
    tab.locator("#bulk").get_by_role("button", name="Mark success").click()
    tab.get_by_role("dialog").get_by_role("button", name="Mark success").click()
    expect(tab.get_by_role("status").filter(has_text="was marked")).to_be_visible()
    expect(tab.locator(f'[id="run-{failed[1]}"]')).to_have_count(0)


def test_what_was_done_appears_in_the_audit_log_at_once(tab: Page, server: ServeProcess, failed: list[str]) -> None:
    tab.goto("/audit?dag_id=etl")
    tab.wait_for_timeout(300)
    server.call("set_note", dag_id="etl", run_id=failed[0], note="seen by me")
    expect(tab.locator("#audit-table tbody tr").first).to_contain_text("seen by me")
    expect(tab.locator("#audit-table tbody tr").first).to_contain_text("cli")


# ---- without scripts


def test_selecting_and_undoing_work_without_scripts(plain: Page, server: ServeProcess, failed: list[str]) -> None:
    plain.goto("/")
    plain.get_by_role("link", name="Tasks", exact=True).click()
    plain.get_by_label("Run id").fill(failed[0])
    plain.get_by_role("button", name="Show").click()
    plain.get_by_role("link", name="failed", exact=True).click()
    plain.locator("#tasks-table td.pick input").check()
    plain.locator("#bulk").get_by_role("button", name="Mark success").click()
    expect(plain.get_by_role("main")).to_contain_text("This touches 1 task instance.")
    plain.get_by_role("button", name="Mark success").click()
    expect(plain.get_by_role("status").filter(has_text="1 task instance was marked.")).to_be_visible()
    plain.get_by_role("button", name="Undo").click()
    expect(plain.locator("#tasks-table tbody tr")).to_have_count(1)
    plain.goto("/audit?dag_id=etl&via=ui")
    expect(plain.locator("#audit-table tbody")).to_contain_text("change_tasks")


def test_deleting_works_without_scripts(plain: Page, server: ServeProcess, failed: list[str]) -> None:
    plain.goto(f"/dags/etl/runs/{quote(failed[1], safe='')}")
    plain.locator(".heading").get_by_role("link", name="Delete").click()
    plain.get_by_role("button", name="Delete runs").click()
    expect(plain.get_by_role("status").filter(has_text="1 run was deleted.")).to_be_visible()
