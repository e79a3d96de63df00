"""Results that could not be told to a server: one file per try, written atomically, read by the next server.

Written by DAG hosts and, when their host is gone, by task processes; removed once the server has committed them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from asyncflow.core.messages import HEADER, TryFinished, decode, encode

_TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def write(folder: Path | str, message: TryFinished) -> None:
    """Keep a result safe from a crash and a power loss. Raises OSError (disk full, ...)."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = _path(folder, message.token)
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(encode(message))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(folder)


def read(folder: Path | str) -> list[TryFinished]:
    """All results waiting, oldest first; a damaged file is set aside as `*.damaged` and left out."""
    found: list[tuple[float, TryFinished]] = []
    for path in Path(folder).glob("*.try"):
        try:
            message = decode(path.read_bytes()[HEADER.size :])
            written = path.stat().st_mtime
        except FileNotFoundError:
            continue
        except msgspec.DecodeError:
            path.replace(path.with_suffix(".damaged"))
            continue
        if isinstance(message, TryFinished):
            found.append((written, message))
    return [message for _, message in sorted(found, key=lambda pair: pair[0])]


def remove(folder: Path | str, token: str) -> None:
    """Forget a result that is committed; no error if there is none."""
    _path(Path(folder), token).unlink(missing_ok=True)


def _path(folder: Path, token: str) -> Path:
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"{token!r} is not a try token")
    return folder / f"{token}.try"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
