"""The logs of a run that are being written, as one, for the tabs that show it while it goes on.

All tries that may write are looked at together. What is new in them is put in the order of its times, labelled with the
task, and sent to each tab in numbered batches, through its stream (`events`). A line is held back until all logs have
been looked at after its time, so that what another try wrote before comes before it.

A page says which batches it has in it: `<feed>-<number>`. A tab that has missed one, because it was away for long or
reads slowly, asks for the page anew. What is kept is bounded: batches, lines that wait for a tab, and the bytes that
are taken up at a time: of a try that writes faster than that, the end alone is shown.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.to_thread
from markupsafe import Markup

from asyncflow.core.models import TaskKey
from asyncflow.engine import logs
from asyncflow.engine.changes import Named
from asyncflow.web import address, log_view, views
from asyncflow.web.log_feed import AFTERWARDS, Reader

log = logging.getLogger(__name__)

#: seconds between two looks, and for which a run is looked at that nobody shows: a page of it is on its way to a tab
PERIOD, LINGER = 0.1, 20.0
#: bytes that are taken up at a look, from all tries; and the least from each
MOST, LEAST_EACH = 64_000, 2_000
#: lines of a batch that a tab is sent, the last; and characters that wait for one that does not read
LINES, BACKLOG = 500, 600_000
#: tries that are looked at, the newest; and characters of batches that are kept for tabs that come later
FOLLOWED, KEPT = 500, 256_000
#: seconds: a process may need so long from taking the time of a line to writing it
_SLOW = 0.02
#: seconds: a line whose time is to come later than that has it from another clock
_FAR = 1.0

Try = tuple[TaskKey, int]


class ShownRun(NamedTuple):
    """What a tab shows of a run that goes on."""

    dag_id: str
    run_id: str
    since: str = ""  #: what it has: `<feed>-<number>`
    least: str = ""  #: the lowest level that it wants
    find: str = ""  #: what its lines must have in them


class Snapshot(NamedTuple):
    """How far the tries of a run had been read at a batch."""

    since: str
    ends: dict[Try, int]  #: of those that may write


class _Batch(NamedTuple):
    number: int
    rows: list[log_view.Row]
    size: int  #: characters


@dataclass(slots=True, eq=False)
class _Tail:
    """The log of one try."""

    path: Path
    source: log_view.Source
    end: int = 0
    until: float | None = None  #: when it is looked at for the last time; None while its try goes on


@dataclass(slots=True, eq=False)
class _Feed:
    """One run."""

    name: str = field(default_factory=lambda: secrets.token_hex(4))
    number: int = 0  #: of its last batch
    batches: deque[_Batch] = field(default_factory=deque)
    tails: dict[Try, _Tail] = field(default_factory=dict)
    ends: dict[Try, int] = field(default_factory=dict)  #: of those that are not looked at any more
    readers: list[tuple[ShownRun, Reader]] = field(default_factory=list)
    is_begun: bool = False
    is_stale: bool = True  #: the tries that may write are others now
    looked_at: float = 0.0  #: by the clock that lines are stamped with
    left_at: float = 0.0  #: when the last tab went away, or a page was made
    busy: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def since(self) -> str:
        return f"{self.name}-{self.number}"


class RunLogFeeds:
    """All runs whose logs are shown while they go on.

    `path_of`: where the log of a try is. `written`: the tries of a run that may write now.
    """

    def __init__(self, path_of: Callable[[TaskKey, int], Path], written: Callable[[str, str], list[Try]]) -> None:
        self._path_of = path_of
        self._written = written
        self._feeds: dict[Named, _Feed] = {}
        self._looking: asyncio.Task[None] | None = None  #: lives only while there is something to look at

    def __len__(self) -> int:
        return len(self._feeds)

    async def snapshot(self, dag_id: str, run_id: str) -> Snapshot:
        """How far the logs of a run have been told: a page has in it what is before, and is told what comes after."""
        feed = self._feed((dag_id, run_id))
        async with feed.busy:
            feed.left_at = anyio.current_time()
            await self._follow((dag_id, run_id), feed)
            return Snapshot(feed.since, {one: tail.end for one, tail in feed.tails.items()})

    def join(self, shown: ShownRun, reader: Reader) -> bool:
        """Tell a reader of what is written from now on; False: it has missed something."""
        feed = self._feed((shown.dag_id, shown.run_id))
        feed.readers.append((shown, reader))
        name, _, number = shown.since.partition("-")
        has = int(number) if number.isdecimal() else -1
        oldest = feed.batches[0].number if feed.batches else feed.number + 1
        if name != feed.name or not oldest - 1 <= has <= feed.number:
            return False
        for batch in feed.batches:
            if batch.number > has:
                reader.tell(_message(feed, batch, shown))
        return True

    def leave(self, shown: ShownRun, reader: Reader) -> None:
        """The tab is closed."""
        feed = self._feeds[shown.dag_id, shown.run_id]
        feed.readers.remove((shown, reader))
        feed.left_at = anyio.current_time()

    def changed(self, names: frozenset[Named]) -> None:
        """Something has changed in these runs: tries may have begun or ended."""
        for name, feed in self._feeds.items():
            if name in names:
                feed.is_stale = True
                self._wake()

    def _feed(self, name: Named) -> _Feed:
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = _Feed(left_at=anyio.current_time())
        self._wake()
        return feed

    def _wake(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on(), name="logs of runs that are shown")

    async def _look_on(self) -> None:
        while self._feeds:
            try:
                await self.look()
            except OSError:
                log.exception("The logs of a run that is shown cannot be read")
            if all(feed.readers and not feed.tails and not feed.is_stale for feed in self._feeds.values()):
                return  # `changed` says when there is something again
            await anyio.sleep(PERIOD)

    async def look(self) -> None:
        """Send what is new."""
        now = anyio.current_time()
        for name, feed in list(self._feeds.items()):
            if not feed.readers and now - feed.left_at > LINGER and not feed.busy.locked():
                del self._feeds[name]
                continue
            async with feed.busy:
                await self._follow(name, feed)
                await self._read(feed)

    async def _follow(self, name: Named, feed: _Feed) -> None:
        """Look at the tries that may write now, and for a while at those that might until now."""
        if not feed.is_stale:
            return
        feed.is_stale = False
        written = self._written(*name)[-FOLLOWED:]
        over = anyio.current_time() + AFTERWARDS
        for one, tail in feed.tails.items():
            if one not in written:
                tail.until = tail.until or over
        fresh = [one for one in written if one not in feed.tails]
        for key, number in fresh:
            source = log_view.Source(
                views.instance_name(key.task_id, key.map_index),
                address.task_path(key.dag_id, key.run_id, key.task_id, key.map_index, page="/log"),
            )
            tail = _Tail(self._path_of(key, number), source, feed.ends.pop((key, number), 0))
            feed.tails[key, number] = tail
        for one in written:
            feed.tails[one].until = None
        if not feed.is_begun:
            feed.is_begun, feed.looked_at = True, time.time()
            await anyio.to_thread.run_sync(_begin, list(feed.tails.values()))

    async def _read(self, feed: _Feed) -> None:
        if not feed.tails:
            return
        moment = time.time()
        rows = await anyio.to_thread.run_sync(_new, list(feed.tails.values()), moment - _SLOW, feed.looked_at)
        feed.looked_at = moment - _SLOW
        now = anyio.current_time()
        for one, tail in list(feed.tails.items()):
            if tail.until is not None and tail.until <= now:
                feed.ends[one] = feed.tails.pop(one).end
        if rows:
            self._tell(feed, rows)

    def _tell(self, feed: _Feed, rows: list[log_view.Row]) -> None:
        feed.number += 1
        batch = _Batch(feed.number, rows, sum(len(row.line) for row in rows))
        feed.batches.append(batch)
        while len(feed.batches) > 1 and sum(one.size for one in feed.batches) > KEPT:
            feed.batches.popleft()
        made: dict[tuple[str, str], str] = {}
        for shown, reader in feed.readers:
            wanted = shown.least, shown.find
            if wanted not in made:
                made[wanted] = _message(feed, batch, shown)
            reader.tell(made[wanted])


def _begin(tails: list[_Tail]) -> None:
    """Go on from the last whole line that there is."""
    for tail in tails:
        size = logs.size(tail.path)
        tail.end = logs.window(tail.path, max(0, size - logs.LONGEST_LINE), logs.LONGEST_LINE, partial=False).end
        tail.source.level = logs.level_at(tail.path, tail.end) or "info"


def _new(tails: list[_Tail], until: float, since: float) -> list[log_view.Row]:
    """The new lines of all, in no order. A line without a time has been written after the last look."""
    grown = [(place, tail) for place, tail in enumerate(tails) if logs.size(tail.path) > tail.end]
    each = max(LEAST_EACH, MOST // max(1, len(grown)))
    rows: list[log_view.Row] = []
    for place, tail in grown:
        tail.source.moment = max(tail.source.moment, since)
        size = logs.size(tail.path)
        start = size - each if size - tail.end > 4 * each else tail.end
        part = logs.window(tail.path, start, each, partial=False)
        begin = max(part.start, tail.end)
        if begin > tail.end:
            left_out = f"… {begin - tail.end:,} B …"
            rows.append(log_view.Row(since, place, tail.source.name, tail.source.href, "debug", left_out))
        data = part.data[begin - part.start :]
        found, tail.end = log_view.rows_of(tail.source, place, data, begin, held=(until, until + _FAR))
        rows += found
    return rows


def _message(feed: _Feed, batch: _Batch, shown: ShownRun) -> str:
    """What a tab is told, as JSON."""
    rows = [row for row in batch.rows if log_view.is_wanted(row, shown.least, shown.find)]
    left_out = len(rows) - LINES
    gap = Markup('<div class="gap">… {} …</div>').format(f"{left_out:,}") if left_out > 0 else ""
    html = gap + Markup("").join(log_view.in_order(rows, shown.find, LINES))
    return json.dumps({"feed": feed.name, "number": batch.number, "html": html}, ensure_ascii=False)
