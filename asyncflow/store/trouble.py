"""What SQLite and the file system say when something is wrong, as sentences."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from asyncflow.errors import AsyncflowError, DiskTrouble, InvalidInput, StoreBroken

_DISK = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "it is read-only; check the permissions of the file and its directory",
    sqlite3.SQLITE_IOERR: "the disk reports an input/output error; check the disk",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its directory exists and may be written",
    sqlite3.SQLITE_BUSY: "another program holds it locked; close that program",
}
_FULL = {errno.ENOSPC: "the disk is full; free some space", errno.EDQUOT: "the disk quota is used up; free some space"}


def explain(error: Exception, path: Path) -> Exception:
    """The error to raise in place of one that sqlite3 or the file system gave; a stranger stays as it is."""
    if isinstance(error, AsyncflowError):
        return error
    if isinstance(error, sqlite3.Error):
        # Errors raised by the sqlite3 module itself (not by SQLite) carry no code.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DISK:
            return DiskTrouble(f"The database {path}: {_DISK[code]}. ({error})")
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return StoreBroken(f"The database {path} is damaged ({error}). Put back a backup, or move the file away.")
        return StoreBroken(f"The database {path} refused a statement: {error}.")
    if isinstance(error, OverflowError):  # SQLite's whole numbers have 64 bits
        return InvalidInput("A number is too large: there can be nothing of that number.")
    if isinstance(error, OSError):
        return DiskTrouble(f"The directory of {path}: {_FULL.get(error.errno or 0, str(error))}.")
    return error
