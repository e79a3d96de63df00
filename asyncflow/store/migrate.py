"""Brings a database to the newest schema: `migrations/NNN_*.sql` in order, numbered by `PRAGMA user_version`.

Migrations only add; a released one is never edited. Before an existing database is changed, a copy is put beside it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from asyncflow.errors import StoreBroken


def migrations() -> list[tuple[int, str]]:
    """(number, SQL) of every migration, ascending from 1 without a gap."""
    entries = sorted(files("asyncflow.store").joinpath("migrations").iterdir(), key=lambda e: e.name)
    found = [(int(e.name[:3]), e.read_text()) for e in entries if e.name.endswith(".sql")]
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return found


def schema_version(db: sqlite3.Connection) -> int:
    """Number of the last migration applied, 0 for an empty file."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def migrate(db: sqlite3.Connection, path: Path, *, upto: int | None = None) -> int:
    """Apply what is missing, each migration in its own transaction; returns how many were applied.

    Raises StoreBroken when the file was written by a newer asyncflow. `upto` stops early (tests).
    """
    steps = migrations()
    current, last = schema_version(db), steps[-1][0] if upto is None else upto
    if current > steps[-1][0]:
        raise StoreBroken(
            f"The database {path} was written by a newer asyncflow (schema {current}, this one knows {steps[-1][0]}). "
            "Install that version again, or put back the copy that was made before the upgrade."
        )
    pending = [(number, sql) for number, sql in steps if current < number <= last]
    if pending and current > 0:
        copy(db, path.with_name(f"{path.name}.before-{pending[-1][0]:03d}"))
    for number, sql in pending:
        try:
            db.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    return len(pending)


def copy(db: sqlite3.Connection, target: Path) -> None:
    """A consistent copy of an open database, readable by the owner only, put in place in one step."""
    partial = target.with_name(f"{target.name}.part")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    with closing(sqlite3.connect(partial)) as other:
        db.backup(other)
    partial.replace(target)
