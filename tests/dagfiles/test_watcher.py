"""Changes of files arrive as batches: inotify and polling."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from asyncflow.dagfiles.watcher import Batch, watch

pytestmark = pytest.mark.anyio
LIMIT = 5.0


@pytest.fixture(params=[False, True], ids=["inotify", "polling"])
def poll(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def watching(folder: Path, poll: bool) -> aclosing[AsyncGenerator[Batch, None]]:
    return aclosing(watch(folder, poll=poll, poll_interval=0.01))


async def until(batches: AsyncGenerator[Batch, None], path: Path) -> set[str]:
    """What came, up to the batch that names `path`."""
    seen: set[str] = set()
    with anyio.fail_after(LIMIT):
        while str(path) not in seen:
            seen |= await anext(batches)
    return seen


async def test_the_first_batch_is_the_folder_and_later_changes_are_not_missed(tmp_path: Path, poll: bool) -> None:
    async with watching(tmp_path, poll) as batches:
        assert await until(batches, tmp_path) == {str(tmp_path)}
        (tmp_path / "a.py").write_text("made before anyone waits for the next batch")
        assert await until(batches, tmp_path / "a.py") == {str(tmp_path / "a.py")}


async def test_edits_renames_and_deletions_are_seen(tmp_path: Path, poll: bool) -> None:
    (tmp_path / "a.py").write_text("1")
    async with watching(tmp_path, poll) as batches:
        await until(batches, tmp_path)
        (tmp_path / "a.py").write_text("longer")
        await until(batches, tmp_path / "a.py")
        (tmp_path / "b.py.swp").write_text("2")
        os.rename(tmp_path / "b.py.swp", tmp_path / "b.py")
        await until(batches, tmp_path / "b.py")
        (tmp_path / "a.py").unlink()
        await until(batches, tmp_path / "a.py")


async def test_files_of_a_new_folder_are_seen(tmp_path: Path, poll: bool) -> None:
    async with watching(tmp_path, poll) as batches:
        await until(batches, tmp_path)
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "a.py").write_text("1")
        seen = await until(batches, tmp_path / "new" / "a.py" if poll else tmp_path / "new")
        assert seen & {str(tmp_path / "new"), str(tmp_path / "new" / "a.py")}


async def test_a_folder_that_is_made_later_is_watched_from_then_on(tmp_path: Path) -> None:
    folder = tmp_path / "dags"

    async def make() -> None:
        folder.mkdir()

    async with watching(folder, poll=False) as batches:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(make)
            await until(batches, folder)
        (folder / "a.py").write_text("1")
        await until(batches, folder / "a.py")


async def test_a_replaced_folder_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "dags"
    folder.mkdir()
    async with watching(folder, poll=False) as batches:
        await until(batches, folder)
        shutil.rmtree(folder)
        folder.mkdir()
        await until(batches, folder)
        (folder / "a.py").write_text("1")
        await until(batches, folder / "a.py")


async def test_a_folder_that_goes_away_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "dags"
    folder.mkdir()
    async with watching(folder, poll=False) as batches:
        await until(batches, folder)
        shutil.rmtree(folder)
        await until(batches, folder)


async def test_a_link_that_is_switched_over_shows_the_new_files(tmp_path: Path) -> None:
    """As git-sync does: `dags` is a link, and a new checkout is put in its place at once."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    folder = tmp_path / "dags"
    folder.symlink_to(tmp_path / "one")
    async with watching(folder, poll=False) as batches:
        await until(batches, folder)
        (tmp_path / "next").symlink_to(tmp_path / "two")
        os.rename(tmp_path / "next", folder)
        await until(batches, folder)
        (tmp_path / "two" / "a.py").write_text("1")
        await until(batches, folder / "a.py")


async def test_files_behind_a_new_link_are_watched_and_have_their_real_path_too(tmp_path: Path) -> None:
    folder, outside = tmp_path / "dags", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    async with watching(folder, poll=False) as batches:
        await until(batches, folder)
        (folder / "link").symlink_to(outside)
        await until(batches, folder)
        (outside / "a.py").write_text("1")
        seen = await until(batches, folder / "link" / "a.py")
        assert str(outside / "a.py") in seen


async def test_links_in_a_circle_end(tmp_path: Path, poll: bool) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    async with watching(tmp_path, poll) as batches:
        await until(batches, tmp_path)
        (tmp_path / "a.py").write_text("1")
        await until(batches, tmp_path / "a.py")


async def test_a_folder_that_cannot_be_watched_is_polled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_watches(*_: object) -> None:
        raise OSError(28, "OS file watch limit reached")

    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", out_of_watches)
    told: list[bool] = []
    polled = watch(tmp_path, poll_interval=0.01, on_poll=lambda: told.append(True))
    async with aclosing(polled) as batches:
        await until(batches, tmp_path)
        assert told == [True]
        assert f"The folder {tmp_path} cannot be watched" in caplog.text
        (tmp_path / "a.py").write_text("1")
        await until(batches, tmp_path / "a.py")
