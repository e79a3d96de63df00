"""What people can do and ask: the one door for the web pages, the API and the CLI.

Every public coroutine takes keyword arguments that are JSON values and returns JSON values (times as ISO text).
Errors are `errors.NotFound`, `errors.Conflict` and `errors.InvalidInput`, each a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from asyncflow import __version__
from asyncflow.core.specs import DagSpec
from asyncflow.engine.amends import AmendActions
from asyncflow.engine.answers import AnswerActions
from asyncflow.engine.audit import AuditActions, recorded
from asyncflow.engine.backfill_pages import BackfillPages
from asyncflow.engine.backfills import BackfillActions
from asyncflow.engine.browse import BrowsePages
from asyncflow.engine.bulk import BulkActions
from asyncflow.engine.changes import Changes
from asyncflow.engine.clearing import ClearingActions
from asyncflow.engine.clock import Clock
from asyncflow.engine.connection_forms import AskChild, ConnectionFormActions
from asyncflow.engine.credentials import CredentialActions
from asyncflow.engine.dag_pages import DagPages
from asyncflow.engine.dags import DagActions
from asyncflow.engine.dataset_pages import DatasetPages
from asyncflow.engine.datasets import DatasetActions, dataset_fields
from asyncflow.engine.favourites import FavouriteActions
from asyncflow.engine.files import DagFiles
from asyncflow.engine.instance_pages import InstancePages
from asyncflow.engine.launcher import Launcher
from asyncflow.engine.monitor import Monitor
from asyncflow.engine.pages import Pages
from asyncflow.engine.pool_use import PoolUseActions
from asyncflow.engine.records import RecordActions
from asyncflow.engine.runs import RunActions
from asyncflow.engine.scheduler import Scheduler
from asyncflow.engine.search import SearchPages
from asyncflow.engine.server_pages import ServerPages
from asyncflow.engine.variable_forms import VariableFormActions
from asyncflow.store.database import Store


@recorded
class Actions(
    AuditActions,
    BulkActions,
    DagActions,
    RunActions,
    CredentialActions,
    ConnectionFormActions,
    VariableFormActions,
    PoolUseActions,
    DatasetActions,
    BackfillActions,
    ClearingActions,
    RecordActions,
    AmendActions,
    AnswerActions,
    FavouriteActions,
):
    """Reads from the store, changes through the scheduler."""

    server: ServerPages  #: what the pages about the server itself read; set by `assembly`

    def __init__(
        self,
        *,
        store: Store,
        scheduler: Scheduler,
        files: DagFiles,
        launcher: Launcher,
        clock: Clock,
        monitor: Monitor,
        logs: Path,
        validate_conf: Callable[[DagSpec, dict[str, Any]], None],
        variable_changed: Callable[[str], None],
        connection_changed: Callable[[str], None],
        ask_child: AskChild,
        changes: Changes,
        folder: Path,
    ) -> None:
        #: what the pages of one DAG read
        self.dag_pages = DagPages(store, clock, lambda spec: dataset_fields(spec, scheduler.world))
        #: what the others read
        self.pages = Pages(store=store, scheduler=scheduler, clock=clock, changes=changes, logs=logs, folder=folder)
        self.dataset_pages = DatasetPages(store, scheduler, self.pages)
        self.backfill_pages = BackfillPages(store, clock)
        self.search = SearchPages(store, self.pages, self.dataset_pages)
        #: the lists over all DAGs
        self.browse = BrowsePages(store, scheduler, clock)
        #: and those of one task instance
        self.instances = InstancePages(store, scheduler, clock)
        self._store = store
        self._planned = {}
        self._scheduler = scheduler
        self._files = files
        self._launcher = launcher
        self._clock = clock
        self._monitor = monitor
        self._logs = logs
        self._validate_conf = validate_conf
        self._variable_changed = variable_changed
        self._connection_changed = connection_changed
        self._ask_child = ask_child
        self._learned = {}
        self._changes = changes

    async def health(self) -> dict[str, Any]:
        """Airflow's /health shape, and what we know beyond it."""
        health = self._monitor.health(self._clock.now())
        return {**health, "asyncflow": {**health["asyncflow"], **await self._what_waits()}}

    async def _what_waits(self) -> dict[str, int]:
        """What asks for someone's attention, or is under way beside the runs."""
        found = await self._store.attention()
        return {
            "callbacks_due": found.callbacks_due,
            "active_runs_late": found.late_runs,
            "backfills_active": found.backfills,
        }

    async def version(self) -> str:
        """The server's version."""
        return __version__
