"""Long XCom values, one file each, beside the database.

A file is written before the row that names it is committed, and deleted after the row's end is committed: a crash
between the two leaves a file without a row, which `sweep` removes at the next start, never a row without a file.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from asyncflow.errors import StoreBroken

#: Characters of JSON text beyond which a value goes to a file.
SPILL_ABOVE = 256 * 1024


class SpillFiles:
    """The files of the xcom directory; names are random, in 256 folders."""

    def __init__(self, folder: Path, *, sync: bool) -> None:
        self._folder = folder
        self._sync = sync

    def write(self, text: str) -> str:
        """Store a value under a new name. Raises OSError (disk full, ...)."""
        name = secrets.token_hex(16)
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
                if self._sync:
                    file.flush()
                    os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return name

    def read(self, name: str) -> str:
        """The value. Raises StoreBroken when somebody deleted the file."""
        try:
            return self._path(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise StoreBroken(f"A long XCom value is gone: its file {self._path(name)} was deleted.") from None

    def head(self, name: str, most: int) -> tuple[str, int]:
        """The first `most` characters of a value, and its size in bytes. Raises StoreBroken as `read`."""
        path = self._path(name)
        try:
            with path.open(encoding="utf-8") as file:
                return file.read(most), path.stat().st_size
        except FileNotFoundError:
            raise StoreBroken(f"A long XCom value is gone: its file {path} was deleted.") from None

    def exists(self, name: str) -> bool:
        return self._path(name).is_file()

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; those that are gone already do not matter."""
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def sweep(self, keep: set[str]) -> int:
        """Delete every file that no row names; returns how many."""
        lost = [path for path in self._folder.glob("??/*") if path.name not in keep]
        for path in lost:
            path.unlink()
        return len(lost)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name
