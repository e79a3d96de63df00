"""Brings what the zygote and hosts print on stderr into the server's log, line by line, with the name of each."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.to_thread

from asyncflow.core.secrecy import MASK
from asyncflow.engine.hiding import secrets_pattern
from asyncflow.ipc import stderr
from asyncflow.store.database import Store

#: the lines are logged under this name
log = logging.getLogger("asyncflow.stderr")

#: seconds between two looks
PERIOD = 1.0
#: bytes and lines of one process that one look takes over: the last
_BYTES, _LINES = 32_000, 200
#: seconds that a line may take to be written to its end, and that a file is left alone after it was made
_UNFINISHED, _NEW = 1.0, 10.0


class Said(NamedTuple):
    """What a process has printed."""

    source: str
    lines: list[str]
    left_out: int  #: bytes before them


class ChildLog:
    """Reads the files in a folder (see `ipc.stderr`), and empties them."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await anyio.sleep(PERIOD)

    async def look(self, *, last: bool = False) -> None:
        """Log what is new. `last`: lines that are not finished, too."""
        try:
            found = await anyio.to_thread.run_sync(_read_all, self._folder, last)
            pattern = await secrets_pattern(self._store) if found else None
        except Exception:  # a disk that is full, a database that is busy: another time
            log.exception("What the processes of tasks have printed cannot be read")
            return
        for said in found:
            if said.left_out:
                log.warning("%s: … %s bytes …", said.source, f"{said.left_out:,}")
            for line in said.lines:
                log.warning("%s: %s", said.source, line if pattern is None else pattern.sub(MASK, line))


def _read_all(folder: Path, last: bool) -> list[Said]:
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            said = _read(path, last)
            if said is not None:
                found.append(said)
    return found


def _read(path: Path, last: bool) -> Said | None:
    """Take over what a file has in it; remove it when its process is gone."""
    with path.open("rb+", buffering=0) as file:
        found = os.fstat(file.fileno())
        age = time.time() - found.st_mtime
        if not found.st_size:
            if age > _NEW and stderr.is_free(file.fileno()):
                path.unlink()
            return None
        start = max(0, found.st_size - _BYTES)
        data = os.pread(file.fileno(), _BYTES + stderr.MOST, start)
        if not data.endswith(b"\n") and age < _UNFINISHED and not last:
            return None
        if os.fstat(file.fileno()).st_size == start + len(data):
            os.ftruncate(file.fileno(), 0)  # what is written now begins it anew
        else:
            return None  # it is being written: the next look takes it all
    lines = data.decode("utf-8", "replace").splitlines()
    kept = lines[-_LINES:]
    left_out = start + sum(len(line) + 1 for line in lines[:-_LINES])
    return Said(stderr.source_of(path.name), [line.rstrip() for line in kept if line.strip()], left_out)
