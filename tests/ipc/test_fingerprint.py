from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from asyncflow.ipc.fingerprint import fingerprint, main_path


def _names(folder: Path) -> list[str]:
    return [str(folder / name) for name in ("helper.py", "conf", "gone.yaml")]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "helper.py").write_text("x = 2"),
        lambda folder: (folder / "helper.py").unlink(),
        lambda folder: (folder / "conf" / "b.yaml").touch(),
        lambda folder: (folder / "gone.yaml").touch(),
    ],
    ids=["content", "deleted", "listing", "appeared"],
)
def test_every_change_of_what_was_read_changes_it(tmp_path: Path, change: Callable[[Path], object]) -> None:
    (tmp_path / "helper.py").write_text("x = 1")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.yaml").touch()
    before = fingerprint(str(tmp_path), b"main", _names(tmp_path))
    assert fingerprint(str(tmp_path), b"main", _names(tmp_path)) == before
    change(tmp_path)
    assert fingerprint(str(tmp_path), b"main", _names(tmp_path)) != before


def test_it_does_not_depend_on_where_the_folder_is(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text("x = 1")
    prints = {fingerprint(str(tmp_path / n), b"", [str(tmp_path / n / "helper.py")]) for n in ("one", "two")}
    assert len(prints) == 1


def test_the_file_on_disk_of_a_zip_member_is_the_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").touch()
    assert main_path(str(tmp_path), "a.zip/b.py") == str(tmp_path / "a.zip")
    assert main_path(str(tmp_path), "sub/b.py") == str(tmp_path / "sub/b.py")
