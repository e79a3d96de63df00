"""Logs that are being written, for the tabs that show them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from asyncflow.core.models import TaskKey
from asyncflow.engine.logs import Window
from asyncflow.web import log_feed
from asyncflow.web.log_feed import LogFeeds, Reader, Shown

pytestmark = pytest.mark.anyio
KEY = TaskKey("etl", "r", "t")
SHOWN = Shown(KEY, 1)


class World:
    """One log, its try, and a tab that shows it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.goes_on = True
        self.feeds = LogFeeds(lambda key, number: path, lambda key, number: self.goes_on)
        self.woken = anyio.Event()
        self.reader = Reader(self._wake)

    def _wake(self) -> None:
        self.woken.set()
        self.woken = anyio.Event()

    def write(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    async def news(self) -> list[dict[str, Any] | None]:
        """What has come; waits for it."""
        with anyio.fail_after(3):
            while not self.reader.news:
                await self.woken.wait()
        return [json.loads(text) if text else None for text in self.reader.take()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "a.log").write_text("before\n")
    return World(tmp_path / "a.log")


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(3):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await anyio.sleep(0.01)


async def test_whole_lines_come_as_they_are_written(world: World) -> None:
    world.feeds.join(SHOWN, world.reader)
    world.write("one\nhal")
    (told,) = await world.news()
    assert told is not None
    assert (told["from"], told["end"]) == (7, 11)
    assert "one" in told["html"]
    assert "hal" not in told["html"]
    assert "?try=1&amp;at=7#b7" in told["html"]
    world.feeds.leave(SHOWN, world.reader)


async def test_a_line_keeps_the_level_of_what_came_before(world: World) -> None:
    world.feeds.join(SHOWN, world.reader)
    world.write("[2026-01-01T00:00:00.000+0000] {a.py:1} ERROR - no\n")
    await world.news()
    world.write("Traceback\n")
    (told,) = await world.news()
    assert told is not None
    assert 'class="line error"' in told["html"]
    world.feeds.leave(SHOWN, world.reader)


async def test_a_file_is_read_once_for_all_tabs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    read = log_feed._new

    def counted(path: Path, start: int) -> Window:
        reads.append(start)
        return read(path, start)

    monkeypatch.setattr(log_feed, "_new", counted)
    others = [Reader(lambda: None) for _ in range(20)]
    for reader in (world.reader, *others):
        world.feeds.join(SHOWN, reader)
    world.write("one\n")
    await world.news()
    assert len(reads) == 1
    assert all(len(reader.news) == 1 for reader in others)
    for reader in (world.reader, *others):
        world.feeds.leave(SHOWN, reader)


async def test_of_a_flood_the_end_comes_and_what_is_left_out_is_known(world: World) -> None:
    world.feeds.join(SHOWN, world.reader)
    world.write("x" * 99 + "\n" + ("y" * 99 + "\n") * 10_000)
    (told,) = await world.news()
    assert told is not None
    assert told["from"] == 7
    assert told["start"] > 900_000
    assert told["end"] == 1_000_107
    world.feeds.leave(SHOWN, world.reader)


async def test_a_tab_that_does_not_read_is_told_to_ask() -> None:
    reader = Reader(lambda: None)
    for _ in range(10):
        reader.tell("x" * 60_000)
    assert reader.waiting <= 200_000
    assert reader.take()[0] is None
    assert reader.take() == []


async def test_a_log_whose_try_is_over_is_looked_at_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_feed, "AFTERWARDS", 0.2)
    world.feeds.join(SHOWN, world.reader)
    assert not world.feeds.is_idle
    world.goes_on = False
    world.feeds.changed(frozenset({("other", "r")}))
    assert world.feeds._feeds[SHOWN].until is None
    world.feeds.changed(frozenset({("etl", "r")}))
    world.write("last words\n")
    (told,) = await world.news()
    assert told is not None
    await until(lambda: world.feeds.is_idle)
    task = world.feeds._looking
    assert task is not None
    await until(task.done)
    world.goes_on = True  # it was cleared, and begins again
    world.feeds.changed(frozenset({("etl", "r")}))
    world.write("again\n")
    assert await world.news()
    world.feeds.leave(SHOWN, world.reader)


async def test_nothing_is_kept_of_tabs_that_are_closed(world: World) -> None:
    world.feeds.join(SHOWN, world.reader)
    world.feeds.leave(SHOWN, world.reader)
    assert world.feeds._feeds == {}
    task = world.feeds._looking
    assert task is not None
    await until(task.done)
