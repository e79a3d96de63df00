"""Python text as lines to show: coloured, or compared with another text. Pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from markupsafe import Markup

#: longer texts are shown without colours (characters); colouring takes about a second per 500,000
_COLOURED_UP_TO = 300_000


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a comparison."""

    kind: str  #: same, new, old or place
    sign: str
    text: str
    before: int | None  #: its number in the old text
    after: int | None


def coloured(text: str) -> list[Markup | str]:
    """The lines of a Python text, words in spans with Pygments' short class names after `py-`."""
    if len(text) > _COLOURED_UP_TO:
        return list(_lines(text))
    from pygments import highlight
    from pygments.formatters.html import HtmlFormatter
    from pygments.lexers.python import PythonLexer

    html = highlight(text, PythonLexer(stripnl=False, ensurenl=False), HtmlFormatter(nowrap=True, classprefix="py-"))
    return [Markup(line) for line in _lines(html)]


def _lines(text: str) -> list[str]:
    """As Python counts lines; `splitlines` would also split at form feeds."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def compared(old: str, new: str, *, context: int = 3) -> list[DiffLine]:
    """The lines in which two texts differ, each with some around it; none when they are equal."""
    found: list[DiffLine] = []
    before, after = _lines(old), _lines(new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(context):
        first, last = group[0], group[-1]
        place = f"lines {first[3] + 1} to {last[4]}"
        found.append(DiffLine("place", "", place, None, None))
        for tag, a, b, c, d in group:
            if tag == "equal":
                found += [DiffLine("same", " ", before[n], n + 1, c + n - a + 1) for n in range(a, b)]
                continue
            found += [DiffLine("old", "−", before[n], n + 1, None) for n in range(a, b)]
            found += [DiffLine("new", "+", after[n], None, n + 1) for n in range(c, d)]
    return found
