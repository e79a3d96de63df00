"""A log as HTML: a line is a block with its level as a class and the byte where it begins as its name. Pure.

ANSI colours become classes, `::group::` to `::endgroup::` folds, what is searched for is marked; all else is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup, escape

from asyncflow.engine.logs import Window

LEVELS = ("debug", "info", "warning", "error", "critical")
#: Airflow's: `[2026-01-01T00:00:00.000+0000] {file.py:12} INFO - message`
_HEAD = re.compile(r"\[(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]?\d*(?:[+-]\d\d:?\d\d|Z)?)\](?: \{[^}]*\} (\w+) -)?")
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
#: other escape sequences, and control characters, that a terminal would not show
_HIDDEN = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
)
_GROUP = re.compile(r"::(group|endgroup)::(.*)")
#: between two lines, what is longer than this (seconds) is said
_GAP = 10


@dataclass(frozen=True, slots=True)
class Text:
    """Lines as HTML, and the level that lines without one after them have."""

    html: Markup
    level: str
    shown: int
    hidden: int  #: lines below the level asked for


def render(data: bytes, start: int, *, least: str = "", find: str = "", level: str = "", link: str = "") -> Text:
    """Lines that begin at the byte `start` of their file. `least`: the lowest level shown; `find` is marked.

    `link` is put before `#b<byte>` in the links of the lines.
    """
    lowest = LEVELS.index(least) if least in LEVELS else 0
    out: list[str] = []
    depth = shown = hidden = 0
    before: datetime | None = None
    for at, line in _lines(data, start):
        head = _HEAD.search(line[:80])
        if head and head[2] and head[2].lower() in LEVELS:
            level = head[2].lower()
        group = _GROUP.search(line)
        if group:
            depth = _fold(out, group, depth)
            continue
        if LEVELS.index(level or "info") < lowest:
            hidden += 1
            continue
        now = _time(head[1]) if head else None
        if now and before and (now - before).total_seconds() > _GAP:
            out.append(f'<div class="gap">{(now - before).total_seconds():.0f} s</div>')
        before = now or before
        shown += 1
        out.append(_line(at, line, level, head, find, link))
    out.append("</details>" * depth)
    return Text(Markup("".join(out)), level, shown, hidden)  # each part is escaped where it is made


def _lines(data: bytes, start: int) -> Iterator[tuple[int, str]]:
    for raw in data.splitlines(keepends=True) if b"\r" not in data else re.findall(rb"[^\n]*\n|[^\n]+", data):
        text = raw.rstrip(b"\r\n")
        yield start, text.rpartition(b"\r")[2].decode("utf-8", "replace")  # a progress bar writes over its line
        start += len(raw)


def _fold(out: list[str], group: re.Match[str], depth: int) -> int:
    if group[1] == "group":
        out.append(f'<details class="fold"><summary>{escape(_plain(group[2]).strip() or "group")}</summary>')
        return depth + 1
    if depth:
        out.append("</details>")
        return depth - 1
    return 0


def _line(at: int, line: str, level: str, head: re.Match[str] | None, find: str, link: str) -> str:
    mark = f' class="line {level}"' if level and level != "info" else ' class="line"'
    text = line
    stamp = ""
    if head and head.start() == 0:
        stamp = f"<time>{escape(line[: head.end(1) + 1])}</time>"
        text = line[head.end(1) + 1 :]
    anchor = f'<a href="{escape(link)}#b{at}" aria-label="#{at}"></a>'
    return f'<div{mark} id="b{at}">{anchor}{stamp}{_coloured(text, find)}\n</div>'


def _coloured(text: str, find: str) -> str:
    if "\x1b" not in text:
        return _marked(_HIDDEN.sub("", text), find)
    out: list[str] = []
    classes: dict[str, str] = {}
    place = 0
    for code in _SGR.finditer(text):
        out.append(_span(text[place : code.start()], classes, find))
        _turn(classes, code[1])
        place = code.end()
    out.append(_span(text[place:], classes, find))
    return "".join(out)


def _span(text: str, classes: dict[str, str], find: str) -> str:
    plain = _marked(_plain(text), find)
    return f'<span class="{" ".join(classes.values())}">{plain}</span>' if classes and plain else plain


def _plain(text: str) -> str:
    return _HIDDEN.sub("", _SGR.sub("", text)).replace("\x1b", "")


def _turn(classes: dict[str, str], codes: str) -> None:
    """Take over one `ESC [ ... m`; colours of the long forms (38;5;n) are left out."""
    numbers = [int(part or 0) for part in codes.split(";")]
    for place, number in enumerate(numbers):
        if number in (38, 48):
            return
        if number == 0:
            classes.clear()
        elif number == 1:
            classes["weight"] = "a1"
        elif number == 22:
            classes.pop("weight", None)
        elif 30 <= number <= 37 or 90 <= number <= 97:
            classes["colour"] = f"a{number}"
        elif number == 39:
            classes.pop("colour", None)
        elif place > 16:
            return


def _marked(text: str, find: str) -> str:
    if not find:
        return str(escape(text))
    parts = re.split(f"({re.escape(find)})", text, flags=re.IGNORECASE)
    return "".join(f"<mark>{escape(part)}</mark>" if n % 2 else str(escape(part)) for n, part in enumerate(parts))


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Merged:
    """One line of a merged log."""

    name: str  #: of the task instance; "" when the line before is of the same
    href: str
    level: str
    html: Markup


def merged(parts: list[tuple[str, str, Window]], least: str = "") -> list[Merged]:
    """Lines of several logs in the order of their times; a line without a time stays behind the one before it."""
    lowest = LEVELS.index(least) if least in LEVELS else 0
    rows: list[tuple[float, int, str, str, str, str]] = []
    for place, (name, href, part) in enumerate(parts):
        moment, level = 0.0, "info"
        for _, line in _lines(part.data, part.start):
            head = _HEAD.search(line[:80])
            if head:
                level = head[2].lower() if head[2] and head[2].lower() in LEVELS else level
                when = _time(head[1])
                moment = when.timestamp() if when else moment
            if LEVELS.index(level) >= lowest and not _GROUP.search(line):
                rows.append((moment, place, name, href, level, line))
    rows.sort(key=lambda row: row[:2])
    found, before = [], ""
    for _, _, name, href, level, line in rows:
        found.append(Merged(name if name != before else "", href, level, Markup(_coloured(line, ""))))
        before = name
    return found
