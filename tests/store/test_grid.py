from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from asyncflow.core.commands import Journal, SaveRun, SaveTask, SaveTry
from asyncflow.core.models import TaskKey
from asyncflow.core.states import RunState, TaskState
from asyncflow.store.database import Store
from asyncflow.store.grid import NumberedRun
from tests.store.builders import DAY, NOW, a_run, a_spec, a_ti, on_day, parsed

pytestmark = pytest.mark.anyio


async def _days(store: Store, count: int, **fields: Any) -> list[NumberedRun]:
    await store.commit([SaveRun(run=a_run(**on_day(day, **fields))) for day in range(count)])
    return await store.grid_runs("d", limit=100)


async def test_runs_come_newest_first_up_to_a_moment(store: Store) -> None:
    await _days(store, 5)
    assert [run.run_id for run in await store.grid_runs("d", limit=2)] == ["day4", "day3"]
    assert [run.run_id for run in await store.grid_runs("d", until=NOW + 2 * DAY, limit=9)] == ["day1", "day0"]
    assert [run.run_id for run in await store.grid_runs("d", limit=1, offset=3)] == ["day1"]


async def test_runs_are_chosen_by_state_and_type(store: Store) -> None:
    await _days(store, 2)
    await store.commit([SaveRun(run=a_run(**on_day(7, state=RunState.FAILED)))])
    assert [run.run_id for run in await store.grid_runs("d", state="failed", limit=9)] == ["day7"]
    assert await store.grid_runs("d", run_type="manual", limit=9) == []


async def test_cells_count_the_states_of_each_line(store: Store) -> None:
    (run,) = await _days(store, 1)
    tis = [
        a_ti("a", run_id="day0", state=TaskState.SUCCESS, try_number=2, started_at=NOW, ended_at=NOW + DAY),
        a_ti("b", run_id="day0", map_index=0, state=TaskState.FAILED, try_number=1, started_at=NOW + DAY),
        a_ti("b", run_id="day0", map_index=1, state=TaskState.FAILED, try_number=3, started_at=NOW),
        a_ti("c", run_id="day0", state=TaskState.SUCCESS),
    ]
    await store.commit([SaveTask(ti=ti) for ti in tis])

    cells = await store.run_cells([run.id], {"a": 0, "b": 1, "c": 0})

    found = {(part.line, part.state): part for part in cells[run.id]}
    assert {key: part.many for key, part in found.items()} == {(0, "success"): 2, (1, "failed"): 2}
    assert (found[0, "success"].try_number, found[0, "success"].ended_at) == (2, NOW + DAY)
    assert (found[1, "failed"].try_number, found[1, "failed"].started_at, found[1, "failed"].mapped) == (3, NOW, True)


async def test_a_run_without_instances_has_no_cells(store: Store) -> None:
    (run,) = await _days(store, 1)
    assert await store.run_cells([run.id], {"a": 0}) == {run.id: []}


async def test_last_line_of_the_journal_about_each_run(store: Store) -> None:
    await _days(store, 3)
    lines = [Journal(at=NOW, event="x", dag_id="d", run_id=run_id) for run_id in ("day0", "day1", "day0")]
    await store.commit(lines)
    assert await store.run_seqs("d", ["day0", "day1", "day2"]) == {"day0": 3, "day1": 2, "day2": 0}


async def test_tries_of_a_run_in_the_order_of_their_queueing(store: Store) -> None:
    await _days(store, 1)
    await store.commit([SaveTask(ti=a_ti(task_id, run_id="day0")) for task_id in ("a", "b")])
    minute = timedelta(minutes=1)
    await store.commit(
        [
            _a_try("b", 1, queued_at=NOW, started_at=NOW + minute, ended_at=NOW + 2 * minute),
            _a_try("a", 1, queued_at=NOW + minute),
            _a_try("b", 2, queued_at=NOW + 3 * minute),
        ]
    )
    bars = await store.run_tries("d", "day0")
    assert [(bar.task_id, bar.try_number) for bar in bars] == [("b", 1), ("a", 1), ("b", 2)]
    assert bars[0].ended_at == NOW + 2 * minute


def _a_try(task_id: str, number: int, **fields: Any) -> SaveTry:
    given: dict[str, Any] = {"token": f"{task_id}{number}", "state": TaskState.FAILED, **fields}
    return SaveTry(key=TaskKey("d", "day0", task_id), try_number=number, **given)


async def test_runs_are_counted_by_day_and_state(store: Store) -> None:
    await _days(store, 3)
    await store.commit(
        [
            SaveRun(
                run=a_run(**on_day(1, run_id="x", logical_date=NOW + DAY + timedelta(hours=1), state=RunState.FAILED))
            )
        ]
    )
    day = (NOW - NOW.min.replace(year=1970, tzinfo=NOW.tzinfo)).days
    counts = await store.run_days("d", NOW - DAY, NOW + 2 * DAY)
    assert counts == {day: {"success": 1}, day + 1: {"success": 1, "failed": 1}}


async def test_versions_newest_first_and_facts_of_their_file(store: Store) -> None:
    later = parsed("# other", seconds=0.25)
    await store.save_dags("d.py", [(a_spec(description="new"), "v2")], parsed=later, now=NOW + DAY, content_hash="h")
    versions = await store.dag_versions("d")
    assert [row.version for row in versions] == ["v2", "v1"]
    assert versions[0].source_hash != versions[1].source_hash
    facts = await store.file_facts("d.py")
    assert facts is not None
    assert (facts.seconds, facts.parsed_at) == (0.25, NOW + DAY)
    assert await store.file_facts("other.py") is None
