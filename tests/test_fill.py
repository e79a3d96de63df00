"""The database that pages are measured on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import anyio

from asyncflow.store.database import Store
from benchmarks.fill import Size, fill

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_filled_database_is_sound_and_has_what_was_asked_for(tmp_path: Path) -> None:
    counts = fill(tmp_path / "home", Size(dags=8, runs=3, tasks=4, big=12), NOW)
    assert counts == {"dags": 8, "runs": 24, "task instances": 7 * 3 * 4 + 3 * 12}

    async def look() -> None:
        async with await Store.open(tmp_path / "home" / "asyncflow.db") as store:
            assert await store.check() == []
            assert len(await store.load_dags()) == 8
            active = await store.load_active_runs()
            assert [(run.dag_id, len(tis)) for run, tis in active] == [("big", 12)]

    anyio.run(look)
