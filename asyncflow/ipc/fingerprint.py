"""One hash for a DAG file and everything its import read: equal hash, same import.

The host computes it over what it imported, the loader over what lies on disk now.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable


def main_path(dags_folder: str, file: str) -> str:
    """The file on disk that a DAG file is in: itself, or the archive of "a.zip/b.py"."""
    path = os.path.join(dags_folder, file)
    parent = os.path.dirname(path)
    return parent if os.path.isfile(parent) else path


def fingerprint(dags_folder: str, main: bytes, reads: Iterable[str]) -> str:
    """32 hex digits over the DAG file's bytes and the files and folder listings it read (absolute paths).

    What is missing or unreadable counts as such, so that its coming back is a change.
    """
    digest = hashlib.sha256(main)
    for path in sorted(reads):
        digest.update(f"\0{os.path.relpath(path, dags_folder)}\0".encode(errors="surrogateescape"))
        digest.update(_content(path))
    return digest.hexdigest()[:32]


def _content(path: str) -> bytes:
    try:
        if os.path.isdir(path):
            names = sorted(name for name in os.listdir(path) if name != "__pycache__")
            return "\n".join(names).encode(errors="surrogateescape")
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).digest()
    except OSError as error:
        return f"errno {error.errno}".encode()
