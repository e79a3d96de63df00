"""What people do to instances and runs: clear, mark, set the state of a run. Airflow's semantics.

Each function finds what it would touch, and unless `dry_run` touches it; it returns the keys, run by run. They act on
runs in memory only: the engine loads the others first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from asyncflow.core.graph import DagGraph, closure
from asyncflow.core.instances import refresh
from asyncflow.core.integrity import bring_into_line
from asyncflow.core.live import LiveDag, LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.states import FINISHED, Event, RunState, TaskState

_SET = {
    TaskState.SUCCESS: Event.SET_SUCCESS,
    TaskState.FAILED: Event.SET_FAILED,
    TaskState.SKIPPED: Event.SET_SKIPPED,
}
_BROKEN = frozenset({TaskState.FAILED, TaskState.UPSTREAM_FAILED})
_AT_WORK = frozenset({TaskState.RUNNING, TaskState.RESTARTING, TaskState.DEFERRED, TaskState.UP_FOR_RESCHEDULE})


class Selection(NamedTuple):
    """Which tasks of which runs an action is about."""

    run_ids: Sequence[str]
    task_ids: Collection[str]
    map_indexes: Collection[int] | None = None  #: of `task_ids`; their relatives are taken whole
    upstream: bool = False
    downstream: bool = False


class Doing(NamedTuple):
    """The circumstances of an action."""

    machine: Machine
    now: datetime
    actor: str
    dry_run: bool


def clear(doing: Doing, dag: LiveDag, what: Selection, *, states: frozenset[TaskState] | None) -> list[TaskKey]:
    """Put instances (in one of `states`, if given) back to `none` so that they run again; finished runs are queued."""
    subset = clearing_subset(dag.graph, what.task_ids, upstream=what.upstream, downstream=what.downstream)
    return _clear(doing, dag, what, subset, states)


def _clear(
    doing: Doing, dag: LiveDag, what: Selection, subset: Collection[str], states: frozenset[TaskState] | None
) -> list[TaskKey]:
    touched = []
    for live in _runs(dag, what.run_ids):
        tis = [ti for ti in _picked(live, subset, what) if states is None or ti.state in states]
        touched += [ti.key for ti in tis]
        if tis and not doing.dry_run:
            for ti in tis:
                _clear_one(doing, live, ti)
            _wake(doing, live)
    return touched


def _runs(dag: LiveDag, run_ids: Iterable[str]) -> list[LiveRun]:
    return [dag.runs[run_id] for run_id in run_ids if run_id in dag.runs]


def _picked(live: LiveRun, subset: Collection[str], what: Selection) -> list[TaskInstance]:
    return [
        ti
        for ti in live.instances()
        if ti.task_id in subset
        and (what.map_indexes is None or ti.task_id not in what.task_ids or ti.map_index in what.map_indexes)
    ]


def _clear_one(doing: Doing, live: LiveRun, ti: TaskInstance) -> None:
    """A running try is ended first and the instance restarts once it is gone; max_tries grows by the retries.

    One that is running without a try that could be ended is left alone, as in Airflow.
    """
    machine = doing.machine
    if ti.state is TaskState.RUNNING and ti.token not in machine.tokens:
        return
    machine.kill(ti, "cleared")
    machine.move(live, ti, Event.CLEAR, doing.now, actor=doing.actor)
    if ti.state is TaskState.RESTARTING:
        return
    ti.max_tries = ti.try_number + live.dag.graph.tasks[ti.task_id].retries
    refresh(ti, live)
    ti.not_before = ti.first_poke_at = ti.next_method = ti.next_kwargs = None
    ti.poke_count = 0
    live.mark(ti.task_id, ti.map_index)


def _wake(doing: Doing, live: LiveRun) -> None:
    """A finished run with something to do again is queued, and follows the DAG's present version."""
    if not live.is_finished:
        return
    live.run.clear_number += 1
    doing.machine.set_run_state(live, RunState.QUEUED, doing.now, actor=doing.actor)
    bring_into_line(doing.machine, live, doing.now)


def clearing_subset(graph: DagGraph, task_ids: Collection[str], *, upstream: bool, downstream: bool) -> set[str]:
    """The tasks that clearing `task_ids` is about: relatives as asked, and the setups and teardowns they all need."""
    chosen = {task_id for task_id in task_ids if task_id in graph.tasks}
    subset = set(chosen)
    for task_id in chosen:
        task = graph.tasks[task_id]
        if downstream:
            below = closure([task_id], graph.downstream)
            subset |= below
            for other in below - chosen:
                if not (graph.tasks[other].is_setup or graph.tasks[other].is_teardown):
                    subset |= _setups_and_teardowns(graph, other)
        if upstream:
            for other in closure([task_id], graph.upstream):
                subset.add(other)
                if graph.tasks[other].is_setup:
                    subset |= set(graph.teardowns_of(other)) - {task_id}
        elif not (task.is_setup or task.is_teardown):
            subset |= _setups_and_teardowns(graph, task_id)
        if task.is_setup and not downstream:
            subset |= set(graph.teardowns_of(task_id))
    return subset


def _setups_and_teardowns(graph: DagGraph, task_id: str) -> set[str]:
    setups = graph.relevant_setups(task_id)
    return {*setups, *(t for setup in setups for t in graph.teardowns_of(setup) if t != task_id)}


def mark(doing: Doing, dag: LiveDag, what: Selection, state: TaskState) -> list[TaskKey]:
    """Set instances to `state`, whatever they are; then clear what is failed below them, which alone wakes the run.

    That holds for a mark as failed, too (gotcha 22). The keys are those of the marked instances.
    """
    relatives = set(what.task_ids)
    known = relatives & dag.graph.all_ids
    if what.downstream:
        relatives |= closure(known, dag.graph.downstream)
    if what.upstream:
        relatives |= closure(known, dag.graph.upstream)
    touched = []
    for live in _runs(dag, what.run_ids):
        if not doing.dry_run:
            bring_into_line(doing.machine, live, doing.now)
        tis = [ti for ti in _picked(live, relatives, what) if ti.state is not state]
        touched += [ti.key for ti in tis]
        if not doing.dry_run:
            _set_all(doing, live, tis, state)
    if not doing.dry_run:
        below = clearing_subset(dag.graph, what.task_ids, upstream=False, downstream=True) - set(what.task_ids)
        _clear(doing, dag, Selection(what.run_ids, ()), below, _BROKEN)
    return touched


def _set_all(doing: Doing, live: LiveRun, tis: Iterable[TaskInstance], state: TaskState) -> None:
    for ti in tis:
        doing.machine.kill(ti, f"marked {state.value}")
        ti.ended_at = doing.now
        doing.machine.move(live, ti, _SET[state], doing.now, actor=doing.actor)


def set_run_state(doing: Doing, live: LiveRun, state: RunState) -> list[TaskKey]:
    """Set a run to success or failed with its instances, or queue it again as it is; the keys of changed instances.

    Teardowns are left to do their work: a run that has some pending ends by itself after them (gotcha 23).
    """
    if state is RunState.SUCCESS:
        return _succeed(doing, live)
    if state is RunState.FAILED:
        return _fail(doing, live)
    if not doing.dry_run:
        was_finished = live.is_finished
        doing.machine.set_run_state(live, RunState.QUEUED, doing.now, actor=doing.actor)
        if was_finished:
            bring_into_line(doing.machine, live, doing.now)
    return []


def _is_teardown(live: LiveRun, ti: TaskInstance) -> bool:
    """Whether it is one that can still do its work: nothing of a DAG that no file defines any more can."""
    task = live.dag.graph.tasks.get(ti.task_id)
    return task is not None and task.is_teardown and live.dag.active


def _succeed(doing: Doing, live: LiveRun) -> list[TaskKey]:
    known = [ti for ti in live.instances() if ti.task_id in live.dag.graph.tasks or not live.dag.active]
    normal = [ti for ti in known if not _is_teardown(live, ti)]
    changed = [ti for ti in normal if ti.state is not TaskState.SUCCESS]
    if not doing.dry_run:
        _set_all(doing, live, changed, TaskState.SUCCESS)
        if not any(_is_teardown(live, ti) for ti in live.instances()):
            doing.machine.set_run_state(live, RunState.SUCCESS, doing.now, actor=doing.actor)
    return [ti.key for ti in changed]


def _fail(doing: Doing, live: LiveRun) -> list[TaskKey]:
    open_ones = [ti for ti in live.instances() if ti.state not in FINISHED]
    normal = [ti for ti in open_ones if not _is_teardown(live, ti)]
    at_work = [ti for ti in normal if ti.state in _AT_WORK]
    pending = [ti for ti in normal if ti.state not in _AT_WORK]
    if not doing.dry_run:
        _set_all(doing, live, pending, TaskState.SKIPPED)
        _set_all(doing, live, at_work, TaskState.FAILED)
        if len(normal) == len(open_ones):
            doing.machine.set_run_state(live, RunState.FAILED, doing.now, actor=doing.actor)
    return [ti.key for ti in (*pending, *at_work)]
