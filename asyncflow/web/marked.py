"""Texts of DAG files that are written in Markdown."""

from __future__ import annotations

from inspect import cleandoc

import anyio.to_thread
from markupsafe import Markup


async def marked(text: str | None) -> Markup:
    """As `markdown`, in a thread; "" for none."""
    return await anyio.to_thread.run_sync(markdown, text) if text else Markup("")


def markdown(text: str) -> Markup:
    """Markdown as HTML, without the indent of a docstring. HTML in it is shown as text, links lead to http and mail."""
    from markdown_it import MarkdownIt

    return Markup(MarkdownIt("js-default", {"html": False, "linkify": False}).render(cleandoc(text)))
