"""The server's own log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncflow.engine import serverlog
from asyncflow.engine.serverlog import Record, ServerLog

log = logging.getLogger("asyncflow.some.part")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[ServerLog]:
    """A log that is written while the root logger takes everything."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    yield ServerLog(tmp_path / "server.log")
    root.setLevel(before)


def texts(kept: ServerLog, **asked: object) -> list[str]:
    return [record.text for record in kept.read(**asked).records]  # type: ignore[arg-type]


def test_what_is_logged_is_kept_and_read_back(kept: ServerLog) -> None:
    with kept.written():
        log.info("one %s", "and a half")
        log.error("two\nwith a second line")
    log.info("after")
    found = kept.read()
    assert [(record.level, record.text) for record in found.records] == [
        ("info", "one and a half"),
        ("error", "two\nwith a second line"),
    ]
    assert found.records[0].logger.startswith("asyncflow.some.part:")
    assert found.end == found.size == kept.path.stat().st_size
    assert not found.has_older
    assert kept.path.stat().st_mode & 0o777 == 0o600


def test_a_traceback_belongs_to_its_record(kept: ServerLog) -> None:
    with kept.written():
        try:
            raise ValueError("no")
        except ValueError:
            log.exception("It broke")
    (record,) = kept.read().records
    assert record.text.startswith("It broke\nTraceback")
    assert record.text.endswith("ValueError: no")


def test_by_level_and_by_text(kept: ServerLog) -> None:
    with kept.written():
        log.debug("a Cat")
        log.warning("a dog")
        log.critical("cats")
    assert texts(kept, least="warning") == ["a dog", "cats"]
    assert texts(kept, find="CAT") == ["a Cat", "cats"]
    assert texts(kept, least="info", find="cat") == ["cats"]
    assert texts(kept, find="some.part") == ["a Cat", "a dog", "cats"]
    assert texts(kept, least="odd") == ["a Cat", "a dog", "cats"]


def test_older_ones_and_new_ones(kept: ServerLog) -> None:
    with kept.written():
        for number in range(5):
            log.info("%d", number)
    last = kept.read(limit=2)
    assert [record.text for record in last.records] == ["3", "4"]
    assert last.has_older
    assert texts(kept, limit=2, before=last.records[0].at) == ["1", "2"]
    first = kept.read(after=0, limit=3)
    assert [record.text for record in first.records] == ["0", "1", "2"]
    assert texts(kept, after=first.end) == ["3", "4"]
    assert texts(kept, after=last.end) == []


def test_the_end_of_a_long_part_is_read_without_the_rest(kept: ServerLog, monkeypatch: pytest.MonkeyPatch) -> None:
    with kept.written():
        for number in range(100):
            log.info("%d", number)
    whole = kept.read(limit=5)
    monkeypatch.setattr(serverlog, "_NEAR", 700)
    assert kept.read(limit=5) == whole
    assert texts(kept, limit=50) == [str(number) for number in range(50, 100)]
    assert texts(kept, limit=5, before=whole.records[0].at) == ["90", "91", "92", "93", "94"]
    assert not kept.read(limit=100).has_older


def test_the_rest_of_a_record_that_was_read_while_it_was_written_is_shown(kept: ServerLog) -> None:
    kept.path.write_text("[2026-01-01T00:00:00.000+0000] {a:1} ERROR - one\n")
    end = kept.read().end
    with kept.path.open("a") as file:
        file.write("of two lines\n[2026-01-01T00:00:00.000+0000] {a:1} INFO - two\n")
    assert texts(kept, after=end) == ["of two lines", "two"]


def test_a_part_that_was_begun_anew_is_read_from_its_beginning(kept: ServerLog) -> None:
    with kept.written():
        log.info("new")
    assert texts(kept, after=1_000_000) == ["new"]


def test_the_size_is_bounded(kept: ServerLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serverlog, "SIZE", 1000)
    with kept.written():
        for number in range(200):
            log.info("%d %s", number, "x" * 50)
    assert [number for number, _ in kept.parts()] == [0, 1, 2, 3, 4]
    assert all(size <= 1000 for _, size in kept.parts())
    assert texts(kept)[-1].startswith("199 ")
    assert kept.part(4).name == "server.log.4"


def test_whoever_shows_it_is_told(kept: ServerLog) -> None:
    told: list[bool] = []
    kept.when_written = lambda: told.append(True)
    with kept.written():
        log.info("one")
    assert told == [True]


def test_a_file_that_is_not_there_or_no_log(tmp_path: Path) -> None:
    kept = ServerLog(tmp_path / "server.log")
    assert kept.read() == ([], 0, 0, False)
    assert kept.parts() == []
    kept.path.write_bytes(b"something else\n[2026-01-01T00:00:00.000+0000] {a:1} INFO - ok \xff\nunfinished")
    assert kept.read().records == [
        Record(0, "", "", "info", "something else"),
        Record(15, "2026-01-01T00:00:00.000+0000", "a:1", "info", "ok \ufffd"),
    ]


def test_a_disk_that_takes_nothing_stops_nobody(kept: ServerLog, monkeypatch: pytest.MonkeyPatch) -> None:
    with kept.written():
        monkeypatch.setattr(serverlog._File, "shouldRollover", _full)
        log.info("lost")
        log.info("lost, too")
    assert texts(kept) == []


def _full(*_: object) -> bool:
    raise OSError(28, "No space left on device")
