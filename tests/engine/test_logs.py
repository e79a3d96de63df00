"""Windows of log files, by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncflow.engine.logs import LONGEST_LINE, find, size, window

LINES = "".join(f"line {n:03}\n" for n in range(100))  # nine bytes each


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.log"
    file.write_text(LINES)
    return file


@pytest.mark.parametrize(
    ("at", "limit", "first", "last", "start"),
    [
        (None, 30, "line 097", "line 099", 873),
        (None, 10_000, "line 000", "line 099", 0),
        (0, 30, "line 000", "line 002", 0),
        (95, 30, "line 010", "line 012", 90),
        (90, 30, "line 010", "line 012", 90),
        (899, 30, "line 099", "line 099", 891),
    ],
)
def test_a_window_is_of_whole_lines(path: Path, at: int | None, limit: int, first: str, last: str, start: int) -> None:
    part = window(path, at, limit)
    lines = part.data.decode().splitlines()
    assert (lines[0], lines[-1], part.start, part.size) == (first, last, start, 900)


def test_windows_follow_each_other_without_gap(path: Path) -> None:
    text, at = b"", 0
    while at < size(path):
        part = window(path, at, 40)
        assert part.start == at
        text, at = text + part.data, part.end
    assert text.decode() == LINES


def test_a_line_that_is_being_written_waits(path: Path) -> None:
    with path.open("a") as file:
        file.write("half")
    assert window(path, 891, 1000, partial=False).data == b"line 099\n"
    assert window(path, 891, 1000).data == b"line 099\nhalf"
    assert window(path, 900, 1000, partial=False).data == b""
    assert window(path, 900, 1000).data == b"half"


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "b.log"
    file.write_bytes(b"x" * 3 * LONGEST_LINE)
    part = window(file, LONGEST_LINE + 5, 1000)
    assert (part.start, len(part.data)) == (LONGEST_LINE + 5, 1000)
    assert len(window(file, None, 1000).data) == 1000


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert window(tmp_path / "none", None, 10) == (b"", 0, 0)
    assert find(tmp_path / "none", "x", 0) is None
    assert size(tmp_path / "none") == 0


@pytest.mark.parametrize(
    ("text", "at", "found"), [("LINE 05", 0, 450), ("line 05", 451, 459), ("line 050", 451, None), ("", 0, 0)]
)
def test_the_first_line_with_a_text_is_found(path: Path, text: str, at: int, found: int | None) -> None:
    assert find(path, text, at) == found


def test_a_text_is_found_across_the_parts_that_are_read(tmp_path: Path) -> None:
    file = tmp_path / "c.log"
    file.write_bytes((b"x" * 99 + b"\n") * 79_999 + b"y" * 96 + b"needle\n")
    assert find(file, "needle", 0) == 7_999_900
