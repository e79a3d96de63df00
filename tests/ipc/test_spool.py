from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from asyncflow.core.messages import TryFinished
from asyncflow.ipc import spool

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _message(token: str) -> TryFinished:
    return TryFinished(token=token, exit_code=0, ended_at=NOW)


def test_what_was_written_is_read_oldest_first(tmp_path: Path) -> None:
    for age, token in enumerate(("new", "old")):
        spool.write(tmp_path, _message(token))
        os.utime(tmp_path / f"{token}.try", (1000 - age, 1000 - age))
    assert spool.read(tmp_path) == [_message("old"), _message("new")]


def test_a_removed_result_is_gone_and_removing_twice_is_no_error(tmp_path: Path) -> None:
    spool.write(tmp_path, _message("a"))
    spool.remove(tmp_path, "a")
    spool.remove(tmp_path, "a")
    assert spool.read(tmp_path) == []


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "a.try").write_bytes(b"\0\0\0\1rubbish")
    assert spool.read(tmp_path) == []
    assert (tmp_path / "a.damaged").exists()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        spool.write(tmp_path, _message("a"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("token", ["../etc/passwd", "", "a/b", "x" * 200])
def test_a_token_that_is_no_file_name_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(ValueError, match="not a try token"):
        spool.write(tmp_path, _message(token))


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert spool.read(tmp_path / "none") == []
