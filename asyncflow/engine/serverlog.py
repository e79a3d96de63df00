"""The server's own log in a file of bounded size, and its records for the page that shows it.

`server.log` in the home directory, and `server.log.1` to `.4` before it, 4 MiB each. A line is
`[time] {logger:line} LEVEL - text`, as in the logs of tasks; lines without such a head belong to the one before. A
thread of its own writes it, so that a slow disk does not hold up the server.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

#: bytes of a part, and how many older parts are kept
SIZE, OLDER = 4 * 1024 * 1024, 4
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
        try:
            data = self.part(number).read_bytes()
        except OSError:
            data = b""
        data = data[: data.rfind(b"\n") + 1]
        start = after if after is not None and after <= len(data) else 0  # a new part has been begun since
        lowest, wanted = LEVELS.index(least) if least in LEVELS else 0, find.casefold()
        records = [
            record
            for record in _records(data, start, len(data) if before is None else before, lowest)
            if not wanted or wanted in record.text.casefold() or wanted in record.logger.casefold()
        ]
        shown = records[:limit] if after is not None else records[-limit:]
        cut = after is not None and len(records) > limit
        return Excerpt(shown, records[limit].at if cut else len(data), len(data), len(records) > limit and not cut)


def _records(data: bytes, start: int, before: int, lowest: int) -> Iterator[Record]:
    """Those that begin in [start, before)."""
    heads = list(_HEAD.finditer(data, start))
    if heads and heads[0].start() > start == 0:
        yield Record(0, "", "", "info", data[: heads[0].start()].decode("utf-8", "replace").rstrip())
    for number, head in enumerate(heads):
        if head.start() >= before:
            return
        level = head[3].decode().lower()
        if level in LEVELS and LEVELS.index(level) < lowest:
            continue
        end = heads[number + 1].start() if number + 1 < len(heads) else len(data)
        text = data[head.end() : end].decode("utf-8", "replace").rstrip()
        yield Record(head.start(), head[1].decode(), head[2].decode("utf-8", "replace"), level, text)


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
