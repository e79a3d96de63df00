"""Bounds on the import of a DAG file: time, memory, output. All of them are lifted before a task is forked.

Time: SIGALRM raises ImportTimeout in the main thread, which tells the line; a file that survives that (a hang inside
C code, a bare `except:` in a loop) is killed by the server a little later. Memory: the soft RLIMIT_AS. Output: stdout
and stderr go to a memory file that cannot grow over its limit.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from asyncflow.ipc import procfs

_TAIL = 16 * 1024


class ImportTimeout(BaseException):
    """The import took too long. Not an Exception, so that `except Exception` in a DAG file does not swallow it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ImportTimeout in this thread after `seconds`; again every second if that is swallowed."""

    def expire(_number: int, _frame: FrameType | None) -> None:
        raise ImportTimeout

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def memory_limit(megabytes: int) -> Iterator[None]:
    """At most so much more address space than is in use now; 0 = no limit."""
    if not megabytes:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = procfs.address_space() + megabytes * 1024 * 1024
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):  # the file itself lowered the hard limit
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class Output:
    """Takes over descriptors 1 and 2 of this process until `close()`."""

    def __init__(self, limit_kb: int) -> None:
        self._limit = limit_kb * 1024
        self._file = _bounded_file(self._limit)
        self._saved = [(fd, os.dup(fd)) for fd in (1, 2)]
        for fd in (1, 2):
            os.dup2(self._file, fd)

    @property
    def descriptors(self) -> set[int]:
        """Descriptors of ours: not something the import left open."""
        return {self._file, *(copy for _, copy in self._saved)}

    @property
    def is_full(self) -> bool:
        """Whether the import printed so much that a write of another 64 KiB would fail."""
        return os.lseek(self._file, 0, os.SEEK_CUR) > self._limit - 64 * 1024

    def close(self) -> str:
        """Give the descriptors back; the last 16 KiB of what was printed."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # closed, replaced or full: the file's doing
                stream.flush()
        end = os.lseek(self._file, 0, os.SEEK_CUR)
        tail = os.pread(self._file, _TAIL, max(0, end - _TAIL))
        for fd, copy in self._saved:
            os.dup2(copy, fd)
            os.close(copy)
        os.close(self._file)
        return tail[: min(end, _TAIL)].decode(errors="replace")


def _bounded_file(limit: int) -> int:
    """A memory file of exactly `limit` bytes; what stdout and stderr share is the position, so they append."""
    if not hasattr(os, "memfd_create"):  # not Linux: without a bound
        with tempfile.TemporaryFile() as plain:
            return os.dup(plain.fileno())
    file = os.memfd_create("import-output", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(file, limit)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return file
