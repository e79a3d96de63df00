"""The system's Chromium, and axe-core.

Its headless shell is the same Chromium without what draws a window, and needs half the time of the machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The system's Chromium. Ends with this package: while it lives, this thread has a running event loop, and no test
    that wants one of its own could start it."""
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if path is None and not os.environ.get("CI"):  # where it is promised, its absence is a failure
        pytest.skip("Chromium is not installed: apt-get install chromium-headless-shell")
    assert path, "apt-get install chromium-headless-shell"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which finds what people with disabilities stumble over."""
    return (Path(__file__).parent / "axe-core-4.14.1.min.js").read_text()
