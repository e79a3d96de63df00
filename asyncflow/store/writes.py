"""The hot path: `commands.Write` to statements, in order, in the one transaction of a scheduler turn.

Runs on the writer's thread. A `Batch` also keeps what must happen to spill files once the transaction has ended one way
or the other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from copy import copy
from datetime import datetime
from typing import Any

import msgspec

from asyncflow.core.commands import (
    ClearXComs,
    DeleteRun,
    DeleteTask,
    Journal,
    SaveBackfill,
    SaveBackfillProgress,
    SaveCallBack,
    SaveDagState,
    SaveDatasetConsumer,
    SaveDatasetEvent,
    SaveDatasetQueue,
    SaveRendered,
    SaveRun,
    SaveSlaMiss,
    SaveTask,
    SaveTry,
    SaveXComs,
    TakeDatasetEvents,
    Write,
)
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.errors import StaleWrite
from asyncflow.store.backfills import BACKFILLS
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec, to_json, to_micros
from asyncflow.store.spill import SPILL_ABOVE, SpillFiles

RUNS = RowCodec(DagRun)
TASKS = RowCodec(TaskInstance)
_TRIES = RowCodec(SaveTry)
_LINES = RowCodec(Journal)
_PROGRESS = RowCodec(SaveBackfillProgress)
_MISSES = RowCodec(SaveSlaMiss)
_DAG_STATES = RowCodec(SaveDagState)
_DATASET_EVENTS = RowCodec(SaveDatasetEvent)
_CONSUMERS = RowCodec(SaveDatasetConsumer)
_TAKEN = RowCodec(TakeDatasetEvents)


class Batch:
    """One transaction under way."""

    __slots__ = ("at", "db", "dropped", "spill", "spilled")

    def __init__(self, db: sqlite3.Connection, spill: SpillFiles, at: datetime) -> None:
        self.db = db
        self.spill = spill
        self.at = to_micros(at)
        self.spilled: list[str] = []  #: files written: deleted if the transaction fails
        self.dropped: list[str] = []  #: files whose rows are deleted: deleted when the transaction has succeeded


def frozen(writes: Sequence[Write]) -> list[Write]:
    """The writes as they are now: rows in them belong to the scheduler, which may change them while we write."""
    return [_frozen(write) for write in writes]


def _frozen(write: Write) -> Write:
    if isinstance(write, SaveTask):
        return msgspec.structs.replace(write, ti=copy(write.ti))
    if isinstance(write, SaveRun):
        return msgspec.structs.replace(write, run=copy(write.run))
    if isinstance(write, SaveBackfill):
        return msgspec.structs.replace(write, backfill=copy(write.backfill))
    return write


def apply(batch: Batch, writes: Sequence[Write]) -> None:
    """Carry out all writes in order. Raises StaleWrite, naming the row, or sqlite3.Error."""
    for write in writes:
        _APPLY[type(write)](batch, write)


def key_params(key: TaskKey) -> dict[str, Any]:
    """`:dag_id, :run_id, :task_id, :map_index`."""
    return {"dag_id": key.dag_id, "run_id": key.run_id, "task_id": key.task_id, "map_index": key.map_index}


def put_xcom(batch: Batch, key: TaskKey, name: str, value: str) -> None:
    """Set one XCom, as the newest push."""
    where = {**key_params(key), "key": name}
    drop_xcoms(batch, "delete_xcom", where)
    stored: str | None = value
    file = None
    if len(value) > SPILL_ABOVE:
        file, stored = batch.spill.write(value), None
        batch.spilled.append(file)
    _insert(batch, "insert_xcom", {**where, "value": stored, "spill": file, "at": batch.at}, _task_name(key))


def drop_xcoms(batch: Batch, query: str, where: dict[str, Any]) -> None:
    """Delete XComs by a query that returns their spill files."""
    batch.dropped += [spill for (spill,) in batch.db.execute(SQL[query], where) if spill is not None]


def _save_run(batch: Batch, write: SaveRun) -> None:
    run = write.run
    params = RUNS.params(run)
    name = f"run {run.run_id!r} of DAG {run.dag_id!r}"
    if write.expected is None:
        _insert(batch, "insert_run", params, name)
    else:
        _update(batch, "update_run", "run_state", {**params, "expected": write.expected.value}, name)


def _save_task(batch: Batch, write: SaveTask) -> None:
    params = TASKS.params(write.ti)
    if write.expected is None:
        _insert(batch, "insert_task", params, _task_name(write.ti.key))
    else:
        params["expected"] = write.expected.value
        _update(batch, "update_task", "task_state", params, _task_name(write.ti.key))


def _task_name(key: TaskKey) -> str:
    copy_of = f" [{key.map_index}]" if key.map_index >= 0 else ""
    return f"task instance {key.task_id!r}{copy_of} in run {key.run_id!r} of DAG {key.dag_id!r}"


def _insert(batch: Batch, query: str, params: dict[str, Any], name: str) -> None:
    try:
        batch.db.execute(SQL[query], params)
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
            raise StaleWrite(name, None, "another row with its name or date") from error
        error.add_note(f"while writing the {name}")
        raise


def _update(batch: Batch, query: str, state_query: str, params: dict[str, Any], name: str) -> None:
    if batch.db.execute(SQL[query], params).rowcount == 1:
        return
    found = batch.db.execute(SQL[state_query], params).fetchone()
    raise StaleWrite(name, params["expected"], found[0] if found else None)


def _delete_run(batch: Batch, write: DeleteRun) -> None:
    where = {"dag_id": write.dag_id, "run_id": write.run_id}
    batch.dropped += [name for (name,) in batch.db.execute(SQL["spills_of_run"], where)]
    batch.db.execute(SQL["delete_run"], where)


def _delete_task(batch: Batch, write: DeleteTask) -> None:
    where = key_params(write.key)
    drop_xcoms(batch, "clear_xcoms", where)
    batch.db.execute(SQL["delete_task"], where)


def _save_try(batch: Batch, write: SaveTry) -> None:
    params = {**_TRIES.params(write), **key_params(write.key)}
    batch.db.execute(SQL["drop_other_try"], params)
    batch.db.execute(SQL["save_try"], params)


def _save_xcoms(batch: Batch, write: SaveXComs) -> None:
    for name, value in write.values.items():
        put_xcom(batch, write.key, name, value)


def _clear_xcoms(batch: Batch, write: ClearXComs) -> None:
    drop_xcoms(batch, "clear_xcoms", key_params(write.key))


def _save_rendered(batch: Batch, write: SaveRendered) -> None:
    batch.db.execute(SQL["save_rendered"], {**key_params(write.key), "fields": to_json(write.fields)})


def _append_journal(batch: Batch, write: Journal) -> None:
    params = _LINES.params(write)
    params["details"] = params["details"] if write.details else None
    batch.db.execute(SQL["append_journal"], params)


def _save_dag_state(batch: Batch, write: SaveDagState) -> None:
    if batch.db.execute(SQL["save_dag_state"], _DAG_STATES.params(write)).rowcount != 1:
        raise StaleWrite(f"DAG {write.dag_id!r}", "known", None)


def _save_sla_miss(batch: Batch, write: SaveSlaMiss) -> None:
    batch.db.execute(SQL["insert_sla_miss"], _MISSES.params(write))


def _save_backfill(batch: Batch, write: SaveBackfill) -> None:
    batch.db.execute(SQL["insert_backfill"], BACKFILLS.params(write.backfill))


def _save_backfill_progress(batch: Batch, write: SaveBackfillProgress) -> None:
    batch.db.execute(SQL["update_backfill"], _PROGRESS.params(write))


def _save_callback(batch: Batch, write: SaveCallBack) -> None:
    payload = to_json(write.payload)
    batch.db.execute(SQL["add_callback"], {"callback_id": write.callback_id, "payload": payload, "at": batch.at})


def _save_dataset_event(batch: Batch, write: SaveDatasetEvent) -> None:
    params = _DATASET_EVENTS.params(write)
    batch.db.execute(SQL["note_dataset"], params)
    batch.db.execute(SQL["insert_dataset_event"], params)
    for alias in write.aliases:
        batch.db.execute(SQL["note_alias"], {"alias": alias, "uri": write.uri})


def _queue_dataset(batch: Batch, write: SaveDatasetQueue) -> None:
    batch.db.execute(SQL["queue_dataset"], {"dag_id": write.dag_id, "uri": write.uri, "at": to_micros(write.at)})


def _save_consumer(batch: Batch, write: SaveDatasetConsumer) -> None:
    params = _CONSUMERS.params(write)
    batch.db.execute(SQL["delete_consumer" if write.since is None else "save_consumer"], params)
    batch.db.execute(SQL["trim_dataset_queue"], params)


def _take_dataset_events(batch: Batch, write: TakeDatasetEvents) -> None:
    batch.db.execute(SQL["take_dataset_events"], _TAKEN.params(write))
    _save_consumer(batch, SaveDatasetConsumer(dag_id=write.dag_id, since=write.upto))


_APPLY: dict[type, Callable[[Batch, Any], None]] = {
    SaveRun: _save_run,
    SaveTask: _save_task,
    DeleteRun: _delete_run,
    DeleteTask: _delete_task,
    SaveTry: _save_try,
    SaveXComs: _save_xcoms,
    ClearXComs: _clear_xcoms,
    SaveRendered: _save_rendered,
    Journal: _append_journal,
    SaveDagState: _save_dag_state,
    SaveCallBack: _save_callback,
    SaveSlaMiss: _save_sla_miss,
    SaveBackfill: _save_backfill,
    SaveBackfillProgress: _save_backfill_progress,
    SaveDatasetEvent: _save_dataset_event,
    SaveDatasetQueue: _queue_dataset,
    SaveDatasetConsumer: _save_consumer,
    TakeDatasetEvents: _take_dataset_events,
}
