"""One writer connection and a few readers, each with its own thread (aiosqlite).

Every call is one hop to one of these threads and one transaction there: a write is committed when it returns, a read is
one snapshot. What happens inside is plain synchronous code in the sibling modules; `database.Store` builds on this.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import aiosqlite
import anyio
import anyio.to_thread

from asyncflow.errors import StoreBroken
from asyncflow.store.migrate import migrate
from asyncflow.store.queries import SQL
from asyncflow.store.secrets import Secrets
from asyncflow.store.spill import SpillFiles
from asyncflow.store.trouble import explain
from asyncflow.store.writes import Batch

T = TypeVar("T")
P = ParamSpec("P")
Now = Callable[[], datetime]

#: STRICT tables came with this version.
OLDEST_SQLITE = (3, 37, 0)


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class Database:
    """An open database. Make it with `open`, end it with `close` (or use it as an async context manager)."""

    def __init__(
        self,
        path: Path,
        writer: aiosqlite.Connection,
        readers: list[aiosqlite.Connection],
        spill: SpillFiles,
        secrets: Secrets,
        now: Now,
    ) -> None:
        self.path = path
        self._writer = writer
        self._readers = readers
        self._idle = list(readers)
        self._turns = anyio.Semaphore(len(readers))
        self._spill = spill
        self._secrets = secrets
        self._now = now
        self._closed = False
        self.writes = 0  #: transactions that were committed
        self.named_writes = 0  #: those of them of which a note says what they are about, or that no list shows
        #: seconds that the last writes took, with their wait for those before them
        self.write_seconds: deque[float] = deque(maxlen=1000)

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        durability: str = "normal",
        readers: int = 2,
        xcom_dir: Path | None = None,
        secret_key: str | None = None,
        now: Now = _wall_clock,
    ) -> Self:
        """Open the database at `path`, making or migrating it as needed.

        `durability` is "normal" (survives a crash of the process) or "full" (also a power loss). Long XComs go to
        `xcom_dir`, default "xcom" beside the database. `secret_key` is the text of ASYNCFLOW_SECRET_KEY; without it the
        key is in "secret.key" beside the database. Raises StoreBroken or DiskTrouble.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreBroken(f"asyncflow needs SQLite 3.37 or newer; this Python comes with {sqlite3.sqlite_version}.")
        spill = SpillFiles(xcom_dir or path.parent / "xcom", sync=durability == "full")
        opened: list[aiosqlite.Connection] = []
        # Shielded: a connection whose opening is cancelled leaves a thread that keeps the process from ending.
        with anyio.CancelScope(shield=True):
            try:
                await anyio.to_thread.run_sync(_make_file, path)
                for role in range(1 + readers):
                    opened.append(await aiosqlite.connect(path, isolation_level=None, cached_statements=256))
                    await _call(opened[-1], _prepare, path, spill, durability, role == 0)
            except Exception as error:
                for connection in opened:
                    await connection.close()
                raise explain(error, path) from error
        secrets = Secrets(path.parent / "secret.key", secret_key)
        return cls(path, opened[0], opened[1:], spill, secrets, now)

    async def close(self) -> None:
        """Wait for what is under way, then close; a second call does nothing."""
        with anyio.CancelScope(shield=True):
            while self._readers:
                await self._readers.pop().close()
            if not self._closed:
                self._closed = True
                # Only a courtesy to the next start; on a full disk it fails, and WAL needs no goodbye.
                with suppress(sqlite3.Error):
                    await _call(self._writer, _tidy)
                await self._writer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def other_writes(self) -> int:
        """Transactions that may have changed anything."""
        return self.writes - self.named_writes

    async def _read(self, query: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
        async with self._reader() as connection:
            try:
                return await _call(connection, _snapshot, query, *args, **kw)
            except Exception as error:
                raise explain(error, self.path) from error

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[aiosqlite.Connection]:
        async with self._turns:
            connection = self._idle.pop()
            try:
                yield connection
            finally:
                self._idle.append(connection)

    async def _change(
        self, change: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kw: P.kwargs
    ) -> T:
        """One transaction that touches no spill files."""
        result: T = await self._write(_without_batch, change, *args, **kw)
        return result

    async def _write(self, change: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """One transaction: `change(batch, ...)`. Not cancelled half-way: whoever asked learns what became of it."""
        now, begun = self._now(), perf_counter()
        with anyio.CancelScope(shield=True):
            try:
                result = await _call(self._writer, _transaction, self._spill, now, change, *args, **kw)
                self.writes += 1
                return result
            except Exception as error:
                raise explain(error, self.path) from error
            finally:
                self.write_seconds.append(perf_counter() - begun)


async def _call(connection: aiosqlite.Connection, function: Callable[..., T], *args: Any, **kw: Any) -> T:
    """Run `function(sqlite3 connection, ...)` on the connection's thread.

    aiosqlite's public methods take one statement per hop; its own `_execute` takes any function, which makes a whole
    transaction one hop (4 to 5 times the throughput). This is the only place that relies on it.
    """
    result: T = await connection._execute(function, connection._conn, *args, **kw)  # type: ignore[no-untyped-call]
    return result


def _make_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)


def _prepare(db: sqlite3.Connection, path: Path, spill: SpillFiles, durability: str, writer: bool) -> None:
    db.execute("PRAGMA busy_timeout = 5000")
    if not writer:
        db.execute("PRAGMA query_only = ON")
        return
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
    db.execute("PRAGMA journal_size_limit = 67108864")
    db.execute("PRAGMA foreign_keys = ON")
    migrate(db, path)
    spill.sweep({name for (name,) in db.execute(SQL["list_spills"])})


def _tidy(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA optimize")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _snapshot(db: sqlite3.Connection, query: Callable[..., T], *args: Any, **kw: Any) -> T:
    db.execute("BEGIN")
    try:
        return query(db, *args, **kw)
    finally:
        db.execute("ROLLBACK")


def _transaction(
    db: sqlite3.Connection, spill: SpillFiles, now: datetime, change: Callable[..., Any], *args: Any, **kw: Any
) -> Any:
    batch = Batch(db, spill, now)
    try:
        db.execute("BEGIN IMMEDIATE")
        result = change(batch, *args, **kw)
        db.execute("COMMIT")
    except BaseException:
        # SQLite rolls back by itself when the disk is full.
        if db.in_transaction:
            db.execute("ROLLBACK")
        spill.delete(batch.spilled)
        raise
    spill.delete(batch.dropped)
    return result


def _without_batch(batch: Batch, change: Callable[..., T], *args: Any, **kw: Any) -> T:
    return change(batch.db, *args, **kw)
