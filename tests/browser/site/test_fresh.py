"""Pages that the browser keeps are never old: reloaded, gone back to, in another tab, without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from tests.acceptance.server import ServeProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def _switch(tab: Page, on: bool) -> None:
    """The DAG `daily` is shown as it is."""
    expect(tab.locator(f'[id="dag-daily"] .switch[aria-checked="{str(on).lower()}"]')).to_be_visible()


def _pause(server: ServeProcess, paused: bool) -> None:
    more = {} if paused else {"missed": "none"}
    server.call("pause_dag" if paused else "unpause_dag", dag_id="daily", **more)


def test_a_page_in_the_browsers_files_is_asked_for_and_never_old(tab: Page, server: ServeProcess) -> None:
    for paused in (True, False, True):
        _pause(server, paused)
        tab.goto("/")
        _switch(tab, not paused)


def test_back_leads_to_the_page_as_it_is_now(tab: Page, server: ServeProcess) -> None:
    _pause(server, False)
    tab.goto("/")
    _switch(tab, True)
    tab.goto("/runs")
    _pause(server, True)
    tab.go_back()
    _switch(tab, False)


def test_an_event_makes_every_tab_fetch_and_each_can_go_on(context: BrowserContext, server: ServeProcess) -> None:
    _pause(server, True)
    tabs = [context.new_page() for _ in range(3)]
    asked: list[str] = []
    for tab in tabs:
        tab.goto("/")
        tab.wait_for_timeout(300)
        tab.on("response", lambda answer: asked.append(_seen(answer)))
    _pause(server, False)
    for tab in tabs:
        _switch(tab, True)
    assert {text.split(" ")[0] for text in asked if text} == {"dags"}
    tabs[2].locator('[id="dag-daily"] .switch').click()  # the form in the fragment has the reader's own token
    for tab in tabs:
        _switch(tab, False)


def _seen(answer: Response) -> str:
    return answer.request.headers.get("asyncflow-seen", "")


def test_without_scripts_a_reload_shows_what_has_changed(plain: Page, server: ServeProcess) -> None:
    for paused in (False, True):
        _pause(server, paused)
        plain.goto("/")
        _switch(plain, not paused)
        plain.reload()
        _switch(plain, not paused)
