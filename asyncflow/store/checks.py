"""`asyncflow db check`: is the file whole, and does it keep our own rules."""

from __future__ import annotations

import sqlite3

from asyncflow.store.queries import SQL
from asyncflow.store.spill import SpillFiles


def check(db: sqlite3.Connection, spill: SpillFiles) -> list[str]:
    """A sentence for each thing that is wrong, at most about a hundred of each kind."""
    found = [f"SQLite: {text}" for (text,) in db.execute("PRAGMA integrity_check") if text != "ok"]
    for table, rowid, parent, _ in db.execute("PRAGMA foreign_key_check").fetchmany(100):
        found.append(f"A row of {table} (row {rowid}) refers to a row of {parent} that does not exist.")
    for dag_id, state, counted, n in db.execute(SQL["recount_runs"]):
        found.append(f"DAG {dag_id!r} has {counted} runs in state {state}, its counter says {n}.")
    lost = [name for (name,) in db.execute(SQL["list_spills"]) if not spill.exists(name)]
    found += [f"The file of a long XCom value is gone: {name}." for name in lost[:100]]
    return found
