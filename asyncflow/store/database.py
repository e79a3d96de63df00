"""`Store`: the one door to the database.

What each method does inside its transaction is in the module it names (`runs`, `dags`, `xcom`, ...); how it gets
there is in `sqlite`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from asyncflow.core.commands import Write
from asyncflow.core.messages import ImportFailure, Parsed
from asyncflow.core.models import Backfill, DagRun, DatasetState, Pool, TaskInstance, TaskKey
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState, RunType
from asyncflow.store import backfills, checks, credentials, dags, datasets, pools, runs, xcom
from asyncflow.store.attention import AttentionReads
from asyncflow.store.backfill_pages import BackfillReads
from asyncflow.store.backfills import StoredSlaMiss
from asyncflow.store.browse import BrowseReads
from asyncflow.store.credential_pages import CredentialReads
from asyncflow.store.credentials import Connection, Variable
from asyncflow.store.dags import StoredDag, StoredFile, StoredImportError, StoredVersion
from asyncflow.store.dataset_pages import DatasetReads
from asyncflow.store.datasets import StoredDataset, StoredEvent
from asyncflow.store.favourites import FavouriteStore
from asyncflow.store.grid import GridReads
from asyncflow.store.instances import InstanceReads
from asyncflow.store.migrate import copy
from asyncflow.store.pages import PageReads
from asyncflow.store.past import PastReads
from asyncflow.store.queries import SQL
from asyncflow.store.rows import to_micros
from asyncflow.store.runs import DagSummary, JournalLine, LoadedRun, PendingCallback, StoredTry
from asyncflow.store.writes import Batch, apply, drop_xcoms, frozen, key_params, put_xcom
from asyncflow.store.xcom import StoredXCom

__all__ = [
    "Connection",
    "DagSummary",
    "JournalLine",
    "Store",
    "StoredDag",
    "StoredDataset",
    "StoredEvent",
    "StoredFile",
    "StoredImportError",
    "StoredSlaMiss",
    "StoredTry",
    "StoredVersion",
    "StoredXCom",
    "Variable",
]


class Store(
    AttentionReads,
    CredentialReads,
    FavouriteStore,
    GridReads,
    PageReads,
    PastReads,
    BackfillReads,
    DatasetReads,
    BrowseReads,
    InstanceReads,
):
    """An open database. Make it with `open`, end it with `close` (or use it as an async context manager)."""

    # ---- the hot path -----------------------------------------------------------------------------------------------

    async def commit(self, writes: Sequence[Write]) -> int:
        """Write everything in one transaction, in order; returns the number of the journal's last line.

        The writes are copied before the first await: the scheduler may go on changing its rows. Raises StaleWrite
        (naming the row), DiskTrouble or StoreBroken, and then nothing is written.
        """
        seq: int = await self._write(_commit, frozen(writes))
        self.named_writes += 1
        return seq

    # ---- DAGs -------------------------------------------------------------------------------------------------------

    async def load_dags(self, *, active_only: bool = False) -> list[StoredDag]:
        """All DAGs that are, or were, in the folder; by dag_id."""
        return await self._read(dags.load_dags, active_only)

    async def load_dag(self, dag_id: str) -> StoredDag | None:
        return await self._read(dags.load_dag, dag_id)

    async def save_dags(
        self,
        file: str,
        specs: Sequence[tuple[DagSpec, str]],
        *,
        parsed: Parsed,
        now: datetime,
        content_hash: str = "",
        paused_at_creation: bool = True,
    ) -> dict[str, bool]:
        """Store what a file built, (DAG, version) each; says for each DAG whether it is paused.

        DAGs that left the file become inactive. Raises Conflict, and stores nothing, if one belongs to another file.
        """
        return await self._change(dags.save_dags, file, specs, parsed, content_hash, now, paused_at_creation)

    async def file_gone(self, file: str) -> list[str]:
        """A file was deleted: its DAGs (returned) become inactive, its import error goes."""
        return await self._change(dags.file_gone, file)

    async def known_files(self) -> list[str]:
        """Files that were in the folder when last seen."""
        return await self._read(dags.known_files)

    async def load_files(self) -> list[StoredFile]:
        return await self._read(dags.load_files)

    async def load_version(self, dag_id: str, version: str) -> StoredVersion | None:
        """An older (or the newest) version of a DAG, with the text of its file."""
        return await self._read(dags.load_version, dag_id, version)

    async def delete_dag(self, dag_id: str) -> int:
        """Delete a DAG with all its runs (the journal keeps its lines); returns how many runs it had."""
        count: int = await self._write(_delete_dag, dag_id)
        return count

    async def save_import_error(self, file: str, failure: ImportFailure, at: datetime) -> None:
        await self._change(dags.save_import_error, file, failure, at)

    async def clear_import_error(self, file: str) -> None:
        await self._change(_execute, "clear_import_error", {"file": file})

    async def list_import_errors(self) -> list[StoredImportError]:
        return await self._read(dags.list_import_errors)

    # ---- runs and tasks ---------------------------------------------------------------------------------------------

    async def load_active_runs(self) -> list[LoadedRun]:
        """Queued and running runs in order of creation, each with all its task instances."""
        return await self._read(runs.load_active_runs)

    async def load_run(self, dag_id: str, run_id: str) -> LoadedRun | None:
        """A run and its task instances by task_id and map_index."""
        return await self._read(runs.load_run, dag_id, run_id)

    async def find_runs(
        self,
        dag_id: str | None = None,
        *,
        states: Sequence[RunState] | None = None,
        run_types: Sequence[RunType] | None = None,
        logical_from: datetime | None = None,
        logical_to: datetime | None = None,
        limit: int = 100,
        offset: int = 0,
        oldest_first: bool = False,
    ) -> list[DagRun]:
        """Runs by `run_after`, newest first; bounds are inclusive; limit -1 = all."""
        logical, page = (logical_from, logical_to), (limit, offset)
        return await self._read(runs.find_runs, dag_id, states, run_types, logical, page, oldest_first)

    async def runs_by_id(self, dag_id: str, run_ids: Sequence[str]) -> list[DagRun]:
        """Those of the runs that exist, oldest first."""
        return await self._read(runs.runs_by_id, dag_id, run_ids)

    async def run_before(
        self,
        dag_id: str,
        logical_date: datetime | None,
        *,
        state: RunState | None = None,
        run_types: Sequence[RunType] | None = None,
    ) -> DagRun | None:
        """The run with the latest logical date before this one; None also for a run without a date."""
        if logical_date is None:
            return None
        return await self._read(runs.run_before, dag_id, logical_date, [state] if state else None, run_types)

    async def last_automated_run(self, dag_id: str) -> DagRun | None:
        """The scheduled or backfill run with the latest logical date: where the schedule has come to."""
        return await self._read(runs.last_automated_run, dag_id)

    async def last_automated_runs(self) -> dict[str, DagRun]:
        """The same for all active DAGs, by dag_id."""
        return await self._read(runs.last_automated_runs)

    async def run_exists(self, dag_id: str, run_id: str, logical_date: datetime | None) -> str | None:
        """The run_id of a run that has this name or, else, this logical date."""
        return await self._read(runs.run_exists, dag_id, run_id, logical_date)

    async def dag_summaries(self, dag_ids: Sequence[str] | None = None) -> dict[str, DagSummary]:
        """Last run and runs by state, by dag_id; DAGs without runs are left out."""
        return await self._read(runs.dag_summaries, dag_ids)

    async def list_tasks(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        return await self._read(runs.list_tasks, dag_id, run_id)

    async def load_task(self, key: TaskKey) -> TaskInstance | None:
        return await self._read(runs.load_task, key)

    async def list_tries(self, key: TaskKey) -> list[StoredTry]:
        """Oldest first."""
        return await self._read(runs.list_tries, key)

    async def rendered(self, key: TaskKey) -> dict[str, Any] | None:
        """The rendered template fields of the last try, masked."""
        return await self._read(runs.load_rendered, key)

    async def journal(
        self, after_seq: int = 0, *, dag_id: str | None = None, run_id: str | None = None, limit: int = 1000
    ) -> list[JournalLine]:
        """Lines after `after_seq`, oldest first; of a DAG, or of one run of it."""
        return await self._read(runs.list_journal, after_seq, dag_id, run_id, limit)

    # ---- XCom -------------------------------------------------------------------------------------------------------

    async def xcom_set(self, key: TaskKey, name: str, value: str) -> None:
        """Set one XCom at once (a task pushes while it runs)."""
        await self._write(put_xcom, key, name, value)
        self.named_writes += 1

    async def xcom_clear(self, key: TaskKey) -> None:
        await self._write(drop_xcoms, "clear_xcoms", key_params(key))
        self.named_writes += 1

    async def xcom_rows(
        self,
        *,
        dag_id: str,
        run_id: str,
        task_ids: Sequence[str] | None = None,
        key: str | None = None,
        map_indexes: Sequence[int] | None = None,
        include_prior_dates: bool = False,
    ) -> list[StoredXCom]:
        """What `authoring.api.TaskApi.xcom_rows` asks for, in the order it says."""
        return await self._read(
            xcom.xcom_rows, self._spill, dag_id, run_id, task_ids, key, map_indexes, include_prior_dates
        )

    # ---- datasets ---------------------------------------------------------------------------------------------------

    async def load_datasets(self, dags: Sequence[StoredDag]) -> DatasetState:
        """What a scheduler that starts must know of datasets; `dags`: those that may wait for some."""
        return await self._read(datasets.load_state, dags)

    async def list_datasets(self) -> list[StoredDataset]:
        """Datasets that were updated at least once, by URI."""
        return await self._read(datasets.list_datasets)

    async def dataset_events(
        self,
        *,
        uri: str | None = None,
        alias: str | None = None,
        newest_first: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> list[StoredEvent]:
        """Events in the order of time; of one dataset (by URI, or an asset's name), or of an alias; limit -1 = all."""
        return await self._read(datasets.events, uri, alias, newest_first, (limit, offset))

    async def count_dataset_events(self, *, uri: str | None = None, alias: str | None = None) -> int:
        """How many events there are."""
        return await self._read(datasets.count_events, uri, alias)

    async def events_of_run(self, dag_id: str, run_id: str) -> list[StoredEvent]:
        """The events that a run was made for, in the order of time."""
        return await self._read(datasets.events_of_run, dag_id, run_id)

    async def runs_of_event(self, event_id: int) -> list[tuple[str, str]]:
        """(dag_id, run_id) of the runs that were made for an event."""
        return await self._read(datasets.runs_of_event, event_id)

    async def dataset_queues(self) -> dict[str, dict[str, datetime]]:
        """By DAG: the datasets that were updated since its last run, each with the first time."""
        return await self._read(datasets.queues)

    # ---- backfills, and what was late -------------------------------------------------------------------------------

    async def active_backfills(self) -> list[Backfill]:
        """Those under way, oldest first."""
        return await self._read(backfills.active_backfills)

    async def load_backfill(self, backfill_id: int) -> Backfill | None:
        return await self._read(backfills.load_backfill, backfill_id)

    async def list_backfills(self, dag_id: str | None = None, *, limit: int = 100) -> list[Backfill]:
        """Newest first."""
        return await self._read(backfills.list_backfills, dag_id, limit)

    async def last_backfill(self) -> int:
        """The highest backfill_id, 0 before the first."""
        return await self._read(backfills.last_backfill)

    async def list_sla_misses(
        self, dag_id: str | None = None, run_id: str | None = None, *, limit: int = 100
    ) -> list[StoredSlaMiss]:
        """Newest first."""
        return await self._read(backfills.list_sla_misses, dag_id, run_id, limit)

    async def active_sla_misses(self) -> list[StoredSlaMiss]:
        """Those of queued and running runs."""
        return await self._read(backfills.active_sla_misses)

    # ---- pools, variables, connections ------------------------------------------------------------------------------

    async def list_pools(self) -> list[Pool]:
        return await self._read(pools.list_pools)

    async def put_pool(self, pool: Pool) -> None:
        """Make or change a pool."""
        await self._change(pools.put_pool, pool)

    async def delete_pool(self, name: str) -> bool:
        """True if there was one."""
        return await self._change(pools.delete_pool, name)

    async def variable_get(self, name: str) -> str | None:
        found = await self._read(credentials.get_variable, self._secrets, name)
        return found.value if found else None

    async def variable_set(self, name: str, value: str, description: str | None = None) -> None:
        """A description that is not given stays as it was."""
        await self._change(credentials.set_variable, self._secrets, name, value, description)

    async def variable_delete(self, name: str) -> bool:
        """True if there was one."""
        return await self._change(_execute, "delete_variable", {"name": name}) > 0

    async def list_variables(self) -> list[Variable]:
        """By name, values in clear."""
        return await self._read(credentials.list_variables, self._secrets)

    async def connection_get(self, conn_id: str) -> dict[str, Any] | None:
        """The fields of a connection as `authoring.api.TaskApi.connection_get` wants them, secrets in clear."""
        found = await self._read(credentials.get_connection, self._secrets, conn_id)
        return msgspec.structs.asdict(found) if found else None

    async def connection_set(self, connection: Connection) -> None:
        """Make or replace a connection."""
        await self._change(credentials.set_connection, self._secrets, connection)

    async def connection_delete(self, conn_id: str) -> bool:
        """True if there was one."""
        return await self._change(_execute, "delete_connection", {"conn_id": conn_id}) > 0

    async def list_connections(self) -> list[Connection]:
        """By conn_id, secrets in clear."""
        return await self._read(credentials.list_connections, self._secrets)

    # ---- callbacks that are due, and odds and ends ------------------------------------------------------------------

    async def list_pending_callbacks(self) -> list[PendingCallback]:
        """Callbacks written by `SaveCallBack` and not reported done, oldest first."""
        return await self._read(runs.list_pending_callbacks)

    async def callback_tried(self, callback_id: str) -> None:
        """Count an attempt, before it is made."""
        await self._change(_execute, "callback_tried", {"callback_id": callback_id})

    async def callback_done(self, callback_id: str, at: datetime, error: str | None = None) -> None:
        """It ran (`error` says how it failed), or was given up."""
        params = {"callback_id": callback_id, "at": to_micros(at), "error": error}
        await self._change(_execute, "callback_done", params)

    async def meta_get(self, key: str) -> str | None:
        """A fact about this installation, kept as text."""
        return await self._read(runs.load_meta, key)

    async def meta_set(self, key: str, value: str) -> None:
        await self._change(_execute, "save_meta", {"key": key, "value": value})

    # ---- care -------------------------------------------------------------------------------------------------------

    async def check(self) -> list[str]:
        """What is wrong with the database, a sentence each; empty = all is well. Reads every page."""
        return await self._read(checks.check, self._spill)

    async def backup(self, target: Path) -> None:
        """A consistent copy while the server runs; long XComs and the secret key are not in it."""
        await self._read(copy, target)


def _commit(batch: Batch, writes: Sequence[Write]) -> int:
    apply(batch, writes)
    return runs.last_seq(batch.db)


def _delete_dag(batch: Batch, dag_id: str) -> int:
    where = {"dag_id": dag_id}
    count: int = batch.db.execute(SQL["count_runs"], where).fetchone()[0]
    batch.dropped += [name for (name,) in batch.db.execute(SQL["spills_of_dag"], where)]
    batch.db.execute(SQL["delete_dag"], where)
    batch.db.execute(SQL["drop_unused_sources"])
    return count


def _execute(db: sqlite3.Connection, query: str, params: dict[str, Any]) -> int:
    """One named statement; returns how many rows it touched."""
    return db.execute(SQL[query], params).rowcount
