"""A log as HTML: a line is a block with its level as a class and the byte where it begins as its name. Pure.

ANSI colours become classes (`ansi`), `::group::` to `::endgroup::` folds, what is searched for is marked; all else is
escaped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from markupsafe import Markup, escape

from asyncflow.engine.logs import LEVELS, Window
from asyncflow.web.ansi import coloured, plain

#: Airflow's: `[2026-01-01T00:00:00.000+0000] {file.py:12} INFO - message`
_HEAD = re.compile(r"\[(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]?\d*(?:[+-]\d\d:?\d\d|Z)?)\](?: \{[^}]*\} (\w+) -)?")
_GROUP = re.compile(r"::(group|endgroup)::(.*)")
#: between two lines, what is longer than this (seconds) is said
_GAP = 10
_ALARMING = frozenset({"error", "critical"})
#: ends a fold that was opened in a part before
END_OF_FOLD = '<hr class="endgroup">'


@dataclass(frozen=True, slots=True)
class Text:
    """Lines as HTML, and the level that lines without one after them have."""

    html: Markup
    level: str
    shown: int
    hidden: int  #: lines below the level asked for


class Renderer:
    """Makes HTML of lines, piece by piece.

    `least`: the lowest level shown; `find` is marked; `level`: of a first line that has none. `link` is put before
    `#b<byte>` in the links of the lines. `goes_on`: lines were rendered before, to which these are added by script.
    """

    def __init__(
        self, *, least: str = "", find: str = "", level: str = "", link: str = "", goes_on: bool = False
    ) -> None:
        self._lowest = LEVELS.index(least) if least in LEVELS else 0
        self.link = link
        self._find, self._goes_on = find, goes_on
        self._level = level if level in LEVELS else ""
        self._out: list[str] = []
        self._folds: list[int] = []  #: where in `_out` the open ones begin
        self._before: datetime | None = None
        self._shown = self._hidden = 0

    def feed(self, data: bytes, start: int) -> None:
        """Lines that begin at the byte `start` of their file."""
        for at, line in _lines(data, start):
            self._take(at, line)

    def _take(self, at: int, line: str) -> None:
        head = _HEAD.search(line[:80])
        if head and head[2] and head[2].lower() in LEVELS:
            self._level = head[2].lower()
        group = _GROUP.search(line)
        if group:
            self._fold(group)
            return
        if LEVELS.index(self._level or "info") < self._lowest:
            self._hidden += 1
            return
        self._mind_the_gap(head)
        self._shown += 1
        html = _line(at, line, self._level, head, self._find, self.link)
        self._out.append(html)
        if self._folds and (self._level in _ALARMING or "<mark>" in html):
            self._unfold()

    def _mind_the_gap(self, head: re.Match[str] | None) -> None:
        now = _time(head[1]) if head else None
        if now and self._before and (now - self._before).total_seconds() > _GAP:
            self._out.append(f'<div class="gap">{_seconds((now - self._before).total_seconds())}</div>')
        self._before = now or self._before

    def _fold(self, group: re.Match[str]) -> None:
        if group[1] == "group":
            self._folds.append(len(self._out))
            name = escape(plain(group[2]).strip() or "group")
            self._out.append(f'<details class="fold"><summary>{name}</summary>')
        elif self._folds:
            self._folds.pop()
            self._out.append("</details>")
        elif self._goes_on:
            self._out.append(END_OF_FOLD)

    def _unfold(self) -> None:
        """What went wrong, or was searched for, is not hidden in a fold."""
        for place in self._folds:
            self._out[place] = self._out[place].replace('<details class="fold">', '<details class="fold" open>', 1)

    def finish(self) -> Text:
        """All that was fed; folds that are open go on in what is fed to a later one."""
        for place in self._folds:
            self._out[place] = self._out[place].replace(' class="fold"', ' class="fold" data-on', 1)
        html = "".join(self._out) + "</details>" * len(self._folds)
        return Text(Markup(html), self._level, self._shown, self._hidden)  # each part is escaped where it is made


def _lines(data: bytes, start: int) -> Iterator[tuple[int, str]]:
    for raw in data.splitlines(keepends=True) if b"\r" not in data else re.findall(rb"[^\n]*\n|[^\n]+", data):
        text = raw.rstrip(b"\r\n")
        yield start, text.rpartition(b"\r")[2].decode("utf-8", "replace")  # a progress bar writes over its line
        start += len(raw)


def _line(at: int, line: str, level: str, head: re.Match[str] | None, find: str, link: str) -> str:
    mark = f' class="line {level}"' if level and level != "info" else ' class="line"'
    text = line
    stamp = ""
    if head and head.start() == 0:
        stamp = f"<time>{escape(line[: head.end(1) + 1])}</time>"
        text = line[head.end(1) + 1 :]
    anchor = f'<a href="{escape(link)}#b{at}" aria-label="#{at}"></a>'
    return f'<div{mark} id="b{at}">{anchor}{stamp}{coloured(text, find)}\n</div>'


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        return None


# ---- several logs as one --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Source:
    """One of the logs that are merged, and how far it was read."""

    name: str  #: of the task instance
    href: str
    moment: float = 0.0  #: of its last line with a time; a line without one stays behind it
    level: str = "info"


class Row(NamedTuple):
    """One line of one of the logs."""

    moment: float
    place: int  #: of its log among the others, whose lines of the same moment come before or after
    name: str
    href: str
    level: str
    line: str


@dataclass(frozen=True, slots=True)
class Merged:
    """One line of a merged log."""

    name: str  #: of the task instance; "" when the line before is of the same
    href: str
    level: str
    html: Markup

    def __html__(self) -> str:
        label = f'<a class="from" href="{escape(self.href)}">{escape(self.name)}</a>' if self.name else ""
        return f'{label}<div class="line {self.level}">{self.html}\n</div>'


def merged(parts: list[tuple[str, str, Window]], least: str = "", find: str = "", most: int = 5000) -> list[Merged]:
    """The last lines of several logs in the order of their times; a line without a time stays behind the one before it.

    With `find` those alone that have it, in any case.
    """
    found: list[Row] = []
    for place, (name, href, part) in enumerate(parts):
        rows, _ = rows_of(Source(name, href), place, part.data, part.start)
        found += [row for row in rows if is_wanted(row, least, find)]
    return in_order(found, find, most)


def in_order(rows: list[Row], find: str = "", most: int = 5000) -> list[Merged]:
    """The last of these lines by their times."""
    found, before = [], ""
    for row in sorted(rows, key=lambda row: row[:2])[-most:]:
        name = row.name if row.name != before else ""
        found.append(Merged(name, row.href, row.level, Markup(coloured(row.line, find))))
        before = row.name
    return found


def is_wanted(row: Row, least: str, find: str) -> bool:
    """Whether a line has at least a level, and a text, in any case."""
    lowest = LEVELS.index(least) if least in LEVELS else 0
    return LEVELS.index(row.level) >= lowest and (not find or find.casefold() in row.line.casefold())


def rows_of(
    source: Source, place: int, data: bytes, start: int, *, held: tuple[float, float] = (math.inf, math.inf)
) -> tuple[list[Row], int]:
    """The lines of a part of a log, which goes on where `source` has come to; and the byte that is reached.

    It ends before the first line of a time between those of `held`.
    """
    rows: list[Row] = []
    for at, line in _lines(data, start):
        head = _HEAD.search(line[:80])
        if head:
            when = _time(head[1])
            moment = when.timestamp() if when else source.moment
            if held[0] < moment < held[1]:
                return rows, at
            source.moment = moment
            if head[2] and head[2].lower() in LEVELS:
                source.level = head[2].lower()
        if not _GROUP.search(line):
            rows.append(Row(source.moment, place, source.name, source.href, source.level, line))
    return rows, start + len(data)
