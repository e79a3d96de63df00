"""What no page may have, in any theme or width: something axe-core finds, something that sticks out of the window,
something the browser complains of.

A list of addresses stands where its site is made, as `ADDRESSES`; `{name}` in one stands for what is known only when
the site runs. tests/browser/test_scan.py sees to it that each page of the application is in a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from playwright.sync_api import Browser, Page

from tests.browser.windows import window

WIDTHS = (360, 1024, 1600)
_HEIGHT = 900
#: of all the rules of axe-core, these are the ones whose answer the colours of a theme can change
_OF_COLOURS = ("color-contrast", "link-in-text-block")
_ALL: dict[str, Any] = {}
_ONLY_COLOURS = {"runOnly": _OF_COLOURS}
_BUT_COLOURS = {"rules": {name: {"enabled": False} for name in _OF_COLOURS}}
#: (width, theme, rules that are tried): what is shown in the middle width has the colours it has in the others
_LOOKS: tuple[tuple[int, Literal["light", "dark"], Mapping[str, Any]], ...] = (
    *((WIDTHS[0], "light", _ALL), (WIDTHS[0], "dark", _ONLY_COLOURS)),
    (WIDTHS[1], "light", _BUT_COLOURS),
    *((WIDTHS[2], "light", _ALL), (WIDTHS[2], "dark", _ONLY_COLOURS)),
)
#: addresses of pages that say what is wrong: without a status of success
_WRONG = ("/nowhere", "/backfills/99999")
_SHOWN = 70  #: letters of an address in a sentence


def violations(page: Page, axe: str, rules: Mapping[str, Any] = _ALL) -> list[str]:
    """What axe-core finds on the page as it is now."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found = page.evaluate(
        "options => axe.run({resultTypes: ['violations'], preload: false, iframes: false, ...options})"
        ".then(it => it.violations.map(it => [it.id, it.nodes.slice(0, 2).map(node => node.html.slice(0, 160))]))",
        rules,
    )
    return [f"{name}: {'; '.join(nodes)}" for name, nodes in found]


def scan(browser: Browser, base: str, addresses: Iterable[str], axe: str) -> list[str]:
    """Open each address once, look at it in each width and theme; what is wrong, a sentence for each."""
    said, wrong = list[str](), list[str]()
    narrow = {"width": WIDTHS[0], "height": _HEIGHT}
    with window(browser, base, complaints=said, viewport=narrow) as opened:
        opened.add_init_script(axe)  # this needs half the time of an evaluation after each page
        page = opened.new_page()
        for address in addresses:
            wrong += [f"{address[:_SHOWN]}: {text}" for text in _look(page, address, axe)]
            wrong += [f"{address[:_SHOWN]}: the browser says {text}" for text in said]
            said.clear()
    return list(dict.fromkeys(wrong))


def _look(page: Page, address: str, axe: str) -> Iterable[str]:
    answer = page.goto(address)
    if answer is None or not (answer.ok or address in _WRONG):
        yield f"status {answer.status if answer else 'none'}"
    for width, theme, rules in _LOOKS:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": _HEIGHT})
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            yield f"{wide} px wide in a window of {width}"
        for text in violations(page, axe, rules):
            yield f"{text} (at {width} px, {theme})"
