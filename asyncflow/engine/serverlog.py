"""The server's own log in a file of bounded size, and its records for the page that shows it.

`server.log` in the home directory, and `server.log.1` to `.4` before it, 4 MiB each. A line is
`[time] {logger:line} LEVEL - text`, as in the logs of tasks; lines without such a head belong to the one before. A
thread of its own writes it, so that a slow disk does not hold up the server.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: bytes of a part, and how many older parts are kept
SIZE, OLDER = 4 * 1024 * 1024, 4
#: bytes at the end of a part that hold as many records as are shown, as a rule
_NEAR = 256 * 1024
LEVELS = ("debug", "info", "warning", "error", "critical")

_HEAD = re.compile(rb"^\[(\d{4}-\d\d-\d\dT[\d:.]+\+0000)\] \{([^}\n]*)\} ([A-Z]+) +- ", re.MULTILINE)


class Record(NamedTuple):
    """One entry of the log."""

    at: int  #: the byte of its part where it begins
    time: str  #: ISO
    logger: str
    level: str
    text: str  #: may have many lines


class Excerpt(NamedTuple):
    """Some records of a part, in their order."""

    records: list[Record]
    end: int  #: the byte where the next record will begin
    size: int  #: of the part
    has_older: bool  #: more of those asked for come before


class ServerLog:
    """The files. Without `written`, nothing is kept and what is there can be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.when_written: Callable[[], None] = lambda: None  #: called in the thread that writes

    @contextmanager
    def written(self) -> Iterator[None]:
        """Everything that is logged meanwhile is kept."""
        lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        handler = logging.handlers.QueueHandler(lines)
        file = _File(self.path, self)
        listener = logging.handlers.QueueListener(lines, file)
        listener.start()
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)
            listener.stop()
            file.close()

    def parts(self) -> list[tuple[int, int]]:
        """Number and size of each part there is; 0 is the one that is written."""
        found = []
        for number in range(OLDER + 1):
            try:
                found.append((number, self.part(number).stat().st_size))
            except OSError:
                continue
        return found

    def part(self, number: int) -> Path:
        """The file of a part."""
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path

    def read(
        self,
        number: int = 0,
        *,
        least: str = "",
        find: str = "",
        before: int | None = None,
        after: int | None = None,
        limit: int = 500,
    ) -> Excerpt:
        """The last records of a part (that begin before the byte `before`), or those from the byte `after` on.

        Only those of the level `least` or graver, and with `find` in them, in any case. Blocking.
        """
        asked = _Asked(LEVELS.index(least) if least in LEVELS else 0, find.casefold())
        try:
            with self.part(number).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if after is not None:
                    return _since(file, after if after <= size else 0, size, asked, limit)  # else: begun anew
                return _until(file, size if before is None else min(before, size), size, asked, limit)
        except OSError:
            return Excerpt([], 0, 0, False)


class _Asked(NamedTuple):
    """Which records."""

    lowest: int  #: level
    text: str

    @property
    def is_all(self) -> bool:
        return not self.lowest and not self.text


def _since(file: BinaryIO, start: int, size: int, asked: _Asked, limit: int) -> Excerpt:
    """The first records from a byte on."""
    data = _bytes(file, start, size)
    records = list(_records(data, start, asked, headless=True))  # a long record may still have been written
    cut = len(records) > limit
    return Excerpt(records[:limit], records[limit].at if cut else start + len(data), size, False)


def _until(file: BinaryIO, end: int, size: int, asked: _Asked, limit: int) -> Excerpt:
    """The last records before a byte; of all records, only the end of the part is read for it."""
    start = max(0, end - _NEAR) if asked.is_all else 0
    data = _bytes(file, start, end)
    records = list(_records(data, start, asked, headless=not start))
    if start and len(records) < limit:
        start, data = 0, _bytes(file, 0, end)
        records = list(_records(data, 0, asked, headless=True))
    return Excerpt(records[-limit:], start + len(data), size, bool(start) or len(records) > limit)


def _bytes(file: BinaryIO, start: int, end: int) -> bytes:
    """Whole lines."""
    file.seek(start)
    data = file.read(end - start)
    return data[: data.rfind(b"\n") + 1]


def _records(data: bytes, start: int, asked: _Asked, *, headless: bool) -> Iterator[Record]:
    """Those that are asked for, of bytes that begin at `start`; `headless`: also what stands before the first head."""
    heads = list(_HEAD.finditer(data))
    if headless and data and (not heads or heads[0].start()):
        text = data[: heads[0].start() if heads else None].decode("utf-8", "replace").rstrip()
        if LEVELS.index("info") >= asked.lowest and asked.text in text.casefold():
            yield Record(start, "", "", "info", text)
    for number, head in enumerate(heads):
        level = head[3].decode().lower()
        if level in LEVELS and LEVELS.index(level) < asked.lowest:
            continue
        end = heads[number + 1].start() if number + 1 < len(heads) else len(data)
        text, logger = data[head.end() : end].decode("utf-8", "replace").rstrip(), head[2].decode("utf-8", "replace")
        if asked.text in text.casefold() or asked.text in logger.casefold():
            yield Record(start + head.start(), head[1].decode(), logger, level, text)


class _File(logging.handlers.RotatingFileHandler):
    """Writes the parts, and says so."""

    def __init__(self, path: Path, owner: ServerLog) -> None:
        path.touch(mode=0o600)
        super().__init__(path, maxBytes=SIZE, backupCount=OLDER, encoding="utf-8", errors="backslashreplace")
        self.setFormatter(_Lines("[%(asctime)s] {%(name)s:%(lineno)d} %(levelname)s - %(message)s"))
        self._owner = owner

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        self._owner.when_written()

    def handleError(self, record: logging.LogRecord) -> None:
        """On a full disk the line is missing here; it is on stderr all the same."""


class _Lines(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        when = datetime.fromtimestamp(record.created, UTC)
        return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}+0000"
