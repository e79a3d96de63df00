"""What people wish for: clear, mark, backfill, answer, and the like; a part of `core.world.World`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from asyncflow.core import amend, asking, backfill, clearing, removal
from asyncflow.core.clearing import Doing, Selection
from asyncflow.core.models import (
    Backfill,
    BackfillDate,
    BackfillOptions,
    DagRun,
    TaskInstance,
    TaskKey,
)
from asyncflow.core.sentence import Sentence
from asyncflow.core.sight import Sight
from asyncflow.core.states import RunState, TaskState
from asyncflow.errors import NotFound


class Wishes(Sight):
    """Each is carried out at once, in memory; what that makes of the database and of processes is in the effects."""

    def clear(
        self,
        dag_id: str,
        *,
        run_ids: Sequence[str],
        task_ids: Collection[str] | None = None,
        map_indexes: Collection[int] | None = None,
        upstream: bool = False,
        downstream: bool = False,
        only_failed: bool = False,
        only_running: bool = False,
        dry_run: bool = False,
        now: datetime,
        actor: str = "user",
    ) -> list[TaskKey]:
        """Have instances run again: those of `task_ids` (None = all) and their relatives in these runs, as Airflow.

        `only_failed` (failed, upstream_failed) and `only_running` may be combined. Runs that are not in memory are
        left out. Returns what was (or, with `dry_run`, would be) touched.
        """
        dag = self._dag(dag_id)
        what = Selection(
            run_ids, dag.graph.all_ids if task_ids is None else task_ids, map_indexes, upstream, downstream
        )
        states = {TaskState.FAILED, TaskState.UPSTREAM_FAILED} if only_failed else set()
        if only_running:
            states.add(TaskState.RUNNING)
        return clearing.clear(self._doing(now, actor, dry_run), dag, what, states=frozenset(states) or None)

    def mark(
        self,
        dag_id: str,
        *,
        run_ids: Sequence[str],
        task_ids: Collection[str],
        state: TaskState,
        map_indexes: Collection[int] | None = None,
        upstream: bool = False,
        downstream: bool = False,
        dry_run: bool = False,
        now: datetime,
        actor: str = "user",
    ) -> list[TaskKey]:
        """Set instances to success, failed or skipped, and clear what is failed below them. As `clear` otherwise."""
        what = Selection(run_ids, task_ids, map_indexes, upstream, downstream)
        return clearing.mark(self._doing(now, actor, dry_run), self._dag(dag_id), what, state)

    def backfill(
        self,
        dag_id: str,
        options: BackfillOptions,
        dates: Sequence[BackfillDate],
        *,
        backfill_id: int,
        task_regex: str | None = None,
        known: Sequence[DagRun] = (),
        dry_run: bool = False,
        now: datetime,
        actor: str = "user",
    ) -> backfill.Plan:
        """Have the runs of `dates` (oldest first) made or taken over one after the other; see `core.backfill`.

        Runs of the range must be in memory, but for those in `known`, which it leaves alone. A plan that is `refused`
        has done nothing but to reset what it should.
        Raises NotFound, InvalidInput.
        """
        dag = self._dag(dag_id)
        if task_regex is not None:
            tasks = backfill.chosen_tasks(dag.graph, task_regex, upstream=not options.ignore_dependencies)
            options = msgspec.structs.replace(options, tasks=tasks)
        made = backfill.plan(self._doing(now, actor, dry_run), dag, options, dates, known)
        if not dry_run and not made.refused:
            row = Backfill(
                backfill_id=backfill_id,
                dag_id=dag_id,
                options=options,
                dates=made.dates,
                created_at=now,
                triggered_by=actor,
            )
            backfill.begin(self._machine, row)
        return made

    def pause_backfill(self, backfill_id: int, paused: bool, *, now: datetime, actor: str = "user") -> bool:
        """Let its further dates wait, or go on with them. False if it starts none any more."""
        return backfill.pause(self._machine, backfill_id, paused, now, actor)

    def cancel_backfill(self, backfill_id: int, *, now: datetime, actor: str = "user") -> bool:
        """Make no further runs; those that are active go on. False if it is not under way."""
        return backfill.cancel(self._machine, backfill_id, now, actor)

    def set_run_state(
        self, dag_id: str, run_id: str, state: RunState, *, dry_run: bool = False, now: datetime, actor: str = "user"
    ) -> list[TaskKey]:
        """Set a run to success, failed or queued. Raises NotFound if it is not in memory.

        That of a DAG which no file defines any more can be ended, too.
        """
        dag = self._dag(dag_id) if state is RunState.QUEUED else self._machine.dags.get(dag_id)
        live = dag.runs.get(run_id) if dag is not None else None
        if live is None:
            raise NotFound(Sentence("run of DAG {dag!r} named", dag=dag_id), run_id, dag.runs if dag else ())
        return clearing.set_run_state(self._doing(now, actor, dry_run), live, state)

    def remove_run(
        self, dag_id: str, run_id: str, *, dry_run: bool = False, now: datetime, actor: str = "user"
    ) -> None:
        """Delete a run in memory. Raises NotFound, and Conflict for one that is at work, also with `dry_run`."""
        live = self._machine.find_run((dag_id, run_id))
        if live is None:
            raise NotFound(Sentence("run of DAG {dag!r} named", dag=dag_id), run_id)
        removal.remove_run(self._doing(now, actor, dry_run), live)

    def put_back(
        self, run: DagRun, tis: Iterable[TaskInstance], *, now: datetime, actor: str = "user"
    ) -> amend.PutBack:
        """Undo: make a run and its instances what these copies from before say, where nothing started since.

        A run that is not in memory is left alone.
        """
        live = self._machine.find_run((run.dag_id, run.run_id))
        if live is None:
            return amend.PutBack([], [], {})
        return amend.put_back(self._machine, live, run, tis, now, actor)

    def set_note(
        self,
        dag_id: str,
        run_id: str,
        note: str | None,
        *,
        task_id: str | None = None,
        map_index: int = -1,
        now: datetime,
        actor: str = "user",
    ) -> None:
        """Write a note on a run in memory, or on one of its instances. Raises NotFound."""
        live = self._machine.find_run((dag_id, run_id))
        if live is None:
            raise NotFound(Sentence("run of DAG {dag!r} named", dag=dag_id), run_id)
        ti = live.get(task_id, map_index) if task_id is not None else None
        if task_id is not None and ti is None:
            raise NotFound(
                Sentence("task instance in run {run!r} of DAG {dag!r} named", run=run_id, dag=dag_id), task_id
            )
        amend.set_note(self._machine, live, ti, note, now, actor)

    def answer(
        self, key: TaskKey, chosen: Sequence[str], values: Mapping[str, Any], *, now: datetime, actor: str = "user"
    ) -> None:
        """An instance that asks a person goes on. Raises Conflict if it asks nothing, and InvalidInput."""
        asking.answer(self._machine, key, chosen, values, now, actor)

    def _doing(self, now: datetime, actor: str, dry_run: bool) -> Doing:
        return Doing(self._machine, now, actor, dry_run)
