"""Looking for a file on this machine, for whoever waits for it in place of a FileSensor."""

from __future__ import annotations

import os
from glob import iglob


def first_match(pattern: str, *, recursive: bool) -> str | None:
    """The first file that matches, or folder with a file anywhere in it: what ends a FileSensor. May block for long."""
    for path in iglob(pattern, recursive=recursive):
        if os.path.isfile(path) or any(files for _, _, files in os.walk(path)):
            return path
    return None
