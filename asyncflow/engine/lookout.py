"""What the server does for sensors that have no process: looks up runs, looks for files, writes their logs.

All of it may be asked for thousands of times in one turn of the scheduler, so it is done in batches, files in worker
threads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from asyncflow.core.commands import LogLines, LookForFile, LookUpRun
from asyncflow.core.models import DagRun
from asyncflow.core.world import World
from asyncflow.engine.paths import log_path
from asyncflow.engine.scheduler import Scheduler
from asyncflow.ipc.files import first_match
from asyncflow.store.database import Store
from asyncflow.store.runs import LoadedRun

log = logging.getLogger(__name__)

_MOMENT = timedelta(microseconds=1)
#: Seconds between two questions to a store that is in trouble.
RETRY = 5.0
#: With more tries than this to write about, sensors are being woken or begun by the thousand: that goes first,
#: and the logs follow after so many seconds.
CROWD, PAUSE = 200, 1.0


class Lookout:
    """Carries out LookUpRun, LookForFile and LogLines; the answers become facts of a later turn."""

    def __init__(self, *, store: Store, scheduler: Scheduler, logs: Path, spawn: Callable[..., None]) -> None:
        self._store = store
        self._scheduler = scheduler
        self._logs = logs
        self._spawn = spawn
        self._runs: list[LookUpRun] = []
        self._files: list[LookForFile] = []
        self._lines: list[LogLines] = []
        self._asked: set[LookForFile] = set()  #: looks that a thread is at: a slow folder is not looked into twice
        self._writing = False

    def carry_out(self, act: LookUpRun | LookForFile | LogLines) -> None:
        """Note it down for the next batch; never blocks."""
        match act:
            case LookUpRun():
                self._runs.append(act)
                if len(self._runs) == 1:
                    self._spawn(self._look_up)
            case LookForFile():
                self._files.append(act)
                if len(self._files) == 1:
                    self._spawn(self._look_for_files)
            case LogLines():
                self._lines.append(act)
                if not self._writing:
                    self._writing = True
                    self._spawn(self._write)

    async def _look_up(self) -> None:
        asked, self._runs = self._runs, []
        for act in asked:
            found, near = await self._answer(act)
            self._scheduler.tell(partial(_looked_up, act, found, near))

    async def _answer(self, act: LookUpRun) -> tuple[LoadedRun | None, list[DagRun]]:
        """What the store knows; asked until it answers."""
        while True:
            try:
                runs = await self._store.find_runs(
                    dag_id=act.dag_id, logical_from=act.logical_date, logical_to=act.logical_date, limit=1
                )
                found = await self._store.load_run(act.dag_id, runs[0].run_id) if runs else None
                return found, [] if found is not None else await self._near(act)
            except OSError as error:
                log.error("The runs of DAG %s cannot be read, trying again: %s", act.dag_id, error)
                await anyio.sleep(RETRY)

    async def _near(self, act: LookUpRun) -> list[DagRun]:
        """The runs with the next logical dates before and after."""
        before = await self._store.run_before(act.dag_id, act.logical_date)
        after = await self._store.find_runs(
            dag_id=act.dag_id, logical_from=act.logical_date + _MOMENT, limit=1, oldest_first=True
        )
        return [*([before] if before is not None else []), *after]

    async def _look_for_files(self) -> None:
        acts = [act for act in self._files if act not in self._asked]
        self._files = []
        self._asked.update(acts)
        try:
            found = await anyio.to_thread.run_sync(_look_for_all, acts)
        finally:
            self._asked.difference_update(acts)
        for act, path in zip(acts, found, strict=True):
            self._scheduler.tell(partial(_looked_for, act, path))

    async def _write(self) -> None:
        try:
            while self._lines:
                if len(self._lines) > CROWD:
                    await anyio.sleep(PAUSE)
                acts, self._lines = self._lines, []
                await anyio.to_thread.run_sync(_write_all, self._logs, acts)
        finally:
            self._writing = False


def _looked_up(act: LookUpRun, found: LoadedRun | None, near: list[DagRun], world: World, now: datetime) -> None:
    world.run_looked_up(act.dag_id, act.logical_date, found, near=near, now=now)


def _looked_for(act: LookForFile, path: str | None, world: World, now: datetime) -> None:
    world.file_looked_for(act.key, act.token, path, now)


def _look_for_all(acts: Sequence[LookForFile]) -> list[str | None]:
    known: dict[tuple[str, bool], str | None] = {}
    for act in acts:
        if (act.pattern, act.recursive) not in known:
            known[act.pattern, act.recursive] = first_match(act.pattern, recursive=act.recursive)
    return [known[act.pattern, act.recursive] for act in acts]


def _write_all(logs: Path, acts: Sequence[LogLines]) -> None:
    for act in acts:
        key = act.key
        path = log_path(logs, key.dag_id, key.run_id, key.task_id, key.map_index, act.try_number)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in formatted(act))
        except OSError as error:
            log.error("The log %s cannot be written: %s", path, error)


def formatted(act: LogLines) -> list[str]:
    """The lines in the format of a task's log."""
    head = f"[{act.at:%Y-%m-%dT%H:%M:%S}.{act.at.microsecond // 1000:03d}+0000] {{sensor:0}}"
    return [f"{head} INFO - {line}" for line in act.lines]
