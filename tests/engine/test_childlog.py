"""What processes behind the server print, in the server's log."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncflow.engine import childlog
from asyncflow.engine.childlog import ChildLog
from asyncflow.ipc import stderr
from asyncflow.store.database import Store

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "a.db", durability="normal")
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stderr").mkdir()
    return tmp_path / "stderr"


def sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.iterdir()]


async def test_lines_are_logged_once_with_the_name_of_the_process(
    store: Store, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await store.variable_set("api_token", "s3cr3t", None)
    one, other = (stderr.open_file(str(folder), source) for source in ("host of a.py", "zygote"))
    os.write(one, b"first\nis s3cr3t \xff\n\n")
    os.write(other, b"second\n")
    child_log = ChildLog(folder, store)
    await child_log.look()
    await child_log.look()
    os.write(one, b"third\n")
    await child_log.look()
    assert sorted(caplog.messages[:3]) == ["host of a.py: first", "host of a.py: is *** �", "zygote: second"]
    assert caplog.messages[3:] == ["host of a.py: third"]
    assert caplog.record_tuples[0][:2] == ("asyncflow.stderr", logging.WARNING)
    assert sizes(folder) == [0, 0]


async def test_a_line_is_waited_for_but_not_for_ever(
    store: Store, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stderr.open_file(str(folder), "host of a.py")
    os.write(one, b"half")
    child_log = ChildLog(folder, store)
    await child_log.look()
    assert caplog.messages == []
    os.write(one, b" a line")
    await child_log.look(last=True)
    os.write(one, b"more")
    monkeypatch.setattr(childlog, "_UNFINISHED", -1)
    await child_log.look()
    assert caplog.messages == ["host of a.py: half a line", "host of a.py: more"]


async def test_of_a_flood_the_end_is_kept(store: Store, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = stderr.open_file(str(folder), "host of a.py")
    os.write(one, b"".join(b"line %d\n" % n for n in range(100_000)))
    await ChildLog(folder, store).look()
    assert caplog.messages[0].startswith("host of a.py: … 1,08")
    assert caplog.messages[-1] == "host of a.py: line 99999"
    assert len(caplog.messages) == 201
    assert sizes(folder) == [0]


async def test_the_file_of_a_process_that_is_gone_is_removed(
    store: Store, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(childlog, "_NEW", -1)
    one = stderr.open_file(str(folder), "host of a.py")
    os.write(one, b"last words\n")
    child_log = ChildLog(folder, store)
    await child_log.look()
    await child_log.look()
    assert sizes(folder) == [0]
    os.close(one)
    await child_log.look()
    assert sizes(folder) == []
    os.rmdir(folder)
    await child_log.look()
    assert caplog.messages == ["host of a.py: last words"]


async def test_trouble_with_the_files_is_told(store: Store, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "folder.stderr").mkdir()
    await ChildLog(folder, store).look()
    assert caplog.messages == ["What the processes of tasks have printed cannot be read"]
