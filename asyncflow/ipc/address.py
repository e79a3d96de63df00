"""Addresses of unix sockets whose path may be longer than the kernel takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: sizeof(sun_path) without the closing NUL (unix(7))
LONGEST = 107


@contextmanager
def short_address(path: Path | str) -> Iterator[str]:
    """A name for the socket at `path` that fits into a socket address, good while the context lasts.

    A long path is named through an open descriptor of its folder. Raises OSError when the folder is missing.
    """
    path = Path(path)
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
