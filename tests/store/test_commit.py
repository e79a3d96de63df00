"""The scheduler's writes: all or nothing, in order, each against the state it expects."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from asyncflow.core.commands import (
    ClearXComs,
    DeleteTask,
    Journal,
    SaveCallBack,
    SaveDagState,
    SaveRendered,
    SaveRun,
    SaveTask,
    SaveTry,
    SaveXComs,
)
from asyncflow.core.models import TaskKey
from asyncflow.core.states import RunState, TaskState
from asyncflow.errors import DiskTrouble, StaleWrite, StoreBroken
from asyncflow.store.database import Store
from asyncflow.store.writes import frozen
from tests.store.builders import DAY, NOW, a_run, a_ti, with_run

pytestmark = pytest.mark.anyio
KEY = TaskKey("d", "r", "a")


async def test_a_run_and_its_tasks_come_back_as_they_were(store: Store) -> None:
    run = a_run(
        logical_date=NOW,
        data_interval_start=NOW,
        data_interval_end=NOW + DAY,
        queued_at=NOW,
        conf={"x": [1, {"y": None}]},
        external_trigger=True,
        version="v1",
        note="why",
        clear_number=2,
        backfill_id=7,
    )
    plain = a_ti("b", map_index=3)
    full = a_ti(
        state=TaskState.RUNNING,
        try_number=2,
        max_tries=4,
        token="t",
        started_at=NOW,
        not_before=NOW + DAY,
        pid=1,
        pid_started=2,
        host_pid=3,
        host_pid_started=4,
        map_length=0,
        skips=("x", "y"),
        next_kwargs={"event": 1},
        priority_weight=-5,
        pool="p",
        pool_slots=2,
        note="n",
    )
    await store.commit([SaveRun(run=run), SaveTask(ti=full), SaveTask(ti=plain)])
    assert await store.load_run("d", "r") == (run, [full, plain])
    assert await store.load_task(KEY) == full
    assert await store.load_task(TaskKey("d", "r", "nobody")) is None


async def test_a_row_is_updated_from_the_state_it_is_in(store: Store) -> None:
    run = await with_run(store, "a")
    run.state, run.ended_at = RunState.SUCCESS, NOW
    ti = a_ti(state=TaskState.SKIPPED, ended_at=NOW)
    await store.commit(
        [SaveRun(run=run, expected=RunState.RUNNING), SaveTask(ti=ti, expected=TaskState.NONE)],
    )
    assert await store.load_run("d", "r") == (run, [ti])


async def test_a_write_that_believes_in_another_state_undoes_its_whole_batch(store: Store) -> None:
    run = await with_run(store, "a")
    run.note = "never seen"
    stale = SaveTask(ti=a_ti(state=TaskState.SKIPPED), expected=TaskState.SCHEDULED)
    with pytest.raises(
        StaleWrite, match="task instance 'a' in run 'r' of DAG 'd' was believed in state 'scheduled', but"
    ):
        await store.commit([SaveRun(run=run, expected=RunState.RUNNING), stale])
    assert await store.load_run("d", "r") == (a_run(), [a_ti()])


@pytest.mark.parametrize(
    "write",
    [
        SaveRun(run=a_run()),
        SaveRun(run=a_run("other", logical_date=NOW)),
        SaveTask(ti=a_ti()),
        SaveRun(run=a_run("absent"), expected=RunState.QUEUED),
        SaveTask(ti=a_ti("absent", map_index=2), expected=TaskState.NONE),
        SaveDagState(dag_id="absent", paused=True),
    ],
    ids=["run-exists", "date-taken", "task-exists", "run-absent", "task-absent", "dag-absent"],
)
async def test_a_row_that_should_or_should_not_be_there_is_named(store: Store, write: SaveRun) -> None:
    await with_run(store, "a", logical_date=NOW)
    with pytest.raises(StaleWrite) as caught:
        await store.commit([write])
    assert "None" not in str(caught.value)


async def test_two_runs_without_a_date_are_not_the_same_run(store: Store) -> None:
    await store.commit([SaveRun(run=a_run("one")), SaveRun(run=a_run("two"))])
    assert len(await store.find_runs("d")) == 2


async def test_rows_may_change_while_they_are_written() -> None:
    run, ti = a_run(), a_ti()
    writes = frozen([SaveRun(run=run), SaveTask(ti=ti), DeleteTask(key=KEY)])
    run.note, ti.state = "later", TaskState.SCHEDULED
    assert writes == [SaveRun(run=a_run()), SaveTask(ti=a_ti()), DeleteTask(key=KEY)]


async def test_a_try_keeps_what_a_later_write_does_not_know(store: Store) -> None:
    await with_run(store, "a")
    end = NOW + timedelta(seconds=9)
    tries = [
        SaveTry(key=KEY, try_number=1, token="t", state=TaskState.QUEUED, queued_at=NOW, version="v1"),
        SaveTry(key=KEY, try_number=1, token="t", state=TaskState.RUNNING, started_at=NOW, pid=7),
        SaveTry(key=KEY, try_number=1, token="t", state=TaskState.FAILED, ended_at=end, exit_code=1, error="E"),
        SaveTry(key=KEY, try_number=2, token="u", state=TaskState.QUEUED),
    ]
    await store.commit(tries)
    first, second = await store.list_tries(KEY)
    assert (first.queued_at, first.started_at, first.ended_at, first.pid) == (NOW, NOW, end, 7)
    assert (first.state, first.error, first.exit_code, first.version) == (TaskState.FAILED, "E", 1, "v1")
    assert (second.try_number, second.token, second.queued_at) == (2, "u", None)


async def test_the_next_poke_of_a_try_keeps_nothing_of_the_last_process(store: Store) -> None:
    await with_run(store, "a")
    poke = SaveTry(key=KEY, try_number=1, token="t", state=TaskState.UP_FOR_RESCHEDULE, ended_at=NOW, exit_code=0)
    await store.commit([poke, SaveTry(key=KEY, try_number=1, token="u", state=TaskState.RUNNING, started_at=NOW)])
    (row,) = await store.list_tries(KEY)
    assert (row.token, row.ended_at, row.exit_code) == ("u", None, None)


async def test_a_deleted_task_takes_its_xcoms_along(store: Store) -> None:
    await with_run(store, "a")
    await store.commit([SaveXComs(key=KEY, values={"k": "1"}), DeleteTask(key=KEY)])
    assert await store.list_tasks("d", "r") == []
    assert await store.xcom_rows(dag_id="d", run_id="r") == []


async def test_rendered_fields_are_those_of_the_last_try(store: Store) -> None:
    await with_run(store, "a")
    await store.commit([SaveRendered(key=KEY, fields={"sql": "1"}), SaveRendered(key=KEY, fields={"sql": "2"})])
    assert await store.rendered(KEY) == {"sql": "2"}
    assert await store.rendered(TaskKey("d", "r", "b")) is None


async def test_xcoms_of_a_result_are_cleared_by_the_next_try(store: Store) -> None:
    await with_run(store, "a")
    await store.commit([SaveXComs(key=KEY, values={"return_value": '"x"', "k": "1"})])
    assert len(await store.xcom_rows(dag_id="d", run_id="r")) == 2
    await store.commit([ClearXComs(key=KEY)])
    assert await store.xcom_rows(dag_id="d", run_id="r") == []


async def test_the_journal_is_numbered_without_gaps(store: Store, path: Path) -> None:
    assert await store.commit([]) == 0
    lines = [Journal(at=NOW, event="run.created", dag_id="d", run_id=run_id) for run_id in ("r", "s", "r")]
    assert await store.commit(lines) == 3
    with pytest.raises(StaleWrite):
        await store.commit([lines[0], SaveRun(run=a_run("no"), expected=RunState.QUEUED)])
    assert await store.commit([Journal(at=NOW, event="server.started", details={"pid": 1})]) == 4
    assert [line.seq for line in await store.journal()] == [1, 2, 3, 4]
    assert [line.seq for line in await store.journal(1, dag_id="d")] == [2, 3]
    assert [line.seq for line in await store.journal(dag_id="d", run_id="r")] == [1, 3]
    assert [line.details for line in await store.journal(2, limit=2)] == [None, {"pid": 1}]


async def test_the_next_run_of_a_dag_is_kept(store: Store) -> None:
    await store.commit([SaveDagState(dag_id="d", paused=False, next_logical_date=NOW, next_run_after=NOW + DAY)])
    dag = await store.load_dag("d")
    assert dag is not None
    assert (dag.paused, dag.next_logical_date, dag.next_run_after) == (False, NOW, NOW + DAY)


async def test_a_callback_is_due_until_it_is_done(store: Store) -> None:
    first = SaveCallBack(callback_id="c1", payload={"kind": "dag_failure"})
    await store.commit([first, SaveCallBack(callback_id="c2", payload={}), first])
    await store.callback_tried("c1")
    assert [(c.callback_id, c.payload, c.tries) for c in await store.list_pending_callbacks()] == [
        ("c1", {"kind": "dag_failure"}, 1),
        ("c2", {}, 0),
    ]
    await store.callback_done("c1", NOW, "ValueError: no")
    assert [c.callback_id for c in await store.list_pending_callbacks()] == ["c2"]


@pytest.mark.parametrize(
    ("write", "rule"),
    [
        (SaveRun(run=a_run("x", state=RunState.SUCCESS)), "ended_at"),
        (SaveRun(run=a_run("x", ended_at=NOW)), "ended_at"),
        (SaveRun(run=a_run("x", data_interval_start=NOW)), "data_interval"),
        (SaveRun(run=a_run("x", data_interval_start=NOW, data_interval_end=NOW - DAY)), "data_interval"),
        (SaveTask(ti=a_ti("x", state=TaskState.RUNNING)), "token IS NOT NULL"),
        (SaveTask(ti=a_ti("x", map_index=-2)), "map_index"),
        (SaveTask(ti=a_ti("x", try_number=-1)), "try_number"),
        (SaveTask(ti=a_ti("x", pool_slots=0)), "pool_slots"),
        (SaveRun(run=a_run("x", dag_id="nobody")), "FOREIGN KEY"),
        (SaveTask(ti=a_ti("x", run_id="nobody")), "NOT NULL"),
    ],
)
async def test_the_database_refuses_rows_that_cannot_be(store: Store, write: SaveRun | SaveTask, rule: str) -> None:
    await with_run(store)
    with pytest.raises(StoreBroken, match=rule):
        await store.commit([write])
    assert await store.list_tasks("d", "r") == []


async def test_a_full_disk_is_told_and_can_be_tried_again(store: Store) -> None:
    await with_run(store, "a")
    await store._write(lambda batch: batch.db.execute("PRAGMA max_page_count = 1").fetchone())
    write = SaveXComs(key=KEY, values={str(n): '"' + "x" * 100_000 + '"' for n in range(3)})
    with pytest.raises(DiskTrouble, match=r"the disk is full; free some space") as caught:
        await store.commit([write])
    assert isinstance(caught.value, OSError)
    await store._write(lambda batch: batch.db.execute("PRAGMA max_page_count = 100000").fetchone())
    await store.commit([write])
    assert len(await store.xcom_rows(dag_id="d", run_id="r")) == 3
