"""What people do to task instances and runs: clear, mark, set the state. Part of `engine.actions`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.sentence import Sentence, told
from asyncflow.core.specs import DagSpec, MarkerSpec
from asyncflow.core.states import RunState, TaskState
from asyncflow.core.world import World
from asyncflow.engine.audit import actor
from asyncflow.engine.lookup import Lookup
from asyncflow.engine.moments import moment
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict, InvalidInput, NotAccepted, NotFound
from asyncflow.store.database import StoredDag


class Clearing(NamedTuple):
    """Tasks of some runs of one DAG that are to be cleared."""

    dag_id: str
    run_ids: tuple[str, ...]
    task_ids: tuple[str, ...]
    map_indexes: Sequence[int] | None = None
    upstream: bool = False
    downstream: bool = False

    def carry_out(
        self, world: World, now: datetime, actor: str, *, dry_run: bool, only_failed: bool, only_running: bool
    ) -> list[TaskKey]:
        """Clear them; a DAG that is not there any more is left alone."""
        if world.dag(self.dag_id) is None:
            return []
        return world.clear(
            self.dag_id,
            run_ids=self.run_ids,
            task_ids=self.task_ids,
            map_indexes=self.map_indexes,
            upstream=self.upstream,
            downstream=self.downstream,
            only_failed=only_failed,
            only_running=only_running,
            dry_run=dry_run,
            now=now,
            actor=actor,
        )


def _list(one: Clearing, only: dict[str, bool], world: World, now: datetime) -> list[TaskKey]:
    return one.carry_out(world, now, "", dry_run=True, **only)


class ClearingActions(Lookup):
    """Arguments and answers are JSON values."""

    _scheduler: Scheduler

    async def clear_tasks(
        self,
        dag_id: str,
        task_ids: Sequence[str] | None = None,
        task_regex: str | None = None,
        run_id: str | None = None,
        start: str | None = None,
        end: str | None = None,
        upstream: bool = False,
        downstream: bool = False,
        past: bool = False,
        future: bool = False,
        only_failed: bool = False,
        only_running: bool = False,
        map_indexes: Sequence[int] | None = None,
        recursive: bool = True,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Put task instances back so that they run again; `dry_run` only lists them.

        `recursive`: where an ExternalTaskMarker is cleared, the task of the other DAG that it names and all after it
        are, too; `unresolved` in the answer lists markers whose date only running code could tell.
        """
        dag = await self._stored(dag_id)
        _must_be_there(dag)
        chosen = tuple(_chosen_tasks(dag.spec, task_ids, task_regex))
        runs = tuple(await self._scope(dag_id, run_id, start, end, past=past, future=future))

        first = Clearing(dag_id, runs, chosen, map_indexes, upstream, downstream)
        only = {"only_failed": only_failed, "only_running": only_running}
        clearings, unresolved = await self._with_markers(first, only) if recursive else ([first], [])
        person = actor()

        def decide(world: World, now: datetime) -> list[TaskKey]:
            keys = [key for one in clearings for key in one.carry_out(world, now, person, dry_run=dry_run, **only)]
            return list(dict.fromkeys(keys))

        return {**_touched(await self._scheduler.do(decide)), "unresolved": [list(key) for key in unresolved]}

    async def _with_markers(self, first: Clearing, only: dict[str, bool]) -> tuple[list[Clearing], list[TaskKey]]:
        """A clearing and those that its markers lead to, each once; and the markers that lead nowhere we can tell.

        Raises InvalidInput when markers lead further than the first of them allows.
        """
        clearings, unresolved, seen = [], list[TaskKey](), set[TaskKey]()
        depth_allowed: int | None = None
        wave, depth = [first], 0
        while wave:
            clearings += wave
            keys = [key for one in wave for key in await self._scheduler.do(partial(_list, one, only))]
            fresh = [key for key in keys if key not in seen]
            seen.update(fresh)
            wave, depth = [], depth + 1
            for key in fresh:
                marker = await self._marker(key)
                if marker is None:
                    continue
                depth_allowed = depth_allowed or marker.recursion_depth
                if depth > depth_allowed:
                    raise InvalidInput(
                        "The ExternalTaskMarkers lead through more than {depth_allowed} DAGs (recursion_depth of "
                        "the first one), last through {dag}.{task}. They may go round in a circle.",
                        depth_allowed=depth_allowed,
                        dag=key.dag_id,
                        task=key.task_id,
                    )
                beyond = await self._beyond(key, marker)
                if beyond is None:
                    unresolved.append(key)
                elif beyond.run_ids:
                    wave.append(beyond)
        return clearings, unresolved

    async def _marker(self, key: TaskKey) -> MarkerSpec | None:
        spec = self._scheduler.world.dag(key.dag_id)
        task = spec.tasks.get(key.task_id) if spec is not None else None
        return task.marker if task is not None else None

    async def _beyond(self, key: TaskKey, marker: MarkerSpec) -> Clearing | None:
        """What a marker's instance leads to; None if its date cannot be told."""
        run = self._scheduler.world.run(key.dag_id, key.run_id)
        if marker.offset is None or run is None or run.logical_date is None:
            return None
        date = run.logical_date + marker.offset
        runs = await self._store.find_runs(marker.dag_id, logical_from=date, logical_to=date, limit=-1)
        names = tuple(run.run_id for run in runs)
        await self._load(marker.dag_id, names)
        return Clearing(marker.dag_id, names, (marker.task_id,), downstream=True)

    async def clear_run(
        self, dag_id: str, run_id: str, only_failed: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Clear a whole run, or what failed in it."""
        return await self.clear_tasks(dag_id, run_id=run_id, only_failed=only_failed, dry_run=dry_run)

    async def mark_tasks(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        state: str,
        map_indexes: Sequence[int] | None = None,
        upstream: bool = False,
        downstream: bool = False,
        past: bool = False,
        future: bool = False,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Mark task instances success, failed or skipped; a running one is ended."""
        dag = await self._stored(dag_id)
        _must_be_there(dag)
        chosen = _chosen_tasks(dag.spec, [task_id], None)
        accepted = (TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED)
        if state not in accepted:
            raise NotAccepted("state", state, accepted)
        runs = await self._scope(dag_id, run_id, None, None, past=past, future=future)
        person = actor()

        def decide(world: World, now: datetime) -> list[TaskKey]:
            return world.mark(
                dag_id,
                run_ids=runs,
                task_ids=chosen,
                state=TaskState(state),
                map_indexes=map_indexes,
                upstream=upstream,
                downstream=downstream,
                dry_run=dry_run,
                now=now,
                actor=person,
            )

        return _touched(await self._scheduler.do(decide))

    async def mark_run(self, dag_id: str, run_id: str, state: str, dry_run: bool = False) -> dict[str, Any]:
        """Set the state of a run: success or failed (ends what runs), queued (looks at it again)."""
        accepted = (RunState.SUCCESS, RunState.FAILED, RunState.QUEUED)
        if state not in accepted:
            raise NotAccepted("state", state, accepted)
        await self._scope(dag_id, run_id, None, None, past=False, future=False)
        person = actor()

        def decide(world: World, now: datetime) -> list[TaskKey]:
            return world.set_run_state(dag_id, run_id, RunState(state), dry_run=dry_run, now=now, actor=person)

        return _touched(await self._scheduler.do(decide))

    async def _scope(
        self, dag_id: str, run_id: str | None, start: str | None, end: str | None, *, past: bool, future: bool
    ) -> list[str]:
        """The run ids an action is about, oldest first, each loaded into the scheduler's world."""
        await self._files.ready(dag_id)
        dates = moment(start, "start"), moment(end, "end")
        if run_id is not None:
            run, _ = await self._run(dag_id, run_id)
            if not (past or future) or run.logical_date is None:
                await self._load(dag_id, [run_id])
                return [run_id]
            dates = (None if past else run.logical_date, None if future else run.logical_date)
        runs = await self._store.find_runs(
            dag_id=dag_id, logical_from=dates[0], logical_to=dates[1], limit=100_000, oldest_first=True
        )
        run_ids = [run.run_id for run in runs]
        await self._load(dag_id, run_ids)
        return run_ids

    async def _load(self, dag_id: str, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            if self._scheduler.world.run(dag_id, run_id) is not None:
                continue
            found = await self._store.load_run(dag_id, run_id)
            if found is not None:
                await self._scheduler.do(_loader(*found))


def _must_be_there(dag: StoredDag) -> None:
    """Raise Conflict for a DAG that no file defines any more: its runs can be ended or deleted, and no more."""
    if not dag.active:
        raise Conflict(
            "DAG {dag!r} is not in the DAG folder any more, so nothing of it can run again.", dag=dag.spec.dag_id
        )


def _chosen_tasks(spec: DagSpec, task_ids: Sequence[str] | None, regex: str | None) -> list[str]:
    """The task ids meant, in the DAG's order; a group id stands for its tasks."""
    if regex is not None:
        try:
            pattern = re.compile(regex)
        except re.error as error:
            raise InvalidInput(
                "task_regex={regex!r} is not a regular expression: {error}.", regex=regex, error=told(error)
            ) from None
        return [task_id for task_id in spec.tasks if pattern.search(task_id)]
    if task_ids is None:
        return list(spec.tasks)
    chosen: set[str] = set()
    for name in task_ids:
        members = {i for i, t in spec.tasks.items() if i == name or _in_group(spec, t.group_id, name)}
        if not members:
            raise NotFound(Sentence("task of DAG {dag!r} named", dag=spec.dag_id), name, [*spec.tasks, *spec.groups])
        chosen |= members
    return [task_id for task_id in spec.tasks if task_id in chosen]


def _in_group(spec: DagSpec, group_id: str | None, wanted: str) -> bool:
    while group_id is not None:
        if group_id == wanted:
            return True
        group = spec.groups.get(group_id)
        group_id = group.parent if group else None
    return False


def _loader(run: DagRun, tis: list[TaskInstance]) -> Callable[[World, datetime], None]:
    return lambda world, now: world.load_run(run, tis, now)


def _touched(keys: list[TaskKey]) -> dict[str, Any]:
    return {"count": len(keys), "tasks": [list(key) for key in keys]}
