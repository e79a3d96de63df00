"""Changes to many task instances or runs at once, of any DAGs: a part of `engine.actions.Actions`.

What cannot be done is told in sentences, the rest is done. A batch of runs is one turn of the scheduler, so that
thousands of them do not stop it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import anyio

from asyncflow.core.models import TaskKey
from asyncflow.core.sentence import Sentence, told
from asyncflow.core.states import FINISHED_RUN, RunState, TaskState
from asyncflow.core.world import World
from asyncflow.engine.audit import actor
from asyncflow.engine.lookup import Lookup
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import AsyncflowError, NotAccepted

#: what can be done to task instances, and to runs
TASK_ACTIONS = ("clear", "success", "failed", "skipped", "cancel")
RUN_ACTIONS = ("clear", "success", "failed", "cancel", "delete")
#: runs, and task instances of theirs, that are changed in one turn
_RUNS_AT_ONCE, _TASKS_AT_ONCE = 10, 200
#: what "cancel" ends: all that has a process, a trigger or a place in a queue of one
_AT_WORK = frozenset(
    {TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING, TaskState.DEFERRED, TaskState.UP_FOR_RESCHEDULE}
)

RunName = tuple[str, str]  #: (dag_id, run_id)
Instances = Sequence[tuple[str, int]]  #: (task_id, map_index) of one run


class How(NamedTuple):
    """What is to be done, and how far it reaches."""

    action: str
    downstream: bool
    only_failed: bool
    dry_run: bool
    actor: str


class Outcome:
    """What has been done so far."""

    def __init__(self) -> None:
        self.tasks: list[TaskKey] = []
        self.runs: list[RunName] = []
        self.refused: dict[str, None] = {}

    def answer(self, count: int) -> dict[str, Any]:
        """As JSON values."""
        return {
            "count": count,
            "tasks": [list(key) for key in dict.fromkeys(self.tasks)],
            "runs": [list(name) for name in dict.fromkeys(self.runs)],
            "refused": list(self.refused),
        }


class BulkActions(Lookup):
    """Arguments and answers are JSON values."""

    _scheduler: Scheduler

    async def change_tasks(
        self, action: str, keys: Sequence[Sequence[Any]], downstream: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Do one of TASK_ACTIONS to task instances [dag_id, run_id, task_id, map_index]; `dry_run` only lists them.

        "cancel" marks those failed that are at work, and leaves the others alone. `downstream`: "clear" takes along
        what comes after them in their runs. The answer has the touched instances, and in `refused` why some were not.
        """
        _check(action, TASK_ACTIONS)
        groups: dict[RunName, list[tuple[str, int]]] = {}
        for dag_id, run_id, task_id, map_index in keys:
            groups.setdefault((str(dag_id), str(run_id)), []).append((str(task_id), int(map_index)))
        how = How(action, downstream, False, dry_run, actor())
        outcome = await self._change(groups, partial(_change_tasks, how=how))
        return outcome.answer(len(dict.fromkeys(outcome.tasks)))

    async def change_runs(
        self, action: str, runs: Sequence[Sequence[str]], only_failed: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Do one of RUN_ACTIONS to runs [dag_id, run_id]; `dry_run` only lists what would be touched.

        "cancel" marks those failed that are active, and leaves the others alone. `only_failed`: "clear" touches what
        failed in them. A run that is at work cannot be deleted. The answer is that of `change_tasks`, with the runs.
        """
        _check(action, RUN_ACTIONS)
        groups: dict[RunName, Instances] = {(str(dag_id), str(run_id)): () for dag_id, run_id in runs}
        how = How(action, False, only_failed, dry_run, actor())
        outcome = await self._change(groups, partial(_change_run, how=how))
        return outcome.answer(len(dict.fromkeys(outcome.runs)))

    async def delete_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Delete a run with its task instances, tries and XComs. Raises Conflict for one that is at work."""
        await self._run(dag_id, run_id)
        await self._bring([(dag_id, run_id)])
        person = actor()  # asked here: the scheduler has no idea for whom it works
        await self._scheduler.do(lambda world, now: world.remove_run(dag_id, run_id, now=now, actor=person))
        return {"dag_id": dag_id, "run_id": run_id}

    async def _change(
        self,
        groups: Mapping[RunName, Instances],
        change: Callable[[World, datetime, RunName, Instances, Outcome], None],
    ) -> Outcome:
        outcome = Outcome()
        async with anyio.create_task_group() as waiting:  # while files are being loaded, each may take a moment
            for dag_id in dict.fromkeys(dag_id for dag_id, _ in groups):
                waiting.start_soon(self._files.ready, dag_id)
        for batch in batches(groups):
            await self._bring([name for name, _ in batch])
            await self._scheduler.do(partial(_each, batch, change, outcome))
        return outcome

    async def _bring(self, names: Sequence[RunName]) -> None:
        """Have these runs in the scheduler's world, as far as they exist."""
        missing = [name for name in names if self._scheduler.world.run(*name) is None]
        if not missing:
            return
        loaded = await self._store.load_runs(missing)

        def load(world: World, now: datetime) -> None:
            for run, tis in loaded:
                world.load_run(run, tis, now)

        await self._scheduler.do(load)


def _check(action: str, accepted: Sequence[str]) -> None:
    if action not in accepted:
        raise NotAccepted("action", action, accepted)


def batches(groups: Mapping[RunName, Instances]) -> Iterator[list[tuple[RunName, Instances]]]:
    """What is done in one turn each.

    Those of one run stay together: marking some clears what has failed below them, which must not start before it is
    marked, too.
    """
    batch: list[tuple[RunName, Instances]] = []
    room = _TASKS_AT_ONCE
    for name, instances in groups.items():
        if len(batch) == _RUNS_AT_ONCE or (batch and len(instances) > room):
            yield batch
            batch, room = [], _TASKS_AT_ONCE
        batch.append((name, instances))
        room -= len(instances)
    if batch:
        yield batch


def _each(
    batch: Sequence[tuple[RunName, Instances]],
    change: Callable[[World, datetime, RunName, Instances, Outcome], None],
    outcome: Outcome,
    world: World,
    now: datetime,
) -> None:
    for name, instances in batch:
        try:
            change(world, now, name, instances, outcome)
        except AsyncflowError as error:
            outcome.refused[told(error)] = None


def _change_tasks(
    world: World, now: datetime, name: RunName, instances: Instances, outcome: Outcome, *, how: How
) -> None:
    dag_id, run_id = name
    if how.action == "cancel":
        states = {(ti.task_id, ti.map_index): ti.state for ti in world.tasks_of(dag_id, run_id)}
        instances = [one for one in instances if states.get(one) in _AT_WORK]
    for task_ids, map_indexes in parts(instances):
        if how.action == "clear":
            outcome.tasks += world.clear(
                dag_id,
                run_ids=[run_id],
                task_ids=task_ids,
                map_indexes=map_indexes,
                downstream=how.downstream,
                dry_run=how.dry_run,
                now=now,
                actor=how.actor,
            )
        else:
            outcome.tasks += world.mark(
                dag_id,
                run_ids=[run_id],
                task_ids=task_ids,
                state=TaskState.FAILED if how.action == "cancel" else TaskState(how.action),
                map_indexes=map_indexes,
                dry_run=how.dry_run,
                now=now,
                actor=how.actor,
            )


def parts(instances: Instances) -> list[tuple[set[str], set[int] | None]]:
    """(task ids, map indexes) to act on one after the other: tasks without copies at once, others each by itself."""
    plain = {task_id for task_id, index in instances if index < 0}
    copies: dict[str, set[int]] = {}
    for task_id, index in instances:
        if index >= 0:
            copies.setdefault(task_id, set()).add(index)
    found: list[tuple[set[str], set[int] | None]] = [({task_id}, indexes) for task_id, indexes in copies.items()]
    return [(plain, None), *found] if plain else found


def _change_run(world: World, now: datetime, name: RunName, _: Instances, outcome: Outcome, *, how: How) -> None:
    dag_id, run_id = name
    run = world.run(dag_id, run_id)
    if run is None:
        outcome.refused[Sentence("DAG {dag} has no run {run} any more.", dag=repr(dag_id), run=repr(run_id))] = None
        return
    if how.action == "cancel" and run.state in FINISHED_RUN:
        return
    if how.action == "delete":
        world.remove_run(dag_id, run_id, dry_run=how.dry_run, now=now, actor=how.actor)
    elif how.action == "clear":
        keys = world.clear(
            dag_id, run_ids=[run_id], only_failed=how.only_failed, dry_run=how.dry_run, now=now, actor=how.actor
        )
        outcome.tasks += keys
        if not keys:
            return
    else:
        state, before = RunState.SUCCESS if how.action == "success" else RunState.FAILED, run.state
        keys = world.set_run_state(dag_id, run_id, state, dry_run=how.dry_run, now=now, actor=how.actor)
        outcome.tasks += keys
        if not keys and before is state:
            return
    outcome.runs.append(name)
