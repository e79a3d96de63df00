"""Parts of log files, by byte: files may have a gigabyte, so nothing here reads a whole one into memory. Blocking.

What looks through a file takes small bites, so that other threads get their turn, and asks after each whether to stop.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: bytes that are looked through at a time, and the longest line that is kept whole
_BITE, LONGEST_LINE = 1_000_000, 64_000
#: from the lowest
LEVELS = ("debug", "info", "warning", "error", "critical")
#: Airflow's: `[2026-01-01T00:00:00.000+0000] {file.py:12} INFO - message`
_HEAD = re.compile(rb"\[\d{4}-\d\d-\d\d[T ][^\]\n]{8,32}\](?: \{[^}\n]*\} (\w+) -)?")

#: what the system says of a file that is not there, or cannot be, as its name is too long
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})

Stop = Callable[[], bool]


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise FileNotFoundError(str(path)) from None
        raise


def _never() -> bool:
    return False


class Window(NamedTuple):
    """Whole lines of a file."""

    data: bytes
    start: int  #: where they begin
    size: int  #: of the file

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class Found(NamedTuple):
    """What a search came to."""

    at: int | None  #: where the line begins; None = there is none as far as the search went
    reached: int  #: the byte up to which (backwards: down to which) was looked


class Sieve(NamedTuple):
    """The lines of a part of a file that have at least some level, each with the lines without a head after it."""

    pieces: list[tuple[int, bytes]]  #: where each begins, and its bytes
    start: int  #: the part that was looked through
    end: int
    size: int  #: of the file
    cut: bool  #: stopped before as much as was wanted was found


def window(path: Path, at: int | None, limit: int, *, partial: bool = True) -> Window:
    """Lines from the one that holds the byte `at` on, about `limit` bytes; `at` None = the end of the file.

    The first line begins before `at` unless it is longer than LONGEST_LINE. A last line that is being written is left
    out unless `partial`. A file that is not there is empty.
    """
    try:
        with _opened(path) as file:
            size = file.seek(0, 2)
            start = max(0, size - limit) if at is None else min(max(0, at), size)
            if at is not None:
                start = _line_start(file, start)
            file.seek(start)
            data = file.read(limit)
    except FileNotFoundError:
        return Window(b"", 0, 0)
    if at is None and start and (cut := data.find(b"\n") + 1) and cut < len(data):
        data, start = data[cut:], start + cut
    goes_on = start + len(data) < size
    if goes_on or not partial:
        whole = data.rfind(b"\n") + 1
        data = data[:whole] if whole or not goes_on else data  # of a line longer than the window, what there is
    return Window(data, start, size)


def _line_start(file: BinaryIO, at: int) -> int:
    """Where the line that holds a byte begins; the byte itself when that is too far away."""
    back = max(0, at - LONGEST_LINE)
    file.seek(back)
    first = file.read(at - back).rfind(b"\n") + 1
    return back + first if first or not back else at


# ---- searching ------------------------------------------------------------------------------------------------------


def find(path: Path, text: str, at: int, *, stop: Stop = _never) -> Found:
    """The first line that has `text`, in any case, and begins at the byte `at` or later."""
    wanted = _forms(text)
    try:
        with _opened(path) as file:
            file.seek(max(0, at - 1))
            if at:
                file.readline()  # of a line that began before
            place, rest = file.tell(), b""
            while bite := file.read(_BITE):
                data = rest + bite
                small = data.lower()
                hits = [hit for form in wanted if (hit := small.find(form)) >= 0]
                if hits:
                    return Found(place + data.rfind(b"\n", 0, min(hits)) + 1, place)
                keep = max(len(data) - LONGEST_LINE, data.rfind(b"\n") + 1)  # the beginning of a line that goes on
                place, rest = place + keep, data[keep:]
                if stop():
                    return Found(None, place)
            return Found(None, place + len(rest))
    except FileNotFoundError:
        return Found(None, 0)


def find_back(path: Path, text: str, at: int, *, stop: Stop = _never) -> Found:
    """The last line that has `text`, in any case, and begins before the byte `at`."""
    wanted = _forms(text)
    try:
        with _opened(path) as file:
            end, after = min(at, file.seek(0, 2)), b""
            while end > 0:
                begin = max(0, end - _BITE)
                file.seek(begin)
                data = file.read(end - begin) + after
                small = data.lower()
                hit = max(small.rfind(form) for form in wanted)
                if hit >= 0:
                    return Found(_line_start(file, begin + hit), begin)
                end, after = begin, data[: max(map(len, wanted)) - 1]
                if stop():
                    return Found(None, begin)
            return Found(None, 0)
    except FileNotFoundError:
        return Found(None, 0)


def _forms(text: str) -> tuple[bytes, ...]:
    """What is looked for in bytes whose ASCII letters are small: letters beyond ASCII may be small or capital."""
    return tuple({form.encode().lower() for form in (text.lower(), text, text.upper())})


# ---- lines of a level -----------------------------------------------------------------------------------------------


def sieve(path: Path, at: int | None, least: str, limit: int, *, stop: Stop = _never) -> Sieve:
    """Lines whose level is `least` or above, from the byte `at` on, about `limit` bytes; `at` None = the last ones."""
    names = [f" {level.upper()} -".encode() for level in LEVELS[LEVELS.index(least) :]]
    try:
        with _opened(path) as file:
            size = file.seek(0, 2)
            if at is None:
                return _last(file, size, names, limit, stop)
            begin = _line_start(file, min(max(0, at), size))
            return _from(file, begin, size, names, limit, stop)
    except FileNotFoundError:
        return Sieve([], 0, 0, 0, cut=False)


def _from(file: BinaryIO, begin: int, size: int, names: list[bytes], limit: int, stop: Stop) -> Sieve:
    pieces: list[tuple[int, bytes]] = []
    found, end = 0, begin
    while end < size:
        until = _cut(file, end, size)
        for place, data in _passing(file, end, until, names):
            pieces.append((place, data))
            found += len(data)
            if found >= limit:
                return Sieve(pieces, begin, place + len(data), size, cut=False)
        end = until
        if stop():
            break
    return Sieve(pieces, begin, end, size, cut=end < size)


def _last(file: BinaryIO, size: int, names: list[bytes], limit: int, stop: Stop) -> Sieve:
    pieces: list[tuple[int, bytes]] = []
    found, end = 0, size
    while end > 0:
        begin = _record_start(file, end - _BITE) if end > _BITE else 0
        for place, data in reversed(list(_passing(file, begin, end, names))):
            pieces.insert(0, (place, data))
            found += len(data)
            if found >= limit:
                return Sieve(pieces, place, size, size, cut=False)
        end = begin
        if stop():
            break
    return Sieve(pieces, end, size, size, cut=end > 0)


def _cut(file: BinaryIO, begin: int, size: int) -> int:
    """Where a bite that begins at a byte should end: before a line with a head, if there is one."""
    if begin + _BITE >= size:
        return size
    return max(_record_start(file, begin + _BITE), begin + _BITE - LONGEST_LINE)


def _record_start(file: BinaryIO, at: int) -> int:
    """The beginning of the last line with a head before a byte; of the last line, or the byte, if none is near."""
    back = max(0, at - LONGEST_LINE)
    file.seek(back)
    data = file.read(at - back)
    place = len(data)
    while (place := data.rfind(b"\n[", 0, place)) >= 0:
        if _HEAD.match(data, place + 1):
            return back + place + 1
    return _line_start(file, at)


def _passing(file: BinaryIO, begin: int, end: int, names: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines of a part of a file whose head has one of the names, with what belongs to them."""
    file.seek(begin)
    data = file.read(end - begin)
    place = 0
    for hit in _hits(data, names):
        first = data.rfind(b"\n", 0, hit) + 1
        if first < place or not (head := _HEAD.match(data, first)) or head.end() < hit:
            continue
        place = _next_head(data, hit)
        yield begin + first, data[first:place]


def _hits(data: bytes, names: list[bytes]) -> list[int]:
    hits = []
    for name in names:
        hit = data.find(name)
        while hit >= 0:
            hits.append(hit)
            hit = data.find(name, hit + 1)
    return sorted(hits)


def _next_head(data: bytes, at: int) -> int:
    """Where the next line that has a head of its own begins."""
    while (end := data.find(b"\n", at) + 1) and end < len(data):
        if data[end] == 0x5B and _HEAD.match(data, end):
            return end
        at = end
    return len(data)


def level_at(path: Path, at: int) -> str:
    """The level of the last line with one before a byte, not far before it; "" if there is none."""
    try:
        with _opened(path) as file:
            back = max(0, at - LONGEST_LINE)
            file.seek(back)
            heads = [head[1] for head in _HEAD.finditer(file.read(at - back)) if head[1]]
    except FileNotFoundError:
        return ""
    level = heads[-1].decode().lower() if heads else ""
    return level if level in LEVELS else ""


def size(path: Path) -> int:
    """In bytes; 0 for a file that is not there."""
    try:
        return path.stat().st_size
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        return 0
