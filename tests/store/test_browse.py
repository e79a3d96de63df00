from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncflow.core.commands import DeleteRun, SaveRun, SaveTask, SaveXComs
from asyncflow.core.models import TaskInstance
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.store.browse import AuditLine, AuditSearch, Order, Place, TaskSearch, TaskWindow
from asyncflow.store.database import Store
from asyncflow.store.spill import SPILL_ABOVE
from tests.store.builders import DAY, NOW, a_run, a_spec, a_ti, on_day, parsed

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)


async def fill(store: Store, runs: int = 3, dag_id: str = "d") -> None:
    """A run a day with the tasks a (good), b (failed; skipped on even days) and c (running, in the newest)."""
    if dag_id != "d":
        await store.save_dags(f"{dag_id}.py", [(a_spec(dag_id), "v1")], parsed=parsed(), now=NOW)
    for day in range(runs):
        newest = day == runs - 1
        run = a_run(**on_day(day, dag_id=dag_id, **({"state": RunState.RUNNING, "ended_at": None} if newest else {})))
        start = run.run_after
        given: dict[str, Any] = {"dag_id": dag_id, "run_id": run.run_id, "ended_at": start + HOUR}
        tis = [
            a_ti("a", state=TaskState.SUCCESS, started_at=start, try_number=1, operator="BashOperator", **given),
            a_ti("b", state=TaskState.SKIPPED if day % 2 else TaskState.FAILED, try_number=2, pool="etl", **given),
        ]
        if newest:
            given.pop("ended_at")
            tis.append(a_ti("c", state=TaskState.RUNNING, token="t", started_at=start + HOUR, **given))
        await store.commit([SaveRun(run=run), *(SaveTask(ti=ti) for ti in tis)])


def names(rows: list[TaskInstance]) -> list[str]:
    return [f"{ti.run_id}.{ti.task_id}" for ti in rows]


async def found(store: Store, **wanted: Any) -> list[str]:
    window = await store.search_tasks(TaskSearch(**wanted), limit=100, seconds=5)
    assert window.next is None
    return names(window.rows)


async def test_the_newest_runs_come_first(store: Store) -> None:
    await fill(store)
    all_of_them = ["day2.a", "day2.b", "day2.c", "day1.a", "day1.b", "day0.a", "day0.b"]
    assert await found(store) == all_of_them
    assert await found(store, order="due") == [*all_of_them[5:], *all_of_them[3:5], *all_of_them[:3]]
    assert await found(store, order="-started") == ["day2.c", "day2.a", "day1.a", "day0.a"]
    assert await found(store, order="started") == ["day0.a", "day1.a", "day2.a", "day2.c"]


async def test_what_took_longest_comes_first_and_what_goes_on_not_at_all(store: Store) -> None:
    await fill(store)
    run = a_run(**on_day(3))
    start, names = run.run_after, ("quick", "slow", "late")
    given: dict[str, Any] = {"run_id": run.run_id, "started_at": start, "state": TaskState.SUCCESS}
    tis = [a_ti(name, ended_at=start + hours * HOUR, **given) for name, hours in zip(names, (0, 9, 2), strict=True)]
    await store.commit([SaveRun(run=run), *(SaveTask(ti=ti) for ti in tis)])
    longest = ["day3.slow", "day3.late", "day2.a", "day1.a", "day0.a", "day3.quick"]
    assert await found(store, order="-duration") == longest
    assert await found(store, order="duration") == longest[::-1]
    assert await found(store, order="-duration", text="a", started_to=start) == [
        "day3.late",
        "day2.a",
        "day1.a",
        "day0.a",
    ]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"states": [TaskState.FAILED]}, ["day2.b", "day0.b"]),
        ({"states": [TaskState.FAILED, TaskState.SKIPPED]}, ["day2.b", "day1.b", "day0.b"]),
        ({"states": [TaskState.RUNNING]}, ["day2.c"]),
        ({"states": [TaskState.RUNNING], "order": "due"}, ["day2.c"]),
        ({"states": [TaskState.SKIPPED], "order": "started"}, []),
        ({"task_id": "a", "run_id": "y1"}, ["day1.a"]),
        ({"text": "c"}, ["day2.c"]),
        ({"pool": "etl", "due_to": NOW + DAY}, ["day0.b"]),
        ({"operator": "Bash", "due_from": NOW + 2 * DAY}, ["day2.a", "day1.a"]),
        ({"retried": True, "dag_ids": ["d"], "run_id": "day1"}, ["day1.b"]),
        ({"dag_ids": ["d"], "order": "due", "task_id": "a"}, ["day0.a", "day1.a", "day2.a"]),
        ({"dag_ids": ["d"], "run_name": "day1"}, ["day1.a", "day1.b"]),
        ({"dag_ids": ["d"], "run_name": "day"}, []),
        ({"active": True, "text": "a"}, ["day2.a"]),
        ({"dag_ids": []}, []),
        ({"dag_ids": ["d", "other"], "text": "c"}, ["day2.c"]),
        ({"started_from": NOW + 3 * DAY + HOUR}, ["day2.c"]),
        ({"started_from": NOW + 2 * DAY, "started_to": NOW + 3 * DAY, "order": "-started"}, ["day2.a", "day1.a"]),
    ],
)
async def test_filters(store: Store, wanted: dict[str, Any], expected: list[str]) -> None:
    await fill(store)
    assert await found(store, **wanted) == expected


@pytest.mark.parametrize("order", ["-due", "due", "-started", "started", "-duration", "duration"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("states", [None, [TaskState.FAILED, TaskState.UPSTREAM_FAILED], [TaskState.RUNNING]])
async def test_pages_make_up_the_whole_list(
    store: Store, order: Order, limit: int, states: list[TaskState] | None
) -> None:
    await fill(store, 9)
    await fill(store, 2, dag_id="e")
    search = TaskSearch(order=order, states=states)
    whole = (await store.search_tasks(search, limit=100, seconds=5)).rows
    place, rows, pages = None, list[TaskInstance](), list[TaskWindow]()
    while not pages or place is not None:
        window = await store.search_tasks(search, place=place, limit=limit, seconds=5)
        assert len(window.rows) == limit or window.next is None
        rows += window.rows
        pages.append(window)
        place = window.next and Place.parse(str(window.next))
    assert [ti.key for ti in rows] == [ti.key for ti in whole]
    assert len(pages) == -(-max(1, len(whole)) // limit)
    back = msgspec.structs.replace(search, back=True)
    for before, page in pairwise(reversed(pages)):
        assert before.edges is not None
        window = await store.search_tasks(back, place=before.edges[0], limit=limit, seconds=5)
        assert (window.rows, window.dues, window.edges) == (page.rows, page.dues, page.edges)
        assert (window.next is None) == (page is pages[0])


async def test_a_page_that_takes_too_long_says_how_far_it_looked(store: Store) -> None:
    await fill(store, 6)
    search = TaskSearch(states=[TaskState.REMOVED])
    window = await store.search_tasks(search, limit=10, seconds=0)
    assert (window.rows, window.looked_back_to) == ([], NOW + 3 * DAY)  # four runs: the first step
    assert window.next is not None
    rest = await store.search_tasks(search, place=window.next, limit=10, seconds=0)
    assert (rest.rows, rest.next) == ([], None)


async def test_matching_ones_are_counted_up_to_a_limit(store: Store) -> None:
    await fill(store)
    search = TaskSearch(states=[TaskState.FAILED])
    keys, complete = await store.matching_tasks(search, most=10, seconds=5)
    assert ([(key.dag_id, key.run_id, key.task_id) for key in keys], complete) == (
        [("d", "day2", "b"), ("d", "day0", "b")],
        True,
    )
    assert await store.count_tasks(search, most=10, seconds=5) == (2, True)
    assert await store.count_tasks(search, most=1, seconds=5) == (1, False)


async def test_a_long_run_is_shown_page_by_page(store: Store) -> None:
    await fill(store)
    search = TaskSearch(dag_ids=["d"], run_name="day2")
    first = await store.search_tasks(search, limit=2)
    assert names(first.rows) == ["day2.a", "day2.b"]
    last = await store.search_tasks(search, place=first.next, limit=2)
    assert names(last.rows) == ["day2.c"]
    assert last.edges is not None
    back = await store.search_tasks(msgspec.structs.replace(search, back=True), place=last.edges[0], limit=2)
    assert (back.rows, back.next) == (first.rows, None)


@given(st.text(max_size=20), st.integers(-(2**62), 2**62), st.integers(0, 2**62), st.integers(-1, 2**62))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_place_reads_as_it_was_written(task_id: str, at: int, run: int, map_index: int) -> None:
    place = Place(at, run, task_id, map_index)
    assert Place.parse(str(place)) == place


@pytest.mark.parametrize("text", ["", "1.2.3", "x.1.1.a", "1.2.9999999999999999999999.a"])
async def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        Place.parse(text)


async def test_a_run_is_deleted_with_all_that_is_its_own(store: Store) -> None:
    await fill(store, 2)
    (ti,) = [ti for ti in await store.list_tasks("d", "day0") if ti.task_id == "a"]
    await store.commit([SaveXComs(key=ti.key, values={"long": "x" * (SPILL_ABOVE + 1)})])
    folder = store.path.parent / "xcom"
    assert len(list(folder.glob("*/*"))) == 1
    await store.commit([DeleteRun(dag_id="d", run_id="day0")])
    assert await store.load_run("d", "day0") is None
    assert [run.run_id for run, _ in await store.load_runs([("d", "day0"), ("d", "day1")])] == ["day1"]
    assert not list(folder.glob("*/*"))
    assert await store.check() == []


def line(action: str = "clear_tasks", **fields: Any) -> AuditLine:
    return AuditLine(id=0, at=NOW, via="ui", action=action, **fields)


async def test_what_people_did_is_listed_newest_first(store: Store) -> None:
    await store.add_audit([line(dag_id="d", run_id="r", arguments={"only_failed": True}, touched=3)])
    await store.add_audit([line("set_pool", arguments={"name": "etl"}), line("pause_dag", dag_id="e", error="No.")])
    lines = await store.audit_lines(AuditSearch(), limit=10)
    assert [row.action for row in lines] == ["pause_dag", "set_pool", "clear_tasks"]
    assert (lines[0].error, lines[2].arguments, lines[2].touched) == ("No.", {"only_failed": True}, 3)
    assert await store.audit_actions() == ["clear_tasks", "pause_dag", "set_pool"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"dag_id": "d"}, ["mark_tasks", "clear_tasks"]),
        ({"dag_id": "d", "run_id": "r"}, ["clear_tasks"]),
        ({"dag_id": "d", "run_id": "named"}, ["mark_tasks"]),
        ({"dag_id": "d", "task_id": "t"}, ["mark_tasks"]),
        ({"dag_id": "d", "text": "only"}, ["clear_tasks"]),
        ({"via": "cli"}, ["set_pool"]),
        ({"action": "set_pool"}, ["set_pool"]),
        ({"text": "etl"}, ["set_pool"]),
        ({"at_from": NOW + HOUR}, ["set_pool"]),
        ({"at_to": NOW}, ["mark_tasks", "clear_tasks"]),
        ({"before": 2}, ["clear_tasks"]),
    ],
)
async def test_the_audit_log_is_filtered(store: Store, wanted: dict[str, Any], expected: list[str]) -> None:
    late = AuditLine(id=0, at=NOW + HOUR, via="cli", action="set_pool", arguments={"name": "etl"})
    one, two = (
        line(dag_id="d", run_id="r", arguments={"only_failed": True}),
        line("mark_tasks", dag_id="d", task_id="t", arguments={"what": ["named.t"]}),
    )
    await store.add_audit([one, two, late])
    assert [row.action for row in await store.audit_lines(AuditSearch(**wanted), limit=10)] == expected


async def test_a_run_without_instances_is_passed_over(store: Store) -> None:
    run = a_run(run_id="x", run_type=RunType.MANUAL)
    await store.commit([SaveRun(run=run)])
    assert await found(store) == []
