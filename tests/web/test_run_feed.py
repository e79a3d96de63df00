"""The logs of a run as one, while they are written."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from asyncflow.core.models import TaskKey
from asyncflow.web import run_feed
from asyncflow.web.log_feed import Reader
from asyncflow.web.run_feed import RunLogFeeds, ShownRun, Try

pytestmark = pytest.mark.anyio
RUN = ("etl", "r")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def a_try(task_id: str, number: int = 1, map_index: int = -1) -> Try:
    return TaskKey(*RUN, task_id, map_index), number


def stamped(text: str, at: float | None = None, level: str = "INFO") -> str:
    when = datetime.fromtimestamp(time.time() - 1 if at is None else at, UTC)
    return f"[{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}+0000] {{a.py:1}} {level} - {text}\n"


class World:
    """A run whose tries write logs. `look` stands for the clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[Try] = []
        self.feeds = RunLogFeeds(self.path, lambda dag_id, run_id: self.written)

    def path(self, key: TaskKey, number: int) -> Path:
        return self.folder / f"{key.task_id}.{key.map_index}.{number}.log"

    def write(self, text: str, *tries: Try) -> None:
        for key, number in tries:
            with self.path(key, number).open("a") as file:
                file.write(text)

    def start(self, *tries: Try) -> None:
        self.written = [*self.written, *tries]
        self.feeds.changed(frozenset({RUN}))

    def end(self, one: Try) -> None:
        self.written = [it for it in self.written if it != one]
        self.feeds.changed(frozenset({RUN}))

    async def tab(self, since: str | None = None, **wanted: str) -> Tab:
        """A tab that shows the run's log, after the page that it is on."""
        known = await self.feeds.snapshot(*RUN)
        return Tab(self.feeds, ShownRun(*RUN, known.since if since is None else since, **wanted))


class Tab:
    """What a tab was told."""

    def __init__(self, feeds: RunLogFeeds, shown: ShownRun) -> None:
        self._feeds, self.shown = feeds, shown
        self.reader = Reader(lambda: None)
        self.has_all = feeds.join(shown, self.reader)

    def close(self) -> None:
        self._feeds.leave(self.shown, self.reader)

    def take(self) -> list[dict[str, object] | None]:
        return [None if text is None else json.loads(text) for text in self.reader.take()]

    async def lines(self, wanted: str = "") -> list[str]:
        """The new lines, labels in brackets; waits until there is one (with the text)."""
        found: list[str] = []
        with anyio.fail_after(5):
            while not found or (wanted and not any(wanted in it for it in found)):
                await self._feeds.look()
                for told in self.take():
                    assert told is not None
                    for label, line in re.findall(
                        r'class="from"[^>]*>(.*?)</a>|class="line.*?">(.*)', str(told["html"])
                    ):
                        found.append(f"[{label}]" if label else re.sub(r"^.* - ", "", line))
        return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(RunLogFeeds, "_wake", lambda feeds: None)  # `look` is called by the tests
    return World(tmp_path)


A, B = a_try("a"), a_try("b", map_index=3)


async def test_lines_of_all_tries_come_in_order_of_time_with_their_names(world: World) -> None:
    world.start(A, B)
    world.write("before\n", A, B)
    tab = await world.tab()
    assert tab.has_all
    now = time.time() - 5
    world.write(stamped("one", now) + stamped("three", now + 2) + "  of three\n", A)
    world.write(stamped("two", now + 1) + stamped("four", now + 3), B)
    lines = await tab.lines("four")
    assert lines == ["[a]", "one", "[b[3]]", "two", "[a]", "three", "  of three", "[b[3]]", "four"]


async def test_a_line_waits_until_all_were_looked_at_after_its_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start(A, B)
    tab = await world.tab()
    now = time.time()
    monkeypatch.setattr(run_feed.time, "time", lambda: now)
    world.write(stamped("later", now + 0.2), A)
    await world.feeds.look()
    world.write(stamped("earlier", now + 0.1), B)
    await world.feeds.look()
    assert tab.take() == []
    monkeypatch.setattr(run_feed.time, "time", lambda: now + 0.5)
    assert await tab.lines("later") == ["[b[3]]", "earlier", "[a]", "later"]


async def test_a_line_from_another_clock_is_not_held_back(world: World) -> None:
    world.start(A)
    tab = await world.tab()
    world.write(stamped("from the future", time.time() + 9999), A)
    assert await tab.lines() == ["[a]", "from the future"]


async def test_a_try_that_begins_later_comes_whole_and_one_that_goes_on_where_it_was(world: World) -> None:
    world.start(A)
    tab = await world.tab()
    world.write("first of b\n", B)
    world.start(B)
    assert await tab.lines() == ["[b[3]]", "first of b"]
    world.end(B)
    assert await world.feeds.snapshot(*RUN) == (tab.shown.since[:8] + "-1", {A: 0, B: 11})
    world.write("last of b\n", B)
    assert await tab.lines() == ["[b[3]]", "last of b"]


async def test_a_try_that_is_over_is_looked_at_no_more_until_it_writes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_feed, "AFTERWARDS", -1)
    world.start(A)
    tab = await world.tab()
    world.write("one\n", A)
    await tab.lines("one")
    world.end(A)
    await world.feeds.look()
    assert (await world.feeds.snapshot(*RUN)).ends == {}
    world.start(A)
    world.write("two\n", A)
    assert await tab.lines() == ["[a]", "two"]


async def test_each_tab_gets_what_it_wants(world: World) -> None:
    world.start(A)
    alarmed, searching = await world.tab(least="error"), await world.tab(find="ROOM")
    world.write(stamped("fine") + stamped("no room", level="ERROR") + "  because\n", A)
    assert await alarmed.lines() == ["[a]", "no room", "  because"]
    assert await searching.lines() == ["[a]", "no <mark>room</mark>"]


async def test_a_tab_that_comes_later_gets_what_its_page_had_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.start(A)
    first = await world.tab()
    world.write("one\n", A)
    await first.lines()
    late = await world.tab(first.shown.since)
    assert late.has_all
    assert await late.lines() == ["[a]", "one"]
    monkeypatch.setattr(run_feed, "KEPT", 1)
    for word in ("two", "three"):
        world.write(f"{word}\n", A)
        await first.lines()
    assert not (await world.tab(first.shown.since)).has_all, "it asks for the page"
    assert not (await world.tab("other-2")).has_all
    assert (await world.tab()).has_all


async def test_a_hundred_tries_that_write_fast_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = [a_try("t", map_index=n) for n in range(100)]
    world.start(*tries)
    tab = await world.tab()
    world.write("".join(f"line {n}\n" for n in range(20_000)), *tries)
    await world.feeds.look()
    (told,) = tab.take()
    assert told is not None
    html = str(told["html"])
    assert html.count('class="line') == run_feed.LINES
    assert re.match(r'<div class="gap">… \d\d,\d+ …</div>', html)
    assert len(html) < run_feed.BACKLOG
    world.write("more\n", *tries)
    (told,) = await told_by(world, tab)
    assert str(told["html"]).count('class="from"') == 100
    tab.reader.most = 1000
    world.write("more\n", *tries)
    assert await told_by(world, tab) == [None], "one that does not read is told to ask"


async def told_by(world: World, tab: Tab) -> list[Any]:
    """What one look comes to."""
    await world.feeds.look()
    return tab.take()


async def test_of_a_try_that_writes_faster_than_it_is_read_the_end_is_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start(A)
    tab = await world.tab()
    world.write("".join(f"line {n}\n" for n in range(40_000)), A)
    (told,) = await told_by(world, tab)
    assert ">line 39998\n</div>" in told["html"]
    monkeypatch.setattr(run_feed, "LINES", 100_000)
    tab.reader.most = 10_000_000
    world.write("".join(f"line {n}\n" for n in range(40_000)), A)
    (told,) = await told_by(world, tab)
    assert re.search(r">… \d{3},\d{3} B …\n</div>", told["html"])


async def test_what_nobody_shows_is_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.start(A)
    tab = await world.tab()
    monkeypatch.setattr(run_feed, "LINGER", -1)
    await world.feeds.look()
    assert len(world.feeds) == 1
    tab.close()
    await world.feeds.look()
    assert len(world.feeds) == 0


async def test_it_looks_by_itself_while_there_is_something(tmp_path: Path) -> None:
    world = World(tmp_path)
    tab = Tab(world.feeds, ShownRun(*RUN))
    assert not tab.has_all
    await world.feeds.snapshot(*RUN)
    world.start(A)
    world.write("one\n", A)
    with anyio.fail_after(5):
        while not tab.reader.news:  # noqa: ASYNC110 - nothing tells of it
            await anyio.sleep(0.01)
