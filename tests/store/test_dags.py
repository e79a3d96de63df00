from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from asyncflow.core.commands import Journal, SaveXComs
from asyncflow.core.messages import ImportFailure
from asyncflow.core.models import TaskKey
from asyncflow.core.specs import TaskSpec
from asyncflow.errors import Conflict, StoreBroken
from asyncflow.store.database import Store
from tests.store.builders import DAY, NOW, a_spec, parsed, with_run

pytestmark = pytest.mark.anyio


async def save(
    store: Store, *dag_ids: str, file: str = "f.py", version: str = "v1", **options: object
) -> dict[str, bool]:
    specs = [(a_spec(dag_id), version) for dag_id in dag_ids]
    return await store.save_dags(file, specs, **{"parsed": parsed(), "now": NOW, **options})  # type: ignore[arg-type]


async def test_a_dag_comes_back_as_it_was(store: Store) -> None:
    dag = await store.load_dag("d")
    assert dag is not None
    assert (dag.spec, dag.version, dag.file, dag.active, dag.paused) == (a_spec(), "v1", "d.py", True, True)
    assert (dag.created_at, dag.changed_at, dag.import_error) == (NOW, NOW, False)
    assert await store.load_dag("e") is None


async def test_tasks_keep_the_order_of_their_creation(store: Store) -> None:
    tasks = {name: TaskSpec(task_id=name) for name in ("start", "middle", "end")}
    await store.save_dags("f.py", [(a_spec("o", tasks=tasks), "v")], parsed=parsed(), now=NOW)
    dag = await store.load_dag("o")
    assert dag is not None
    assert list(dag.spec.tasks) == ["start", "middle", "end"]


async def test_a_new_dag_is_paused_as_the_setting_or_it_itself_says(store: Store) -> None:
    specs = [(a_spec("own", is_paused_upon_creation=True), "v"), (a_spec("setting"), "v")]
    paused = await store.save_dags("f.py", specs, parsed=parsed(), now=NOW, paused_at_creation=False)
    assert paused == {"own": True, "setting": False}
    assert await save(store, "own", "setting", paused_at_creation=True) == paused


async def test_a_new_version_leaves_the_old_one_to_its_runs(store: Store) -> None:
    await store.save_dags(
        "d.py", [(a_spec(description="new"), "v2")], parsed=parsed("# changed"), now=NOW + DAY, content_hash="h2"
    )
    dag = await store.load_dag("d")
    assert dag is not None
    assert (dag.version, dag.spec.description, dag.created_at, dag.changed_at) == ("v2", "new", NOW, NOW + DAY)
    old = await store.load_version("d", "v1")
    new = await store.load_version("d", "v2")
    assert old is not None
    assert new is not None
    assert (old.spec, old.source, old.created_at) == (a_spec(), "# d.py", NOW)
    assert (new.source, new.file) == ("# changed", "d.py")
    assert await store.load_version("d", "v3") is None


async def test_saving_the_same_version_again_changes_only_its_text(store: Store) -> None:
    await store.save_dags("d.py", [(a_spec(), "v1")], parsed=parsed("# a comment"), now=NOW + DAY)
    dag, version = await store.load_dag("d"), await store.load_version("d", "v1")
    assert dag is not None
    assert version is not None
    assert (dag.changed_at, version.created_at, version.source) == (NOW, NOW, "# a comment")


async def test_dags_that_leave_their_file_become_inactive_and_may_come_back(store: Store) -> None:
    await save(store, "one", "two")
    await save(store, "two")
    assert [dag.spec.dag_id for dag in await store.load_dags(active_only=True)] == ["d", "two"]
    assert [dag.spec.dag_id for dag in await store.load_dags()] == ["d", "one", "two"]
    await save(store, "one", file="other.py")
    one = await store.load_dag("one")
    assert one is not None
    assert (one.active, one.file) == (True, "other.py")


async def test_a_dag_of_another_file_cannot_be_taken_over(store: Store) -> None:
    with pytest.raises(Conflict, match=r"'d' is already used by d\.py; f\.py cannot"):
        await save(store, "new", "d")
    assert await store.load_dag("new") is None


async def test_a_file_that_is_gone_takes_its_dags_out_of_service(store: Store) -> None:
    await save(store, "b", "a")
    await store.save_import_error("f.py", ImportFailure(file="f.py", message="m"), NOW)
    assert await store.known_files() == ["d.py", "f.py"]
    assert await store.file_gone("f.py") == ["a", "b"]
    assert await store.known_files() == ["d.py"]
    assert await store.list_import_errors() == []
    assert await store.file_gone("f.py") == []


async def test_what_an_import_read_is_kept(store: Store) -> None:
    said = parsed(
        reads=("/dags/h.py",), variables=("v",), unrepeatable=("clock",), refresh=True, seconds=0.5, output="hi"
    )
    await save(store, "a", parsed=said, content_hash="h")
    row = next(row for row in await store.load_files() if row.file == "f.py")
    assert (row.content_hash, row.reads, row.variables, row.connections) == ("h", ("/dags/h.py",), ("v",), ())
    assert (row.unrepeatable, row.refresh, row.seconds, row.output, row.parsed_at) == (("clock",), True, 0.5, "hi", NOW)


async def test_an_import_error_stands_until_it_is_cleared(store: Store) -> None:
    await store.save_import_error("d.py", ImportFailure(file="d.py", message="first"), NOW)
    failure = ImportFailure(file="d.py", line=3, kind="SyntaxError", message="second", traceback="tb")
    await store.save_import_error("d.py", failure, NOW + DAY)
    (row,) = await store.list_import_errors()
    assert (row.file, row.line, row.kind, row.message, row.traceback, row.at) == (
        *("d.py", 3, "SyntaxError", "second", "tb"),
        NOW + DAY,
    )
    (dag,) = await store.load_dags()
    assert dag.import_error
    await store.clear_import_error("d.py")
    assert await store.list_import_errors() == []


async def test_a_deleted_dag_leaves_only_its_journal(store: Store, path: Path) -> None:
    await with_run(store, "a")
    key = TaskKey("d", "r", "a")
    long = '"' + "x" * 300_000 + '"'
    await store.commit([SaveXComs(key=key, values={"k": long}), Journal(at=NOW, event="e", dag_id="d", run_id="r")])
    assert len(list((path.parent / "xcom").glob("??/*"))) == 1
    assert await store.delete_dag("d") == 1
    assert await store.delete_dag("d") == 0
    assert list((path.parent / "xcom").glob("??/*")) == []
    assert len(await store.journal(dag_id="d")) == 1
    with closing(sqlite3.connect(path)) as db:
        for table in ("dag", "dag_version", "source", "dag_run", "run_count", "task_instance", "xcom"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


async def test_a_definition_that_cannot_be_read_names_its_dag(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE dag_version SET spec = x'00'")
    with pytest.raises(StoreBroken, match="definition of DAG 'd' cannot be read"):
        await store.load_dags()
