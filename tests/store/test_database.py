"""Opening, migrating, checking, copying; what happens when the process or the file is broken."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from asyncflow.core.commands import SaveRun
from asyncflow.errors import DiskTrouble, StoreBroken
from asyncflow.store import migrate, sqlite
from asyncflow.store.database import Store
from tests.store.builders import a_run, with_run

pytestmark = pytest.mark.anyio

#: Commits a run at a time and says so, for ever.
WRITER = """
import asyncio, sys
from pathlib import Path
from asyncflow.core.commands import Journal, SaveRun, SaveTask
from asyncflow.store.database import Store
from tests.store.builders import NOW, a_run, a_spec, a_ti, parsed

async def main():
    store = await Store.open(Path(sys.argv[1]))
    await store.save_dags("d.py", [(a_spec(), "v1")], parsed=parsed(), now=NOW)
    for n in range(1_000_000):
        run = a_run(f"r{n}")
        line = Journal(at=NOW, event="run.created", dag_id="d", run_id=run.run_id)
        tasks = [SaveTask(ti=a_ti(f"t{i}", run_id=run.run_id)) for i in range(20)]
        print(await store.commit([SaveRun(run=run), *tasks, line]), flush=True)

asyncio.run(main())
"""


async def test_a_fresh_database_and_its_home_are_private(store: Store, path: Path) -> None:
    assert _permissions(path.parent) == 0o700
    assert _permissions(path) == 0o600
    assert await store.check() == []


@pytest.mark.parametrize(("durability", "level"), [("normal", 1), ("full", 2)])
async def test_durability_is_how_hard_a_commit_is_pressed_to_disk(path: Path, durability: str, level: int) -> None:
    async with await Store.open(path, durability=durability) as store:
        assert await store._write(lambda batch: batch.db.execute("PRAGMA synchronous").fetchone()) == (level,)
        assert await store._write(lambda batch: batch.db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)


async def test_closing_twice_is_closing_once(store: Store) -> None:
    await store.close()
    await store.close()


async def test_more_readers_than_connections_take_turns(store: Store) -> None:
    await with_run(store, "a")
    found = []

    async def look() -> None:
        found.append(await store.load_run("d", "r"))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(look)
    assert len(found) == 20
    assert None not in found


async def test_a_cancelled_commit_is_finished_first(store: Store) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.commit([SaveRun(run=a_run())])
    assert await store.load_run("d", "r") is not None


async def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(DiskTrouble, match="read-only"):
        await store._read(lambda db: db.execute("DELETE FROM dag"))


@pytest.mark.parametrize("start", range(len(migrate.migrations())))
async def test_an_older_database_ends_with_the_schema_of_a_fresh_one(tmp_path: Path, start: int) -> None:
    old, fresh = tmp_path / "old.db", tmp_path / "fresh.db"
    with closing(sqlite3.connect(old, isolation_level=None)) as db:
        migrate.migrate(db, old, upto=start)
    for file in (old, fresh):
        await (await Store.open(file)).close()
    assert _schema(old) == _schema(fresh)
    assert any(name.startswith("old.db.before-") for name in os.listdir(tmp_path)) == (start > 0)


async def test_an_upgrade_leaves_a_copy_of_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    await (await Store.open(path)).close()
    before = migrate.migrations()
    last = before[-1][0]
    monkeypatch.setattr(migrate, "migrations", lambda: [*before, (last + 1, "CREATE TABLE later (x INTEGER) STRICT;")])
    async with await Store.open(path) as store:
        assert await store.check() == []
    assert "later" in _schema(path)
    assert "later" not in _schema(tmp_path / f"a.db.before-{last + 1:03d}")


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    await (await Store.open(path)).close()
    before = migrate.migrations()
    bad = (before[-1][0] + 1, "CREATE TABLE half (x INTEGER) STRICT; CREATE TABLE dag (x);")
    monkeypatch.setattr(migrate, "migrations", lambda: [*before, bad])
    with pytest.raises(StoreBroken, match="already exists"):
        await Store.open(path)
    assert "half" not in _schema(path)


async def test_a_database_of_a_newer_version_is_left_alone(path: Path, store: Store) -> None:
    await store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 999")
    with pytest.raises(StoreBroken, match="written by a newer asyncflow \\(schema 999"):
        await Store.open(path)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"nonsense " * 1000)
    with pytest.raises(StoreBroken, match=r"a\.db is damaged"):
        await Store.open(path)


async def test_a_home_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(DiskTrouble, match="The directory of "):
        await Store.open(tmp_path / "home" / "a.db")


async def test_no_thread_is_left_when_opening_fails_or_is_cancelled(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with pytest.raises(DiskTrouble, match="cannot be opened"):
        await Store.open(tmp_path)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await (await Store.open(tmp_path / "a.db")).close()
    left = [thread for thread in set(threading.enumerate()) - before if "AnyIO" not in thread.name]
    for thread in left:
        thread.join(3)
    assert not [thread for thread in left if thread.is_alive()]


async def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(StoreBroken, match="needs SQLite"):
        await Store.open(path)


async def test_check_finds_what_is_wrong(store: Store, path: Path) -> None:
    await with_run(store, "a")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE run_count SET n = 5")
        db.execute("UPDATE task_instance SET run = 77")
    found = await store.check()
    assert "A row of task_instance (row None) refers to a row of dag_run that does not exist." in found
    assert "DAG 'd' has 1 runs in state running, its counter says 5." in found


async def test_a_backup_is_a_whole_database(store: Store, tmp_path: Path) -> None:
    run = await with_run(store, "a")
    target = tmp_path / "copy.db"
    await store.backup(target)
    assert _permissions(target) == 0o600
    async with await Store.open(target) as other:
        assert [found.run_id for found in await other.find_runs("d")] == [run.run_id]
        assert await other.check() == []


@pytest.mark.slow
@pytest.mark.parametrize("commits", [1, 17, 60])
def test_a_writer_that_is_killed_leaves_a_good_file_with_all_it_reported(path: Path, commits: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        reported = [int(writer.stdout.readline()) for _ in range(commits)]
        writer.kill()
        reported += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert writer.returncode == -9

    async def look() -> None:
        async with await Store.open(path) as store:
            assert await store.check() == []
            active = await store.load_active_runs()
            assert len(active) >= reported[-1]
            assert {len(tis) for _, tis in active} == {20}
            assert len(await store.journal(limit=-1)) == len(active)

    anyio.run(look)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_really_full_disk_harms_nothing_that_was_written() -> None:
    # Not under tmp_path: pytest must not come to delete a mounted directory.
    with tempfile.TemporaryDirectory() as mount:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], check=False).returncode:
            pytest.skip("this machine may not mount a tmpfs")
        try:
            anyio.run(_fill, Path(mount) / "a.db")
        finally:
            subprocess.run(["umount", "--lazy", mount], check=True)


async def _fill(path: Path) -> None:
    async with await Store.open(path) as store:
        with pytest.raises(DiskTrouble, match="the disk is full; free some space"):
            await _write_up_to(store, 5000)
        written = int(await store.meta_get("count") or 0)
        assert 0 < written < 5000
        assert await store.meta_get(str(written)) == "x" * 500
        assert await store.check() == []


async def _write_up_to(store: Store, count: int) -> None:
    for n in range(count):
        await store.meta_set(str(n), "x" * 500)
        await store.meta_set("count", str(n))


def _permissions(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _schema(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
