from __future__ import annotations

from datetime import datetime

import pytest

from asyncflow.core.commands import SaveRun
from asyncflow.core.states import RunState, RunType
from asyncflow.store.database import Store
from tests.store.builders import DAY, NOW, a_run, a_spec, on_day, parsed, with_run

pytestmark = pytest.mark.anyio


async def with_days(store: Store, *days: int) -> None:
    await store.commit([SaveRun(run=a_run(**on_day(day))) for day in days])


async def test_active_runs_come_with_all_their_tasks_in_order_of_creation(store: Store) -> None:
    await with_run(store, "b", "a", run_id="late", run_after=NOW + DAY)
    await with_run(store, run_id="empty", state=RunState.QUEUED, run_after=NOW)
    await with_run(store, "a", run_id="over", state=RunState.FAILED, ended_at=NOW)
    active = await store.load_active_runs()
    assert [(run.run_id, [ti.task_id for ti in tis]) for run, tis in active] == [("late", ["a", "b"]), ("empty", [])]


async def test_a_run_that_is_not_there_is_none(store: Store) -> None:
    assert await store.load_run("d", "r") is None
    assert await store.list_tasks("d", "r") == []


async def test_runs_are_found_newest_first_and_page_by_page(store: Store) -> None:
    await with_days(store, 0, 1, 2, 3)
    assert [run.run_id for run in await store.find_runs()] == ["day3", "day2", "day1", "day0"]
    assert [run.run_id for run in await store.find_runs("d", limit=2, offset=1)] == ["day2", "day1"]
    assert [run.run_id for run in await store.find_runs("d", oldest_first=True, limit=1)] == ["day0"]
    assert [run.run_id for run in await store.find_runs(oldest_first=True, limit=-1)][-1] == "day3"
    assert await store.find_runs("other") == []


@pytest.mark.parametrize("dag_id", ["d", None])
async def test_runs_are_filtered_by_state_type_and_logical_date(store: Store, dag_id: str | None) -> None:
    await with_days(store, 0, 1, 2)
    await with_run(store, run_id="m")

    async def found(**filters: object) -> list[str]:
        return [run.run_id for run in await store.find_runs(dag_id, **filters)]  # type: ignore[arg-type]

    assert await found(states=[RunState.RUNNING, RunState.QUEUED]) == ["m"]
    assert await found(states=[]) == []
    assert await found(run_types=[RunType.MANUAL]) == ["m"]
    assert await found(logical_from=NOW + DAY, logical_to=NOW + 2 * DAY) == ["day2", "day1"]


async def test_the_run_before_is_the_nearest_earlier_one(store: Store) -> None:
    await with_days(store, 0, 1, 3)
    await store.commit([SaveRun(run=a_run(**on_day(2, state=RunState.FAILED, run_type=RunType.MANUAL)))])

    async def before(date: datetime | None, **filters: object) -> str | None:
        run = await store.run_before("d", date, **filters)  # type: ignore[arg-type]
        return run.run_id if run else None

    assert await before(NOW + 3 * DAY) == "day2"
    assert await before(NOW + 3 * DAY, state=RunState.SUCCESS) == "day1"
    assert await before(NOW + 3 * DAY, run_types=[RunType.SCHEDULED]) == "day1"
    assert await before(NOW) is None
    assert await before(None) is None


async def test_the_schedule_has_come_to_its_latest_run_and_not_to_a_manual_one(store: Store) -> None:
    await store.save_dags("e.py", [(a_spec("e"), "v1")], parsed=parsed(), now=NOW)
    assert await store.last_automated_run("d") is None
    await with_days(store, 0, 2, 1)
    await with_run(store, run_id="m", logical_date=NOW + 9 * DAY)
    last = await store.last_automated_run("d")
    assert last is not None
    assert last.run_id == "day2"
    assert await store.last_automated_runs() == {"d": last}


async def test_a_taken_name_or_date_names_the_run_that_has_it(store: Store) -> None:
    await with_days(store, 0, 1)
    assert await store.run_exists("d", "day0", NOW + DAY) == "day0"
    assert await store.run_exists("d", "new", NOW + DAY) == "day1"
    assert await store.run_exists("d", "new", None) is None
    assert await store.run_exists("e", "day0", NOW) is None


async def test_the_summary_of_a_dag_counts_its_runs_by_state(store: Store) -> None:
    await store.save_dags("e.py", [(a_spec("e"), "v1")], parsed=parsed(), now=NOW)
    await with_days(store, 0, 1)
    run = await with_run(store, run_id="m", run_after=NOW)
    await with_run(store, run_id="other", dag_id="e")
    assert (await store.dag_summaries(["d"]))["d"].run_states == {"success": 2, "running": 1}
    run.state, run.ended_at = RunState.FAILED, NOW
    await store.commit([SaveRun(run=run, expected=RunState.RUNNING)])
    summaries = await store.dag_summaries()
    assert summaries["d"].run_states == {"success": 2, "failed": 1}
    assert summaries["d"].last_run == a_run(**on_day(1))
    assert summaries["e"].run_states == {"running": 1}
    assert await store.check() == []


async def test_reads_see_a_commit_that_has_returned_while_others_read(store: Store) -> None:
    for day in range(20):
        await with_days(store, day)
        assert len(await store.find_runs("d")) == day + 1


async def test_a_fact_about_the_installation_is_kept(store: Store) -> None:
    assert await store.meta_get("k") is None
    await store.meta_set("k", "1")
    await store.meta_set("k", "2")
    assert await store.meta_get("k") == "2"


async def test_runs_are_found_by_their_ids_oldest_first(store: Store) -> None:
    await with_days(store, 2, 0, 1)
    found = await store.runs_by_id("d", ["day2", "day0", "nothing"])
    assert [run.run_id for run in found] == ["day0", "day2"]
    assert await store.runs_by_id("other", ["day0"]) == []
