"""Backfills, and what was late, in the store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from asyncflow.core.commands import SaveBackfill, SaveBackfillProgress, SaveRun, SaveSlaMiss
from asyncflow.core.models import Backfill, BackfillDate, BackfillOptions
from asyncflow.core.states import BackfillState, RunState
from asyncflow.store.database import Store
from tests.store.builders import NOW, a_run

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)


def a_backfill(number: int = 1) -> Backfill:
    return Backfill(
        backfill_id=number,
        dag_id="d",
        options=BackfillOptions(start=NOW, end=NOW + DAY, conf={"k": [1]}, tasks=("a", "b"), pool="p"),
        dates=tuple(BackfillDate(NOW + n * DAY, NOW + n * DAY, NOW + (n + 1) * DAY) for n in range(2)),
        created_at=NOW,
    )


async def test_a_backfill_comes_back_as_it_went(store: Store) -> None:
    await store.commit([SaveBackfill(backfill=a_backfill())])
    assert await store.load_backfill(1) == a_backfill()
    assert await store.active_backfills() == [a_backfill()]
    assert await store.load_backfill(2) is None


async def test_its_progress_is_kept(store: Store) -> None:
    await store.commit([SaveBackfill(backfill=a_backfill(n)) for n in (1, 2)])
    end = SaveBackfillProgress(
        backfill_id=1, state=BackfillState.FAILED, position=2, ended_at=NOW + DAY, reason="a failed"
    )
    await store.commit([end])
    found = await store.load_backfill(1)
    assert found is not None
    assert (found.state, found.position, found.ended_at, found.reason) == (
        BackfillState.FAILED,
        2,
        NOW + DAY,
        "a failed",
    )
    assert [row.backfill_id for row in await store.active_backfills()] == [2]
    assert [row.backfill_id for row in await store.list_backfills("d")] == [2, 1]
    assert await store.list_backfills("other") == []
    assert await store.last_backfill() == 2


async def test_what_was_late_is_recorded_once(store: Store) -> None:
    run = a_run()
    missed = SaveSlaMiss(dag_id="d", run_id=run.run_id, task_id="a", deadline=NOW, missed_at=NOW + DAY)
    await store.commit([SaveRun(run=run), missed, missed])
    (row,) = await store.list_sla_misses("d")
    assert (row.run_id, row.task_id, row.deadline, row.missed_at) == (run.run_id, "a", NOW, NOW + DAY)
    assert await store.active_sla_misses() == [row]
    run.state, run.ended_at = RunState.SUCCESS, NOW
    await store.commit([SaveRun(run=run, expected=RunState.RUNNING)])
    assert await store.active_sla_misses() == []
    assert await store.list_sla_misses(run_id="another") == []
