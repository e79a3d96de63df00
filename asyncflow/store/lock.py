"""One server per home directory: an flock on `run/server.lock`, which the kernel drops when the process ends.

The file holds the pid of the owner for the error message; whether somebody owns the home is told by the lock alone, so
a file left by a crash or a reused pid means nothing.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from asyncflow.errors import HomeLocked

#: How many more times a server that finds the lock taken tries it again, 10 ms apart.
LOOKS = 5


class HomeLock:
    """Held from construction until `release` (or the end of a `with` block)."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises HomeLocked, naming the owner's pid, when another process has it; OSError."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Not inheritable: a child that lives on after the server must not hold the home with it.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(fd)
        except BlockingIOError:
            pid = os.read(fd, 32).decode("ascii", errors="replace").strip() or "unknown"
            os.close(fd)
            raise HomeLocked(
                f"Another asyncflow server (pid {pid}) owns {path.parent.parent}. "
                "Stop it first, or give this one another home directory with --home."
            ) from None
        except BaseException:
            os.close(fd)
            raise
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        self._fd: int | None = fd

    def release(self) -> None:
        """Let go; a second call does nothing. The file stays: deleting it would let two servers lock two files."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


def _lock(fd: int) -> None:
    """Take the lock, or raise BlockingIOError. A few attempts, because `owner` holds it for an instant."""
    for attempts_left in range(LOOKS, -1, -1):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not attempts_left:
                raise
            time.sleep(0.01)


def owner(path: Path) -> int | None:
    """The pid of the server that owns this home directory; None when none does (0 when it did not say yet)."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(fd, 32).strip()
        return int(text) if text.isdigit() else 0
    else:
        return None
    finally:
        os.close(fd)
