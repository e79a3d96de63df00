"""The pages about the server, in a real browser: live with scripts, whole without."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.server import ServeProcess
from tests.browser.scan import violations
from tests.browser.windows import window

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

HELLO = """
from datetime import datetime

from asyncflow import DAG, task

with DAG("hello", start_date=datetime(2024, 1, 1), schedule="@daily"):

    @task
    def greet():
        print("Hello")

    greet()
"""


def test_the_dot_and_a_key_lead_to_the_pages_about_the_server(tab: Page, server: ServeProcess) -> None:
    tab.goto("/")
    tab.locator("#pulse").click()
    expect(tab.get_by_role("heading", name="Health", exact=True)).to_be_visible()
    tab.keyboard.press("g")
    tab.keyboard.press("a")
    expect(tab.get_by_role("heading", name="Admin", exact=True)).to_be_visible()


def test_health_shows_what_runs_without_being_asked_again(tab: Page, server: ServeProcess) -> None:
    tab.goto("/admin/health")
    expect(tab.locator("#server-health")).to_contain_text("1 DAG file cannot be loaded.")
    server.call("unpause_dag", dag_id="slow")
    run = server.call("trigger_dag", dag_id="slow")
    row = tab.get_by_role("row").filter(has_text="running")
    expect(row).to_contain_text("slow.talk")
    expect(tab.locator(".processes")).to_contain_text("slow.talk")
    expect(tab.get_by_text("From a slot to the process")).to_be_visible()
    server.call("mark_run", dag_id="slow", run_id=run["run_id"], state="failed")
    expect(row).to_have_count(0)
    row = tab.locator(".processes").get_by_role("row").filter(has_text="zygote")
    assert re.search(r"\d MB", row.inner_text())


def test_the_chart_gets_its_bars(tab: Page, server: ServeProcess) -> None:
    tab.goto("/admin/health")
    bars = tab.locator(".lag g")
    expect(bars.first).to_be_attached()
    before = bars.count()
    expect(bars.nth(before)).to_be_attached(timeout=15_000)


def test_the_servers_log_grows_while_it_is_read(tab: Page, server: ServeProcess) -> None:
    tab.goto("/admin/log?level=warning")
    log = tab.locator("#server-log")
    expect(log).to_contain_text("broken.py")
    server.write("broken2.py", "from asyncflow import DAG\n\n1 / 0 # <b>DAG</b>\n")
    expect(log).to_contain_text("broken2.py: ZeroDivisionError")
    (server.dags / "broken2.py").unlink()
    expect(log).not_to_contain_text("INFO")


def test_the_servers_log_without_scripts(plain: Page, server: ServeProcess) -> None:
    plain.goto("/admin/log")
    expect(plain.locator("#server-log")).to_contain_text("starts, process")
    plain.get_by_label("Level").select_option("warning")
    plain.get_by_role("button", name="Show").click()
    expect(plain).to_have_url(re.compile("level=warning"))
    expect(plain.locator("#server-log")).to_contain_text("broken.py")
    expect(plain.locator("#server-log")).not_to_contain_text("starts, process")
    plain.get_by_label("Search", exact=True).fill("nothing of the kind")
    plain.get_by_role("button", name="Show").click()
    expect(plain.get_by_text("Nothing was found.")).to_be_visible()


def test_configuration_without_scripts(plain: Page, server: ServeProcess) -> None:
    plain.goto("/admin")
    plain.get_by_role("link", name="Configuration").click()
    plain.get_by_label("Filter").fill("home")
    plain.get_by_label("only what is not default").check()
    plain.get_by_role("button", name="Show").click()
    row = plain.locator("#home")
    expect(row).to_contain_text(str(server.home))
    expect(row).to_contain_text("ASYNCFLOW_HOME")
    expect(plain.locator("#port")).to_have_count(0)
    plain.get_by_role("link", name="All settings").click()
    expect(plain.locator("#port")).to_contain_text("command line")


def test_health_and_about_without_scripts(plain: Page, server: ServeProcess) -> None:
    plain.goto("/admin/health")
    expect(plain.get_by_text("asyncflow serve", exact=True)).to_be_visible()
    plain.get_by_role("link", name="About").click()
    expect(plain.get_by_text(str(server.home / "asyncflow.db"))).to_be_visible()


def test_what_was_late_without_scripts(plain: Page, server: ServeProcess) -> None:
    plain.goto("/admin")
    plain.get_by_role("link", name="SLA misses").click()
    expect(plain.get_by_text("Nothing was late.")).to_be_visible()
    plain.get_by_label("DAG", exact=True).fill("etl")
    plain.get_by_role("button", name="Show").click()
    expect(plain).to_have_url(re.compile("dag_id=etl"))


def test_plugins_are_found_and_their_errors_told(plain: Page, server: ServeProcess) -> None:
    plain.goto("/admin/plugins")
    expect(plain.get_by_text("None. Plugins are classes")).to_be_visible()
    folder = server.home / "plugins"
    folder.mkdir(exist_ok=True)
    (folder / "bad.py").write_text("raise RuntimeError('not <b>today</b>')")
    try:
        plain.reload()
        plain.get_by_text("bad.py cannot be imported").click()
        expect(plain.get_by_text("RuntimeError: not <b>today</b>")).to_be_visible()
    finally:
        (folder / "bad.py").unlink()


def test_from_no_folder_to_the_first_dag_without_a_button(chromium: Browser, tmp_path: Path, axe: str) -> None:
    new = ServeProcess(tmp_path)
    new.dags.rmdir()
    with new, window(chromium, new.address, bypass_csp=True) as opened:
        tab = opened.new_page()
        tab.goto("/")
        expect(tab.get_by_role("heading", name="The DAG folder does not exist")).to_be_visible()
        found = violations(tab, axe)
        expect(tab.get_by_text(str(new.dags))).to_be_visible()
        new.dags.mkdir()
        expect(tab.get_by_text("The folder is empty.")).to_be_visible()
        (new.dags / f"{'x' * 200}.py").write_text("print('hello')")
        expect(tab.get_by_text("It is not looked at")).to_be_visible()
        (new.dags / "forgot.py").write_text("from asyncflow import DAG\n\n\ndef build():\n    return DAG('never')\n")
        expect(tab.get_by_text("It was loaded, and made no DAG.")).to_be_visible()
        for theme, width in (("light", 360), ("dark", 360), ("dark", 1600), ("light", 1600)):
            tab.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            tab.set_viewport_size({"width": width, "height": 900})
            found += violations(tab, axe)
            assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert found == []
        new.write("hello.py", HELLO)
        expect(tab.locator('[id="dag-hello"]')).to_be_visible()
        expect(tab.get_by_label("Owner")).to_be_visible()  # the filters came with the list
