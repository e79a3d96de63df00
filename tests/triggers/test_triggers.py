"""Triggers fire when what they wait for is there."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from asyncflow.authoring.triggers import BaseTrigger
from asyncflow.triggers.file import DirectoryFileDeleteTrigger, FileDeleteTrigger, FileTrigger
from asyncflow.triggers.temporal import DateTimeTrigger, TimeDeltaTrigger

NOW = dt.datetime.now(dt.UTC)


def first(trigger: BaseTrigger) -> Any:
    """The payload of the first event, of a trigger that was made again from what it says of itself."""
    classpath, kwargs = trigger.serialize()
    module, _, name = classpath.rpartition(".")
    again: BaseTrigger = getattr(__import__(module, fromlist=[name]), name)(**kwargs)

    async def wait() -> Any:
        return (await anext(again.run())).payload

    return asyncio.run(asyncio.wait_for(wait(), 5))


def test_a_moment_that_has_passed_fires_at_once() -> None:
    assert first(DateTimeTrigger(NOW - dt.timedelta(hours=1))) == NOW - dt.timedelta(hours=1)


def test_a_moment_to_come_is_waited_for() -> None:
    assert first(TimeDeltaTrigger(dt.timedelta(milliseconds=30))) <= dt.datetime.now(dt.UTC)


def test_a_moment_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="naive"):
        DateTimeTrigger(dt.datetime(2024, 1, 1))
    with pytest.raises(TypeError, match="Expected datetime"):
        DateTimeTrigger("2024-01-01")  # type: ignore[arg-type]


def test_files_and_folders_with_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.csv").touch()
    assert first(FileTrigger(str(tmp_path / "a/b/*.csv"))) is True
    assert first(FileTrigger(str(tmp_path / "a"))) is True


def test_a_file_that_comes_later_is_found(tmp_path: Path) -> None:
    async def wait() -> Any:
        waiting = asyncio.ensure_future(anext(FileTrigger(str(tmp_path / "x"), poke_interval=0.01).run()))
        await asyncio.sleep(0.03)
        assert not waiting.done()
        (tmp_path / "x").touch()
        return (await waiting).payload

    assert asyncio.run(asyncio.wait_for(wait(), 5)) is True


def test_a_watched_file_is_deleted(tmp_path: Path) -> None:
    for trigger in (FileDeleteTrigger(str(tmp_path / "x")), DirectoryFileDeleteTrigger(str(tmp_path), "x")):
        (tmp_path / "x").touch()
        assert first(trigger) is True
        assert not (tmp_path / "x").exists()


def test_a_watched_file_may_come_later(tmp_path: Path) -> None:
    async def wait() -> Any:
        waiting = asyncio.ensure_future(anext(FileDeleteTrigger(str(tmp_path / "x"), poke_interval=0.01).run()))
        await asyncio.sleep(0.03)
        (tmp_path / "x").touch()
        return (await waiting).payload

    assert asyncio.run(asyncio.wait_for(wait(), 5)) is True
