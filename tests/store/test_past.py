"""How runs were at an earlier moment, and how long their tasks usually take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asyncflow.core.commands import Journal, SaveRun, SaveTask, Write
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.states import RunState, TaskState
from asyncflow.store.database import Store
from asyncflow.store.grid import CellPart

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LINES = {"a": 0, "b": 1}


def minute(n: float) -> datetime:
    return NOON + timedelta(minutes=n)


def moved(task_id: str, at: float, after: str, *, number: int = 1, index: int = -1) -> Journal:
    return Journal(
        at=minute(at),
        event=f"task.{after}",
        dag_id="d",
        run_id="r",
        task_id=task_id,
        map_index=index,
        after=after,
        try_number=number,
    )


async def keep(store: Store, *writes: Write) -> None:
    """One run of two tasks: `a` ran from minute 1 to 3 and again from 5 to 6, `b` from 6 to 9."""
    run = DagRun(dag_id="d", run_id="r", run_after=NOON, state=RunState.SUCCESS, started_at=minute(1))
    run.ended_at = minute(9)
    tis = [ended("a", 5, 6, try_number=2), ended("b", 6, 9)]
    await store.commit([SaveRun(run=run), *(SaveTask(ti=ti) for ti in tis), *writes])


def ended(task_id: str, start: float, end: float, *, run_id: str = "r", try_number: int = 1) -> TaskInstance:
    return TaskInstance(
        dag_id="d",
        run_id=run_id,
        task_id=task_id,
        state=TaskState.SUCCESS,
        try_number=try_number,
        queued_at=minute(start),
        started_at=minute(start),
        ended_at=minute(end),
    )


JOURNAL = [
    Journal(at=minute(0), event="run.created", dag_id="d", run_id="r", after="queued"),
    Journal(at=minute(1), event="run.running", dag_id="d", run_id="r", before="queued", after="running"),
    moved("a", 1, "running"),
    moved("a", 3, "up_for_retry"),
    moved("a", 5, "running", number=2),
    moved("a", 6, "success", number=2),
    moved("b", 6, "running"),
    moved("b", 9, "success"),
    Journal(at=minute(9), event="run.success", dag_id="d", run_id="r", before="running", after="success"),
]


async def states(store: Store, at: float) -> dict[int, str]:
    found = await store.past_runs("d", {"r": 1}, LINES, minute(at))
    return {part.line: part.state for part in found["r"].cells}


@pytest.mark.parametrize(
    ("at", "run", "a", "b"),
    [
        (0.5, "queued", "none", "none"),
        (2, "running", "running", "none"),
        (4, "running", "up_for_retry", "none"),
        (5, "running", "running", "none"),
        (7, "running", "success", "running"),
        (9, "success", "success", "success"),
    ],
)
async def test_the_journal_tells_how_it_was(store: Store, at: float, run: str, a: str, b: str) -> None:
    await keep(store, *JOURNAL)
    found = (await store.past_runs("d", {"r": 1}, LINES, minute(at)))["r"]
    assert found.line is not None
    assert found.line.state == run
    assert {part.line: part.state for part in found.cells} == {0: a, 1: b}


async def test_a_running_try_has_its_start_and_number(store: Store) -> None:
    await keep(store, *JOURNAL)
    part = (await store.past_runs("d", {"r": 1}, LINES, minute(5)))["r"].cells[0]
    assert part == CellPart(0, "running", 1, 2, minute(5), None, None, False)


async def test_without_a_journal_the_times_of_the_rows_tell(store: Store) -> None:
    await keep(store)
    assert await states(store, 4) == {0: "none", 1: "none"}
    assert await states(store, 5.5) == {0: "running", 1: "none"}
    assert await states(store, 7) == {0: "success", 1: "running"}
    assert (await store.past_runs("d", {"r": 1}, LINES, minute(7)))["r"].line is None


async def test_copies_that_are_gone_are_still_in_the_past_and_count_as_one_part(store: Store) -> None:
    copies = [moved("b", 2 + n, "running", index=n) for n in range(3)]
    gone = [moved("b", 8, "removed", index=n) for n in range(3)]
    await keep(store, *copies, *gone)
    found = (await store.past_runs("d", {"r": 1}, {"b": 0}, minute(3)))["r"].cells
    running = next(part for part in found if part.state == "running")
    assert (running.many, running.mapped, running.started_at) == (2, True, minute(2))


async def test_the_first_and_last_line_of_runs(store: Store) -> None:
    await keep(store, *JOURNAL)
    assert await store.past_spans("d", ["r", "s"]) == {"r": (minute(0), minute(9)), "s": (None, None)}


async def test_the_usual_duration_is_the_median_of_what_succeeded(store: Store) -> None:
    await keep(store)
    for n, minutes in ((2, 3), (3, 10)):
        run = DagRun(dag_id="d", run_id=f"r{n}", run_after=minute(n), state=RunState.SUCCESS, started_at=NOON)
        run.ended_at = minute(20)
        ti = ended("a", 0, minutes, run_id=run.run_id)
        await store.commit([SaveRun(run=run), SaveTask(ti=ti)])
    assert await store.usual_seconds([1, 2, 3]) == {"a": 180.0, "b": 180.0}
    assert await store.usual_seconds([]) == {}
