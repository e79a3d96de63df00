"""What one turn of the scheduler came to, collected for one commit.

A row that moves several times in a turn is written once, with the state it had before the turn as the expected one;
the journal keeps every single move.
"""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from asyncflow.core.commands import (
    Act,
    DeleteTask,
    Effects,
    Journal,
    SaveBackfillProgress,
    SaveDagState,
    SaveRun,
    SaveTask,
    Write,
)
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.states import RunState, TaskState


class Ledger:
    """Collects writes and acts; `drain` hands them over."""

    def __init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self._runs: dict[tuple[str, str], tuple[DagRun, RunState | None]] = {}
        self._tis: dict[TaskKey, tuple[TaskInstance, TaskState | None]] = {}
        self._deleted: list[TaskKey] = []
        self._dags: dict[str, SaveDagState] = {}
        self._backfills: dict[int, SaveBackfillProgress] = {}
        self._writes: list[Write] = []
        self._acts: list[Act] = []

    def new_run(self, run: DagRun) -> None:
        self._runs[run.dag_id, run.run_id] = (run, None)

    def touch_run(self, run: DagRun, before: RunState) -> None:
        """`run` is changed and must be written; `before` is its state before this change."""
        self._runs.setdefault((run.dag_id, run.run_id), (run, before))

    def new_task(self, ti: TaskInstance) -> None:
        self._tis[ti.key] = (ti, None)

    def touch_task(self, ti: TaskInstance, before: TaskState) -> None:
        """`ti` is changed and must be written; `before` is its state before this change."""
        self._tis.setdefault(ti.key, (ti, before))

    def delete_task(self, ti: TaskInstance) -> None:
        """`ti` is no more; one that was never written leaves no trace."""
        touched = self._tis.pop(ti.key, None)
        if touched is None or touched[1] is not None:
            self._deleted.append(ti.key)

    def save_dag(self, state: SaveDagState) -> None:
        self._dags[state.dag_id] = state

    def backfill_progress(self, progress: SaveBackfillProgress) -> None:
        self._backfills[progress.backfill_id] = progress

    def write(self, write: Write) -> None:
        """Any other write, in order."""
        self._writes.append(write)

    def act(self, act: Act) -> None:
        self._acts.append(act)

    def journal_task(
        self, ti: TaskInstance, event: str, at: datetime, before: str, actor: str, details: dict[str, Any]
    ) -> None:
        """One move of a task instance."""
        self._writes.append(
            Journal(
                at=at,
                event=event,
                dag_id=ti.dag_id,
                run_id=ti.run_id,
                task_id=ti.task_id,
                map_index=ti.map_index,
                try_number=ti.try_number,
                before=before,
                after=ti.state.value,
                actor=actor,
                details=details,
            )
        )

    def journal_run(
        self, run: DagRun, event: str, at: datetime, before: str, actor: str, details: dict[str, Any]
    ) -> None:
        """One move of a dag run."""
        self._writes.append(
            Journal(
                at=at,
                event=event,
                dag_id=run.dag_id,
                run_id=run.run_id,
                before=before,
                after=run.state.value,
                actor=actor,
                details=details,
            )
        )

    def drain(self) -> Effects:
        """Everything since the last drain. Rows are copies: later changes do not reach them."""
        writes: list[Write] = [SaveRun(run=copy.copy(run), expected=old) for run, old in self._runs.values()]
        writes += [DeleteTask(key=key) for key in self._deleted]
        writes += [SaveTask(ti=copy.copy(ti), expected=old) for ti, old in self._tis.values()]
        writes += self._dags.values()
        writes += self._writes
        writes += self._backfills.values()
        effects = Effects(writes=writes, acts=self._acts)
        self._open()
        return effects
