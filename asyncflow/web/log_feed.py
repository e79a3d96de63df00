"""Logs that are being written, for the tabs that show them: each file is looked at once, however many show it.

What is new is made into HTML once and sent as it is through the stream of each tab (`events`), with the bytes that it
is of. A tab that has not got what comes before asks for it by itself. A log whose try is over is looked at for a short
while and then no more.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.to_thread

from asyncflow.core.models import TaskKey
from asyncflow.engine import logs
from asyncflow.engine.changes import Named
from asyncflow.web.address import query
from asyncflow.web.log_view import Renderer

log = logging.getLogger(__name__)

#: seconds between two looks at the logs that are being written, and for which one is looked at when its try is over
PERIOD, AFTERWARDS = 0.05, 2.0
#: bytes that are sent at a time; of what is written faster only the end
MOST = 64_000
#: characters that wait for a tab that does not read; more, and it has to ask
_BACKLOG = 200_000


class Shown(NamedTuple):
    """What a tab shows of a log that may grow."""

    key: TaskKey
    try_number: int
    least: str = ""  #: the lowest level that it wants


@dataclass(slots=True, eq=False)
class Reader:
    """What waits to be sent to one tab. `None` in `news` says that it has missed something."""

    wake: Callable[[], None]
    most: int = field(default_factory=lambda: _BACKLOG)  #: characters that may wait
    news: list[str | None] = field(default_factory=list)
    waiting: int = 0  #: characters in `news`

    def tell(self, text: str) -> None:
        """One more message."""
        if self.waiting + len(text) > self.most:
            self.news, self.waiting = [None], 0
        else:
            self.news.append(text)
            self.waiting += len(text)
        self.wake()

    def take(self) -> list[str | None]:
        """All that waits."""
        news, self.news, self.waiting = self.news, [], 0
        return news


@dataclass(slots=True, eq=False)
class _Feed:
    """One log in one rendering."""

    path: Path
    end: int  #: what is before it was sent
    level: str = ""
    until: float | None = None  #: when it is looked at for the last time; None while its try goes on
    readers: list[Reader] = field(default_factory=list)


class LogFeeds:
    """All logs that are shown while they grow.

    `path_of`: where the log of a try is. `is_written`: whether the try may still write.
    """

    def __init__(self, path_of: Callable[[TaskKey, int], Path], is_written: Callable[[TaskKey, int], bool]) -> None:
        self._path_of = path_of
        self._is_written = is_written
        self._feeds: dict[Shown, _Feed] = {}
        self._looking: asyncio.Task[None] | None = None  #: lives only while there is something to look at

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look at."""
        return not any(feed.until is None or feed.until > anyio.current_time() for feed in self._feeds.values())

    def _wake(self) -> None:
        if not self.is_idle and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look_on(), name="logs that are shown")

    async def _look_on(self) -> None:
        while not self.is_idle:
            try:
                await self.look()
            except OSError:
                log.exception("A log that is shown cannot be read")
            await anyio.sleep(PERIOD)

    def join(self, shown: Shown, reader: Reader) -> None:
        """Tell a reader of what is written from now on."""
        feed = self._feeds.get(shown)
        if feed is None:
            path = self._path_of(shown.key, shown.try_number)
            size = logs.size(path)
            feed = self._feeds[shown] = _Feed(path, size, logs.level_at(path, size))
            self._check(shown, feed)
        feed.readers.append(reader)
        self._wake()

    def leave(self, shown: Shown, reader: Reader) -> None:
        """The tab is closed."""
        feed = self._feeds[shown]
        feed.readers.remove(reader)
        if not feed.readers:
            del self._feeds[shown]

    def changed(self, names: frozenset[Named]) -> None:
        """Something has changed in these runs: a try may be over."""
        for shown, feed in self._feeds.items():
            if (shown.key.dag_id, shown.key.run_id) in names:
                self._check(shown, feed)
        self._wake()

    def _check(self, shown: Shown, feed: _Feed) -> None:
        if self._is_written(shown.key, shown.try_number):
            feed.until = None
        elif feed.until is None:
            feed.until = anyio.current_time() + AFTERWARDS

    async def look(self) -> None:
        """Send what is new."""
        now = anyio.current_time()
        for shown, feed in list(self._feeds.items()):
            if (feed.until is None or feed.until > now) and logs.size(feed.path) > feed.end:
                await self._read(shown, feed)

    async def _read(self, shown: Shown, feed: _Feed) -> None:
        part = await anyio.to_thread.run_sync(_new, feed.path, feed.end)
        if not part.data:
            return
        text, feed.level = message(part, shown, level=feed.level, came_from=feed.end)
        feed.end = part.end
        for reader in feed.readers:
            reader.tell(text)


def _new(path: Path, start: int) -> logs.Window:
    """Whole lines from a byte on; when there are too many, the last ones."""
    if logs.size(path) - start > 4 * MOST:
        part = logs.window(path, None, MOST, partial=False)
        return part if part.start > start else part._replace(data=part.data[start - part.start :], start=start)
    return logs.window(path, start, MOST, partial=False)


def link(shown: Shown, at: int) -> str:
    """The address, on the page of a log, of its part from a byte on."""
    copy = {"map_index": str(shown.key.map_index)} if shown.key.map_index >= 0 else {}
    return query({"try": str(shown.try_number), **copy, "level": shown.least}, at=at)


def message(part: logs.Window, shown: Shown, *, level: str, came_from: int) -> tuple[str, str]:
    """What a tab is told of new lines, as JSON, and the level that goes on.

    `from` and `end` are bytes: what was before, and where to go on; `start` is beyond `from` when lines between them
    are left out.
    """
    renderer = Renderer(least=shown.least, level=level, link=link(shown, part.start), goes_on=True)
    renderer.feed(part.data, part.start)
    text = renderer.finish()
    told = {
        "from": came_from,
        "start": part.start,
        "end": part.end,
        "size": part.size,
        "level": text.level,
        "html": str(text.html),
    }
    return json.dumps(told, ensure_ascii=False), text.level
