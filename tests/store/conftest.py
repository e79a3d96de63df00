"""A fresh database per test, with one DAG in it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from asyncflow.store.database import Store
from asyncflow.store.migrate import migrate
from tests.store.builders import NOW, a_spec, parsed


@pytest.fixture
def anyio_backend() -> str:
    """aiosqlite runs on asyncio only."""
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "asyncflow.db"


@pytest.fixture
async def store(path: Path, anyio_backend: str) -> AsyncIterator[Store]:
    """An open store that knows the DAG "d" (paused) of the file d.py."""
    async with await Store.open(path, now=lambda: NOW) as opened:
        await opened.save_dags("d.py", [(a_spec(), "v1")], parsed=parsed(), now=NOW)
        yield opened


@pytest.fixture(scope="module")
def schema() -> Iterator[sqlite3.Connection]:
    """An empty database in memory with the newest schema."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db, Path(":memory:"))
        yield db
