from __future__ import annotations

from pathlib import Path

import pytest

from asyncflow.core.commands import SaveRun, SaveTask, SaveXComs
from asyncflow.core.models import TaskKey
from asyncflow.core.states import RunState
from asyncflow.errors import StaleWrite, StoreBroken
from asyncflow.store.database import Store
from asyncflow.store.spill import SPILL_ABOVE
from tests.store.builders import DAY, NOW, a_run, a_spec, a_ti, on_day, parsed, with_run

pytestmark = pytest.mark.anyio
KEY = TaskKey("d", "r", "a")
LONG = '"' + "é" * SPILL_ABOVE + '"'


async def values(store: Store, **filters: object) -> list[str]:
    return [row.value for row in await store.xcom_rows(**{"dag_id": "d", "run_id": "r", **filters})]  # type: ignore[arg-type]


def spilled(path: Path) -> list[Path]:
    return list((path.parent / "xcom").glob("??/*"))


async def test_the_newest_push_comes_first_and_a_replaced_value_counts_as_new(store: Store) -> None:
    await with_run(store, "a", "b")
    await store.xcom_set(KEY, "k", "1")
    await store.xcom_set(KEY._replace(task_id="b"), "k", "2")
    assert await values(store) == ["2", "1"]
    await store.xcom_set(KEY, "k", "3")
    assert await values(store) == ["3", "2"]
    row = (await store.xcom_rows(dag_id="d", run_id="r"))[0]
    assert (row.task_id, row.run_id, row.map_index, row.key, row.at) == ("a", "r", -1, "k", NOW)


async def test_xcoms_are_filtered_and_an_empty_list_matches_nothing(store: Store) -> None:
    await with_run(store, "a", "b")
    for index in (0, 1, 2):
        await store.xcom_set(KEY._replace(map_index=index), "k", str(index))
    await store.xcom_set(KEY._replace(task_id="b"), "other", '"b"')
    assert await values(store, task_ids=["b"]) == ['"b"']
    assert await values(store, key="k", map_indexes=[0, 2]) == ["2", "0"]
    assert await values(store, task_ids=[]) == []
    assert await values(store, map_indexes=[]) == []
    assert await values(store, dag_id="e") == []


async def test_prior_dates_are_the_runs_not_after_the_one_asked_from(store: Store) -> None:
    await store.save_dags("e.py", [(a_spec("e"), "v1")], parsed=parsed(), now=NOW)
    await store.commit([SaveRun(run=a_run(**on_day(day))) for day in (2, 0, 1)])
    for day in (1, 2, 0):
        await store.xcom_set(TaskKey("d", f"day{day}", "a"), "k", str(day))
    assert await values(store, run_id="day1", include_prior_dates=True) == ["1", "0"]
    await store.commit([SaveRun(run=a_run("of_e", dag_id="e", logical_date=NOW + 2 * DAY))])
    assert await values(store, run_id="of_e", include_prior_dates=True) == ["2", "1", "0"]
    assert await values(store, run_id="of_e") == []


async def test_prior_dates_of_a_run_without_a_date_are_its_own(store: Store) -> None:
    await store.commit([SaveRun(run=a_run(**on_day(0))), SaveRun(run=a_run())])
    await store.xcom_set(TaskKey("d", "day0", "a"), "k", "0")
    await store.xcom_set(KEY, "k", "1")
    assert await values(store, include_prior_dates=True) == ["1"]


async def test_a_long_value_lives_in_a_private_file_until_it_is_replaced_or_cleared(store: Store, path: Path) -> None:
    await with_run(store, "a")
    await store.xcom_set(KEY, "k", LONG)
    assert await values(store) == [LONG]
    (file,) = spilled(path)
    assert file.stat().st_mode & 0o777 == 0o600
    await store.xcom_set(KEY, "k", LONG)
    assert len(spilled(path)) == 1
    assert not file.exists()
    await store.xcom_clear(KEY)
    assert spilled(path) == []
    assert await values(store) == []


async def test_a_failed_commit_leaves_the_files_as_they_were(store: Store, path: Path) -> None:
    await with_run(store, "a")
    await store.xcom_set(KEY, "k", LONG)
    before = spilled(path)
    stale = SaveTask(ti=a_ti("absent"), expected=a_ti().state)
    with pytest.raises(StaleWrite):
        await store.commit([SaveXComs(key=KEY, values={"k": LONG, "j": LONG}), stale])
    assert spilled(path) == before
    assert await values(store) == [LONG]


async def test_files_without_a_row_are_swept_at_the_next_start(path: Path, store: Store) -> None:
    await with_run(store, "a", state=RunState.QUEUED)
    await store.xcom_set(KEY, "k", LONG)
    kept = spilled(path)
    await store.close()
    kept[0].with_name("0" * 32).write_text("left by a crash")
    async with await Store.open(path, durability="full") as again:
        assert spilled(path) == kept
        assert await values(again) == [LONG]
        await again.xcom_set(KEY, "k2", LONG)
        assert len(spilled(path)) == 2


async def test_a_file_that_somebody_deleted_is_named(store: Store, path: Path) -> None:
    await with_run(store, "a")
    await store.xcom_set(KEY, "k", LONG)
    (file,) = spilled(path)
    file.unlink()
    with pytest.raises(StoreBroken, match=file.name):
        await values(store)
    assert await store.check() == [f"The file of a long XCom value is gone: {file.name}."]


async def test_no_room_for_a_long_value_is_a_sentence(store: Store, path: Path) -> None:
    await with_run(store, "a")
    (path.parent / "xcom").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"The directory of .*asyncflow\.db: "):
        await store.xcom_set(KEY, "k", LONG)
    assert await values(store) == []
