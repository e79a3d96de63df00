"""Windows over events of datasets and over backfills."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from asyncflow.core.commands import SaveBackfill, SaveBackfillProgress, SaveDatasetEvent, SaveRun, TakeDatasetEvents
from asyncflow.core.states import BackfillState, RunState
from asyncflow.store.backfill_pages import BackfillSearch
from asyncflow.store.database import Store
from asyncflow.store.dataset_pages import EventSearch
from tests.store.builders import DAY, NOW, a_run, on_day
from tests.store.test_backfills import a_backfill

pytestmark = pytest.mark.anyio


def an_event(number: int, uri: str = "x", **fields: Any) -> SaveDatasetEvent:
    at = NOW + timedelta(minutes=number)
    return SaveDatasetEvent(event_id=number, uri=uri, at=at, span_start=at, span_end=at, **fields)


def _ids(events: list[Any]) -> list[int]:
    return [event.event_id for event in events]


async def test_events_come_newest_first_in_windows(store: Store) -> None:
    await store.commit([an_event(n, "xy"[n % 2], source_dag_id="d" if n < 4 else "") for n in range(1, 7)])
    first = await store.page_events(EventSearch(), limit=2)
    assert _ids(first) == [6, 5]
    assert _ids(await store.page_events(EventSearch(before=first[-1].at), limit=9)) == [4, 3, 2, 1]
    assert _ids(await store.page_events(EventSearch(uri="x"), limit=9)) == [6, 4, 2]
    assert _ids(await store.page_events(EventSearch(dag_id="d"), limit=9)) == [3, 2, 1]
    assert _ids(await store.page_events(EventSearch(uri="x", dag_id="d"), limit=9)) == [2]
    for search in (EventSearch(), EventSearch(uri="x"), EventSearch(dag_id="d")):
        newest = _ids(await store.page_events(search, limit=9))
        assert _ids(await store.page_events(msgspec.structs.replace(search, falling=False), limit=9)) == newest[::-1]
    assert _ids(await store.page_events(EventSearch(after=first[-1].at, falling=False), limit=9)) == [6]


async def test_runs_are_found_by_the_events_they_came_of(store: Store) -> None:
    run = a_run()
    take = TakeDatasetEvents(dag_id="d", run_id=run.run_id, uris=("x",), after=NOW, upto=NOW + DAY)
    await store.commit([SaveRun(run=run), an_event(1), an_event(2, "y"), take])
    assert await store.event_runs([1, 2]) == {1: [("d", run.run_id, "running")], 2: []}


async def test_backfills_are_listed_without_their_dates(store: Store) -> None:
    await store.commit([SaveBackfill(backfill=a_backfill(n)) for n in (1, 2, 3)])
    ended = SaveBackfillProgress(backfill_id=2, state=BackfillState.SUCCESS, position=2, ended_at=NOW)
    paused = SaveBackfillProgress(backfill_id=3, state=BackfillState.RUNNING, position=1, paused=True)
    await store.commit([ended, paused])
    rows = await store.backfill_lines(limit=2)
    assert [(row.backfill_id, row.position, row.total, row.paused) for row in rows] == [
        (3, 1, 2, True),
        (2, 2, 2, False),
    ]
    assert [row.backfill_id for row in await store.backfill_lines(limit=9, offset=2)] == [1]
    running = BackfillSearch(dag_id="d", states=["running"])
    assert [row.backfill_id for row in await store.backfill_lines(running, limit=9)] == [3, 1]
    assert await store.backfill_lines(BackfillSearch(dag_id="other"), limit=9) == []
    orders: dict[Any, list[int]] = {
        "created": [1, 2, 3],
        "dag": [1, 2, 3],
        "state": [1, 3, 2],
        "ended": [1, 3, 2],
        "who": [1, 2, 3],
    }
    for by, expected in orders.items():
        for dag_id in (None, "d"):
            rising, falling = (BackfillSearch(dag_id=dag_id, by=by, falling=it) for it in (False, True))
            assert [row.backfill_id for row in await store.backfill_lines(rising, limit=9)] == expected
            assert [row.backfill_id for row in await store.backfill_lines(falling, limit=9)] == expected[::-1]


async def test_runs_of_backfills_are_counted_by_state(store: Store) -> None:
    runs = [a_run(**on_day(day, backfill_id=7)) for day in range(3)]
    running = a_run(**on_day(3, backfill_id=7, state=RunState.RUNNING, ended_at=None))
    await store.commit([SaveRun(run=run) for run in [*runs, running, a_run(**on_day(4))]])
    assert await store.backfill_states([7, 8]) == {7: {"success": 3, "running": 1}, 8: {}}


async def test_runs_are_found_by_their_dates(store: Store) -> None:
    await store.commit([SaveRun(run=a_run(**on_day(day))) for day in range(4)])

    def names(runs: list[Any]) -> list[str]:
        return sorted(run.run_id for run in runs)

    wanted: list[datetime] = [NOW + DAY, NOW + 3 * DAY, NOW + 9 * DAY]
    assert names(await store.runs_on("d", wanted)) == ["day1", "day3"]
    assert names(await store.runs_between("d", NOW + DAY, NOW + 3 * DAY, limit=9)) == ["day1", "day2"]
    assert names(await store.runs_between("d", NOW, NOW + 9 * DAY, limit=1)) == ["day0"]
