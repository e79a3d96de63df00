"""Pools, Connections and Variables in a real browser: with scripts, and the same without."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.server import ServeProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def requests_of(tab: Page) -> list[str]:
    """Addresses that the tab asks for from now on."""
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    return asked


def test_a_pool_is_added_in_a_dialog_and_its_slots_are_live(tab: Page, server: ServeProcess) -> None:
    tab.goto("/pools")
    tab.get_by_role("link", name="Add a pool").click()
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("Name").fill("queries")
    dialog.get_by_label("Slots", exact=True).fill("3")
    dialog.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("status").filter(has_text="queries was added.")).to_be_visible()
    row = tab.locator('[id="pool-default_pool"]')
    server.call("unpause_dag", dag_id="slow")
    run = server.call("trigger_dag", dag_id="slow")
    try:
        expect(row.get_by_role("link", name="running")).to_be_visible()
        row.get_by_role("link", name="default_pool", exact=True).click()
        expect(tab.locator("#pool-use")).to_contain_text("talk")
    finally:
        server.call("mark_run", dag_id="slow", run_id=run["run_id"], state="failed")
    expect(tab.locator("#pool-use")).not_to_contain_text("talk")
    tab.goto("/pools")
    tab.locator('[id="pool-queries"]').get_by_role("link", name="Edit").click()
    tab.get_by_role("dialog").get_by_label("Slots", exact=True).fill("5")
    tab.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(tab.locator('[id="pool-queries"] td').nth(1)).to_have_text("5")
    tab.locator('[id="pool-queries"]').get_by_role("link", name="Delete").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(tab.get_by_role("status").filter(has_text="queries was deleted.")).to_be_visible()


def test_a_connection_is_filled_by_its_type_tested_in_place_and_saved(tab: Page, server: ServeProcess) -> None:
    tab.goto("/add/connection")
    tab.get_by_label("Connection id").fill("files")
    tab.get_by_label("Type").select_option("fs")
    expect(tab.get_by_label("Host")).to_have_count(0)
    expect(tab.get_by_label("Connection id")).to_have_value("files")
    tab.get_by_label("Extra").fill('{"path": "/no/such/folder", "token": "sesame"}')
    address = tab.url
    tab.get_by_role("button", name="Test").click()
    expect(tab.locator("#tested")).to_contain_text("It does not work. There is no /no/such/folder.")
    tab.get_by_label("Extra").fill('{"path": "/", "token": "sesame"}')
    tab.get_by_role("button", name="Test").click()
    expect(tab.locator("#tested")).to_contain_text("It works.")
    assert tab.url == address
    tab.get_by_label("Description").press("Enter")  # as the Save button, not as "Show its fields"
    expect(tab.get_by_role("status").filter(has_text="files was added.")).to_be_visible()
    row = tab.locator('[id="connection-files"]')
    row.get_by_role("button", name="Test").click()
    expect(row.locator("output")).to_contain_text("It works.")
    row.get_by_role("link", name="files", exact=True).click()
    assert "sesame" not in tab.content()
    assert json.loads(tab.get_by_label("Extra").input_value()) == {"path": "/", "token": "***"}
    tab.get_by_label("Extra").fill('{"path": "/tmp", "token": "***"}')
    tab.get_by_role("button", name="Save").last.click()
    expect(tab.get_by_role("alert")).to_contain_text("this changes extra: type token again")
    tab.get_by_label("Extra").fill('{"path": "/tmp", "token": "another"}')
    tab.get_by_role("button", name="Save").last.click()
    expect(tab.get_by_role("status").filter(has_text="files was changed.")).to_be_visible()
    tab.get_by_label("Description").fill("a folder")
    tab.get_by_role("button", name="Save").last.click()
    expect(tab.get_by_role("status").filter(has_text="files was changed.")).to_be_visible()
    expect(tab.get_by_label("Description")).to_have_value("a folder")
    stored = server.call("get_connection", conn_id="files", reveal=True)
    assert json.loads(stored["extra"]) == {"path": "/tmp", "token": "another"}
    tab.get_by_role("link", name="Delete").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(tab.get_by_role("status").filter(has_text="files was deleted.")).to_be_visible()


def test_a_list_hears_of_changes_from_elsewhere_and_asks_for_nothing_else(tab: Page, server: ServeProcess) -> None:
    tab.goto("/variables")
    tab.wait_for_timeout(500)
    asked = requests_of(tab)
    tab.wait_for_timeout(1500)
    assert asked == []
    server.call("set_variable", key="from_elsewhere", value="1")
    expect(tab.locator('[id="variable-from_elsewhere"]')).to_be_visible()
    server.call("delete_variable", key="from_elsewhere")
    expect(tab.locator('[id="variable-from_elsewhere"]')).to_have_count(0)


def test_variables_are_imported_exported_and_deleted_together(tab: Page, server: ServeProcess, tmp_path: Path) -> None:
    server.call("set_variable", key="colour", value="red")
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"colour": "blue", "sizes": [1, 2], "my_token": "hush"}))
    tab.goto("/variables")
    tab.get_by_role("link", name="Import").click()
    tab.get_by_label("File: JSON, YAML or .env").set_input_files(file)
    tab.get_by_role("button", name="Preview").click()
    expect(tab.get_by_text("is replaced")).to_be_visible()
    assert "hush" not in tab.content()
    tab.get_by_label("Leave those that exist").check()
    expect(tab.get_by_text("exists, and is left alone")).to_be_visible()
    tab.get_by_role("button", name="Import 2 Variables").click()
    expect(tab.get_by_role("status").filter(has_text="2 Variables were imported.")).to_be_visible()
    tab.get_by_role("link", name="Export").click()
    with tab.expect_download() as download:
        tab.get_by_role("dialog").get_by_role("button", name="Download").click()
    tab.get_by_role("dialog").get_by_role("link", name="Close").click()
    named = json.loads(Path(download.value.path()).read_text())
    assert {name: named[name] for name in ("colour", "sizes", "my_token")} == {
        "colour": "red",
        "sizes": [1, 2],
        "my_token": "hush",
    }
    for key in ("colour", "sizes", "my_token"):
        tab.get_by_label(f"Select {key}").check()
    tab.locator("#pick").get_by_role("button", name="Delete").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(tab.get_by_role("status").filter(has_text="3 were deleted.")).to_be_visible()


def test_a_variable_keeps_its_text_to_the_letter(tab: Page, server: ServeProcess) -> None:
    text = '\n\n {"a": 1}\n</textarea><script>alert(1)</script>\n\n'
    server.call("set_variable", key="odd", value=text)
    tab.goto("/variables/odd")
    tab.get_by_label("Description").fill("changed")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("status").filter(has_text="odd was changed.")).to_be_visible()
    assert server.call("get_variable", key="odd") == {"key": "odd", "value": text, "description": "changed"}
    server.call("delete_variable", key="odd")


# ---- without scripts


def test_pools_and_variables_without_scripts(plain: Page, server: ServeProcess) -> None:
    plain.goto("/pools")
    plain.get_by_role("link", name="Add a pool").click()
    plain.get_by_label("Name").fill("plain")
    plain.get_by_role("button", name="Save").click()
    expect(plain.get_by_text("plain was added.")).to_be_visible()
    plain.locator('[id="pool-plain"]').get_by_role("link", name="Delete").click()
    plain.get_by_role("button", name="Delete").click()
    expect(plain.get_by_text("plain was deleted.")).to_be_visible()
    plain.goto("/variables")
    plain.get_by_role("link", name="Add a Variable").first.click()
    plain.get_by_label("Key", exact=True).fill("db_password")
    plain.get_by_label("Value", exact=True).fill("hush")
    plain.get_by_role("button", name="Save").click()
    expect(plain.get_by_text("db_password was added.")).to_be_visible()
    plain.get_by_role("link", name="db_password", exact=True).click()
    plain.get_by_label("Description").fill("kept")
    plain.get_by_role("button", name="Save").click()
    assert server.call("get_variable", key="db_password", reveal=True)["value"] == "hush"
    plain.goto("/import/variables")
    plain.get_by_label("or its text").fill("colour=red\ndb_password=new")
    plain.get_by_label("Leave those that exist").check()
    plain.get_by_role("button", name="Preview").click()
    plain.get_by_role("button", name="Import 1 Variable").click()
    expect(plain.get_by_text("1 Variable was imported.")).to_be_visible()
    for key in ("colour", "db_password"):
        plain.get_by_label(f"Select {key}").check()
    plain.locator("#pick").get_by_role("button", name="Delete").click()
    plain.get_by_role("button", name="Delete").click()
    expect(plain.get_by_text("2 were deleted.")).to_be_visible()


def test_a_connection_without_scripts(plain: Page, server: ServeProcess) -> None:
    plain.goto("/connections")
    plain.get_by_role("link", name="Add a Connection").first.click()
    plain.get_by_label("Connection id").fill("plain")
    plain.get_by_label("Type").select_option("postgres")
    plain.get_by_role("button", name="Show its fields").click()
    expect(plain.get_by_label("Database")).to_be_visible()
    plain.get_by_label("Password").fill("hush")
    plain.get_by_role("button", name="Test").click()
    expect(plain.locator("#tested")).to_contain_text("pip install apache-airflow-providers-postgres")
    expect(plain.get_by_text("type them again before you save")).to_be_visible()
    plain.get_by_label("Password").fill("hush")
    plain.get_by_role("button", name="Save").last.click()
    expect(plain.get_by_text("plain was added.")).to_be_visible()
    plain.locator('[id="connection-plain"]').get_by_role("button", name="Test").click()
    expect(plain.locator("#tested")).to_contain_text("It does not work.")
    expect(plain).to_have_url(re.compile("/test/connection$"))
    plain.get_by_label("Database").fill("sales")
    plain.get_by_role("button", name="Save").last.click()
    expect(plain.get_by_text("plain was changed.")).to_be_visible()
    stored = server.call("get_connection", conn_id="plain", reveal=True)
    assert (stored["password"], stored["schema"]) == ("hush", "sales")
    plain.get_by_role("link", name="Delete").click()
    plain.get_by_role("button", name="Delete").click()
    expect(plain.get_by_text("plain was deleted.")).to_be_visible()
