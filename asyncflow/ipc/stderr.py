"""What the zygote and hosts print on stderr, where no log of a task is theirs: a file for each, which the server reads.

No pipe: hosts outlive the server, and one that writes to a pipe that nobody empties is blocked, or killed. Writing to
the file never waits; the server empties it, and while there is none the process cuts it off by itself (`keep_small`).
The file is locked as long as somebody has it open: the server removes it when nobody has.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from urllib.parse import quote, unquote

#: bytes of a file beyond which it is begun anew
MOST = 256 * 1024
_SUFFIX = ".stderr"
#: characters of a name that are kept: a path may have 255
_LONGEST = 200

_is_ours = False


def host_name(file: str, mode: str) -> str:
    """What a host is called."""
    return f"event loop of {file}" if mode == "loop" and file else "triggerer" if mode == "loop" else f"host of {file}"


def open_file(folder: str, source: str) -> int:
    """A descriptor of a new file for a process that is called `source`. Raises OSError."""
    path = os.path.join(folder, f"{quote(source, safe=' ,')[:_LONGEST]}.{secrets.token_hex(4)}{_SUFFIX}")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with suppress(OSError):  # a file system without locks: the file is removed too early, and its last words are lost
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor


def take_over(folder: str, source: str) -> None:
    """Let stderr of this process be such a file; as it was when there cannot be one."""
    global _is_ours
    if not folder:
        return
    with suppress(OSError):
        descriptor = open_file(folder, source)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        _is_ours = True


def keep_small() -> None:
    """Begin the file anew when it is too long; for when there is no server."""
    if _is_ours:
        with suppress(OSError):
            if os.fstat(2).st_size > MOST:
                os.ftruncate(2, 0)


def source_of(name: str) -> str:
    """What the process of a file is called."""
    return unquote(name.removesuffix(_SUFFIX).rpartition(".")[0])


def is_free(descriptor: int) -> bool:
    """Whether nobody else has the file of a descriptor open, for writing."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
