"""Parts of log files, by byte: files may have a gigabyte, so nothing here reads a whole one into memory. Blocking."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

#: bytes that are searched at a time, and the longest line that is kept whole
_CHUNK, LONGEST_LINE = 8_000_000, 64_000


class Window(NamedTuple):
    """Whole lines of a file."""

    data: bytes
    start: int  #: where they begin
    size: int  #: of the file

    @property
    def end(self) -> int:
        return self.start + len(self.data)


def window(path: Path, at: int | None, limit: int, *, partial: bool = True) -> Window:
    """Lines from the one that holds the byte `at` on, about `limit` bytes; `at` None = the end of the file.

    The first line begins before `at` unless it is longer than LONGEST_LINE. A last line without an end is left out
    unless `partial`. A file that is not there is empty.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size - limit) if at is None else min(max(0, at), size)
            back = max(0, start - LONGEST_LINE)
            file.seek(back)
            before = file.read(start - back)
            first = before.rfind(b"\n") + 1 if at is not None else len(before)
            start = back + first if first or not back else start
            file.seek(start)
            data = file.read(limit)
    except FileNotFoundError:
        return Window(b"", 0, 0)
    if at is None and start and (cut := data.find(b"\n") + 1) and cut < len(data):
        data, start = data[cut:], start + cut
    if start + len(data) < size or not partial:
        whole = data.rfind(b"\n") + 1
        data = data[:whole] if whole or not partial else data
    return Window(data, start, size)


def find(path: Path, text: str, at: int) -> int | None:
    """Where the first line that has `text`, in any case, begins at the byte `at` or later; None if there is none."""
    wanted = text.lower().encode()
    try:
        with path.open("rb") as file:
            file.seek(max(0, at - 1))
            if at:
                file.readline()  # of a line that began before
            place, rest = file.tell(), b""
            while chunk := file.read(_CHUNK):
                data = rest + chunk
                hit = data.lower().find(wanted)
                if hit >= 0:
                    return place + data.rfind(b"\n", 0, hit) + 1
                keep = max(len(data) - LONGEST_LINE, data.rfind(b"\n") + 1)  # the beginning of a line that goes on
                place, rest = place + keep, data[keep:]
    except FileNotFoundError:
        pass
    return None


def size(path: Path) -> int:
    """In bytes; 0 for a file that is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
