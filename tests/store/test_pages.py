"""Windows over runs and DAGs."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow.core.commands import SaveRun, SaveTask
from asyncflow.core.models import DagRun
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.store.database import Store
from asyncflow.store.pages import RunSearch
from tests.store.builders import DAY, NOW, a_run, a_ti, on_day

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled(store: Store) -> Store:
    """Four runs of "d", a day apart: two good, one failed, one manual and running."""
    fields = [
        on_day(0),
        on_day(1, state=RunState.FAILED),
        on_day(2),
        on_day(3, run_type=RunType.MANUAL, state=RunState.RUNNING, ended_at=None),
    ]
    runs = [a_run(**given) for given in fields]
    tis = [a_ti(name, run_id=run.run_id, state=TaskState.SUCCESS, ended_at=NOW) for run in runs for name in "ab"]
    tis.append(a_ti("b", run_id="day1", map_index=2, state=TaskState.FAILED, ended_at=NOW))
    await store.commit([*(SaveRun(run=run) for run in runs), *(SaveTask(ti=ti) for ti in tis)])
    return store


async def test_recent_runs_come_newest_first_and_no_more_than_asked(filled: Store) -> None:
    runs = await filled.recent_runs(["d", "none"], 3)
    assert [run.run_id for run in runs] == ["day3", "day2", "day1"]
    assert [run.run_id for run in await filled.newest_runs()] == ["day3"]


async def test_states_of_tasks_are_counted_by_run(filled: Store) -> None:
    runs = {run.run_id: run.id for run in await filled.recent_runs(["d"], 4)}
    assert await filled.task_states([runs["day1"], runs["day2"]]) == {
        runs["day1"]: {"success": 2, "failed": 1},
        runs["day2"]: {"success": 2},
    }


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (RunSearch(), ["day3", "day2", "day1", "day0"]),
        (RunSearch(dag_ids=["d"], states=[RunState.SUCCESS]), ["day2", "day0"]),
        (RunSearch(dag_ids=["d", "e"], states=[RunState.SUCCESS]), ["day2", "day0"]),
        (RunSearch(dag_ids=[]), []),
        (RunSearch(states=[RunState.FAILED]), ["day1"]),
        (RunSearch(states=[RunState.QUEUED, RunState.RUNNING]), ["day3"]),
        (RunSearch(states=[RunState.RUNNING, RunState.FAILED]), ["day3", "day1"]),
        (RunSearch(run_types=[RunType.MANUAL]), ["day3"]),
        (RunSearch(run_types=[RunType.SCHEDULED], run_id="y1"), ["day1"]),
        (RunSearch(due_from=NOW + 2 * DAY, due_to=NOW + 3 * DAY), ["day2", "day1"]),
    ],
)
async def test_runs_are_found_by_what_is_asked(filled: Store, search: RunSearch, found: list[str]) -> None:
    assert [run.run_id for run in await filled.search_runs(search, limit=9)] == found
    assert [run.run_id for run in await filled.search_runs(search, limit=1, offset=1)] == found[1:2]


@pytest.mark.parametrize("by", ["due", "started", "duration", "state"])
@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"dag_ids": ["d"]},
        {"states": [RunState.QUEUED, RunState.RUNNING]},
        {"states": [RunState.FAILED]},
        {"run_types": [RunType.MANUAL]},
    ],
)
async def test_each_order_is_that_of_the_value(filled: Store, by: Any, wanted: dict[str, Any]) -> None:
    """Whichever index a search takes; what has no value comes first when rising, last when falling."""
    run = a_run(**on_day(5, started_at=NOW, ended_at=NOW + 9 * DAY, state=RunState.FAILED, run_type=RunType.MANUAL))
    await filled.commit([SaveRun(run=run)])
    found = await filled.search_runs(RunSearch(**wanted), limit=9)
    assert found
    last = NOW - 9999 * DAY

    def value(run: DagRun) -> Any:
        lasted = run.ended_at - run.started_at if run.ended_at and run.started_at else -DAY
        values = {"due": run.run_after, "started": run.started_at or last, "duration": lasted, "state": run.state.value}
        return values[by], run.run_after if by == "state" else 0

    for falling in (False, True):
        rows = await filled.search_runs(RunSearch(by=by, falling=falling, **wanted), limit=9)
        assert sorted(run.run_id for run in rows) == sorted(run.run_id for run in found)
        assert [value(run) for run in rows] == sorted(map(value, rows), reverse=falling)


async def test_runs_are_found_by_the_beginning_of_their_id(filled: Store) -> None:
    assert await filled.runs_named("day", 2) == [("d", "day3", "running"), ("d", "day2", "success")]
    assert await filled.runs_named("ay", 2) == []


async def test_a_run_knows_those_beside_it(filled: Store) -> None:
    assert await filled.run_neighbours("d", "day0") == {"newer": "day1"}
    assert await filled.run_neighbours("d", "day2") == {"older": "day1", "newer": "day3"}
    assert await filled.run_neighbours("d", "none") == {}


async def test_some_instances_of_a_run_come_in_the_order_asked(filled: Store) -> None:
    assert await filled.run_tasks("d", "day1") == [("a", -1, "success"), ("b", -1, "success"), ("b", 2, "failed")]
    tis = await filled.some_tasks("d", "day1", [("b", 2), ("a", -1), ("c", -1)])
    assert [(ti.task_id, ti.map_index) for ti in tis] == [("b", 2), ("a", -1)]


async def test_a_dag_is_listed_without_its_definition(filled: Store) -> None:
    (dag,) = await filled.listed_dags()
    assert (dag.dag_id, dag.file, dag.version, dag.paused, dag.broken) == ("d", "d.py", "v1", True, False)
    ((dag_id, version, spec),) = await filled.newest_specs(["d"])
    assert (dag_id, version, list(spec.tasks)) == ("d", "v1", ["a"])
    assert await filled.run_state_counts() == {"d": {"success": 2, "failed": 1, "running": 1}}
