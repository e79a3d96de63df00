"""Windows of log files, by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncflow.engine import logs
from asyncflow.engine.logs import LONGEST_LINE, find, find_back, sieve, size, window

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


def test_lines_longer_than_a_window_come_in_parts(tmp_path: Path) -> None:
    file = tmp_path / "b.log"
    text = b"a\n" + b"x" * 3 * LONGEST_LINE + b"\nend\nhal"
    file.write_bytes(text)
    found, at = b"", 0
    while (part := window(file, at, LONGEST_LINE, partial=False)).data:
        assert part.start == at
        found, at = found + part.data, part.end
    assert found == text[:-3]


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert window(tmp_path / "none", None, 10) == (b"", 0, 0)
    assert find(tmp_path / "none", "x", 0).at is None
    assert find_back(tmp_path / "none", "x", 9).at is None
    assert sieve(tmp_path / "none", None, "error", 10).pieces == []
    assert size(tmp_path / "none") == 0


@pytest.mark.parametrize(
    ("text", "at", "found"), [("LINE 05", 0, 450), ("line 05", 451, 459), ("line 050", 451, None), ("", 0, 0)]
)
def test_the_first_line_with_a_text_is_found(path: Path, text: str, at: int, found: int | None) -> None:
    assert find(path, text, at).at == found


def test_a_text_is_found_across_the_parts_that_are_read(tmp_path: Path) -> None:
    file = tmp_path / "c.log"
    file.write_bytes((b"x" * 99 + b"\n") * 79_999 + b"y" * 96 + b"needle\n")
    assert find(file, "needle", 0).at == 7_999_900
    assert find_back(file, "needle", 10**9).at == 7_999_900


@pytest.mark.parametrize(
    ("text", "at", "found"), [("line 05", 900, 531), ("line 05", 531, 522), ("LINE 050", 450, None)]
)
def test_the_last_line_with_a_text_before_a_place_is_found(path: Path, text: str, at: int, found: int | None) -> None:
    assert find_back(path, text, at).at == found


def test_a_text_is_found_backwards_across_the_parts_that_are_read(tmp_path: Path) -> None:
    file = tmp_path / "c.log"
    file.write_bytes(b"a\n" + b"x" * 50 + b"needle" + b"y" * 999_996 + b"\n")
    assert find_back(file, "NEEDLE", 10**9).at == 2


@pytest.mark.parametrize("text", ["\u00e9t\u00c9", "\uc2e4\ud328"])
def test_letters_beyond_ascii_are_found(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.log"
    file.write_text(f"a\n{text.upper()}\n{text.lower()}\n")
    assert find(file, text, 0).at == 2


def test_searches_stop_when_they_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_BITE", 100)
    file = tmp_path / "c.log"
    file.write_text("x\n" * 1000)
    assert find(file, "y", 0, stop=lambda: True) == (None, 100)
    assert find_back(file, "y", 2000, stop=lambda: True) == (None, 1900)
    found = sieve(file, None, "error", 10, stop=lambda: True)
    assert (found.start, found.end, found.cut) == (1900, 2000, True)
    found = sieve(file, 0, "error", 10, stop=lambda: True)
    assert (found.start, found.end, found.cut) == (0, 100, True)


HEAD = "[2026-01-01T00:00:00.000+0000] {a.py:1} "


@pytest.mark.parametrize("bite", [60, 100, 1_000_000])
@pytest.mark.parametrize("at", [0, None])
def test_lines_of_a_level_bring_what_belongs_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int | None, bite: int
) -> None:
    monkeypatch.setattr(logs, "_BITE", bite)
    monkeypatch.setattr(logs, "LONGEST_LINE", min(bite, 55))
    file = tmp_path / "c.log"
    error = f"{HEAD}ERROR - no\n"
    text = f"top\n{HEAD}INFO - says ERROR - but is none\n more\n{error}Trace\n{error}{HEAD}WARNING - hm\n"
    file.write_text(text)
    found = sieve(file, at, "error", 10_000)
    assert [piece.decode() for _, piece in found.pieces] == [f"{error}Trace\n", error]
    assert [place for place, _ in found.pieces] == [text.index(error), text.rindex(error)]
    assert len(sieve(file, at, "warning", 10_000).pieces) == 3


def test_enough_lines_of_a_level_are_enough(tmp_path: Path) -> None:
    file = tmp_path / "c.log"
    file.write_text(f"{HEAD}ERROR - no\n" * 100)
    first, last = sieve(file, 0, "error", 200), sieve(file, None, "error", 200)
    assert len(first.pieces) == len(last.pieces) == 4
    assert (first.start, first.end, last.end) == (0, 4 * 51, 5100)
    assert last.start == last.pieces[0][0] == 96 * 51


def test_the_level_at_a_place_is_that_of_the_last_line_with_one(tmp_path: Path) -> None:
    file = tmp_path / "c.log"
    text = f"{HEAD}ERROR - no\nTraceback\n{HEAD}INFO - on\n"
    file.write_text(text)
    assert [logs.level_at(file, at) for at in (0, text.index("Trace"), len(text))] == ["", "error", "info"]
    file.write_text(f"{HEAD}LOUD - what\n")
    assert logs.level_at(file, 100) == ""
    assert logs.level_at(tmp_path / "none", 100) == ""
