"""Windows of Chromium: opened with what all tests want of them, closed in a way that Chromium cannot miss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Page

_PATIENCE_MS = 15_000


@contextmanager
def window(
    browser: Browser, base_url: str, *, complaints: list[str] | None = None, **options: Any
) -> Iterator[BrowserContext]:
    """A window (browser context) on a server. What the browser complains of in any of its tabs goes into `complaints`:
    script errors, things refused by the content security policy."""
    options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **options}
    opened = browser.new_context(base_url=base_url, **options)
    opened.set_default_timeout(_PATIENCE_MS)
    if complaints is not None:
        opened.on("weberror", lambda error: complaints.append(str(error.error)))
        opened.on("console", lambda message: _note(complaints, message))
    yield opened
    _close(opened)


def _note(complaints: list[str], message: Any) -> None:
    meant = "status of 4" in message.text and "/static/" not in message.location.get("url", "")  # an error page
    if message.type == "error" and not meant:
        complaints.append(message.text)


def _close(opened: BrowserContext) -> None:
    """Chromium 156 forgets that it was told to close when a page is just about to be replaced by the next one, and the
    test would wait for good. So the tabs go to an empty page first, which also ends what is under way."""
    for tab in opened.pages:
        _leave(tab)
    opened.close()


def _leave(tab: Page) -> None:
    while tab.url != "about:blank":
        try:
            tab.goto("about:blank")
        except Error:  # a page that was under way came in between
            tab.wait_for_load_state()
