"""DAGs and runs in memory, with the counts that make a finished task cost only its downstream.

`LiveRun` keeps, for each task, a tally of its own instances and one of its direct upstream; each change of a state goes
through `shift`, which updates both and notes which tasks must be looked at again (`dirty`). Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from asyncflow.core.graph import DagGraph
from asyncflow.core.models import BackfillOptions, DagRun, TaskInstance
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import FINISHED, FINISHED_RUN, RunState, RunType, TaskState, TriggerRule
from asyncflow.core.timetable import DagRunInfo, DataInterval
from asyncflow.core.trigger_rules import Tally

RunKey = tuple[str, str]

#: rules that look at all instances of an upstream task even inside a mapped group
FAST_RULES = frozenset({TriggerRule.ONE_SUCCESS, TriggerRule.ONE_FAILED, TriggerRule.ONE_DONE})


class Orders(NamedTuple):
    """What a backfill that is under way demands of one of its runs."""

    options: BackfillOptions
    is_first: bool  #: the earliest run of the backfill: the past before it is ignored


class LiveDag:
    """One DAG as scheduled now: its newest version, its runs in memory, its next run."""

    def __init__(self, spec: DagSpec, version: str, *, paused: bool) -> None:
        self.spec = spec
        self.version = version
        self.graph = DagGraph(spec)
        self.paused = paused
        self.active = True  #: False while its file does not define it
        self.runs: dict[str, LiveRun] = {}
        self.by_date: dict[datetime, LiveRun] = {}  #: those of `runs` that have a logical date
        self.next_run: DagRunInfo | None = None
        self.last_interval: DataInterval | None = None  #: of the last scheduled or backfill run
        #: its next run waits until fewer than max_active_runs are active
        self.blocked = False
        #: logical dates from the next run on that runs no longer in memory have
        self.taken: set[datetime] = set()
        #: logical dates and states of the last runs that have ended, by run id; outlives the runs in memory
        self.ended: dict[str, tuple[datetime, RunState]] = {}

    @property
    def is_open(self) -> bool:
        """Whether new tries of its tasks may start."""
        return self.active and not self.paused

    def replace(self, spec: DagSpec, version: str) -> None:
        """Take over a new version; the caller brings the runs into line."""
        self.spec = spec
        self.version = version
        self.graph = DagGraph(spec)
        self.active = True

    def note_end(self, run: DagRun) -> None:
        """Remember how a run ended, as far as max_consecutive_failed_dag_runs needs it."""
        if run.logical_date is not None:
            self.ended[run.run_id] = (run.logical_date, run.state)
            for run_id in sorted(self.ended, key=lambda r: self.ended[r][0])[
                : -max(1, self.spec.max_consecutive_failed_dag_runs)
            ]:
                del self.ended[run_id]

    def keep_date(self, date: datetime | None) -> None:
        """The logical date of a run that leaves memory stays taken, as far as the schedule may still come to it."""
        if date is not None and self.next_run is not None and date >= self.next_run.logical_date:
            self.taken.add(date)

    def count(self, *states: RunState) -> int:
        """How many runs in memory are in one of `states`; those of backfills do not count."""
        return sum(live.run.state in states for live in self.runs.values() if live.run.run_type is not RunType.BACKFILL)


class LiveRun:
    """One run with its task instances and the indexes over them."""

    def __init__(self, dag: LiveDag, run: DagRun, seq: int) -> None:
        self.dag = dag
        self.run = run
        self.seq = seq  #: order of creation, last word in the slot queue
        self.orders: Orders | None = None  #: set while its backfill is under way
        self.touched_at: datetime | None = (
            None  #: when a finished run was last looked at; it is forgotten some time later
        )
        self.tis: dict[str, dict[int, TaskInstance]] = {}
        self.own: dict[str, Tally] = {}
        self.up: dict[str, Tally] = {}
        #: instances whose last try decided to skip others: (task_id, map_index) -> task ids
        self.skips: dict[tuple[str, int], tuple[str, ...]] = {}
        self.unfinished = 0
        self.waiting = 0  #: unfinished ones that are in state NONE
        #: tasks to look at again; None = all instances
        self.dirty: dict[str, set[int] | None] = {}

    @property
    def key(self) -> RunKey:
        return self.run.dag_id, self.run.run_id

    @property
    def is_finished(self) -> bool:
        return self.run.state in FINISHED_RUN

    @property
    def is_open(self) -> bool:
        """Whether new tries of its tasks may start; those of a backfill do although the DAG is paused."""
        return self.dag.active and (not self.dag.paused or self.orders is not None)

    def is_beyond_end(self, task_id: str) -> bool:
        """Whether a backfill's run lies after the end date of the DAG or a task: the task is never started."""
        date, task = self.run.logical_date, self.dag.graph.tasks[task_id]
        ends = (self.dag.spec.end_date, task.end_date)
        return self.orders is not None and date is not None and any(end is not None and date > end for end in ends)

    @property
    def leaves(self) -> Iterable[str]:
        """The tasks whose states make that of the run."""
        chosen = self.orders.options.tasks if self.orders is not None else None
        if chosen is None:
            return self.dag.graph.leaves
        return [t for t in chosen if t in self.tis and not any(d in chosen for d in self.dag.graph.downstream[t])]

    @property
    def may_be_looked_at(self) -> bool:
        """Whether a task that depends on the past may find this to be the run before an active or future one."""
        date = self.run.logical_date
        if date is None or not self.dag.graph.depends_on_past:
            return False
        later = [
            other
            for other in self.dag.runs.values()
            if other.run.logical_date is not None and other.run.logical_date > date
        ]
        return not later or any(not other.is_finished for other in later)

    def instances(self) -> Iterator[TaskInstance]:
        """All task instances, by task in order of creation, then by map index."""
        for by_index in self.tis.values():
            yield from by_index.values()

    def get(self, task_id: str, map_index: int) -> TaskInstance | None:
        return self.tis.get(task_id, {}).get(map_index)

    # ---- indexes ----------------------------------------------------------------------------------------------------

    def index(self, tis: Iterable[TaskInstance]) -> None:
        """Build everything anew from the instances and the DAG's present version. O(run)."""
        graph = self.dag.graph
        self.tis = {task_id: {} for task_id in graph.tasks}
        self.own = {task_id: Tally() for task_id in graph.tasks}
        self.up = {}
        for task_id, upstream in graph.upstream.items():
            if task_id in graph.counts_instances:
                self.up[task_id] = Tally()
            else:
                self.up[task_id] = Tally(len(upstream), sum(graph.tasks[u].is_setup for u in upstream))
        self.skips = {}
        self.unfinished = self.waiting = 0
        for ti in sorted(tis, key=lambda ti: ti.map_index):
            self.add(ti)

    def add(self, ti: TaskInstance) -> None:
        """Take a new instance into the indexes."""
        self.tis.setdefault(ti.task_id, {})[ti.map_index] = ti
        if ti.skips:
            self.skips[ti.task_id, ti.map_index] = ti.skips
        self._resize(ti.task_id, 1)
        self._count(ti, ti.state, 1)

    def drop(self, ti: TaskInstance) -> None:
        """Take an instance out of the indexes."""
        del self.tis[ti.task_id][ti.map_index]
        self._resize(ti.task_id, -1)
        self._count(ti, ti.state, -1)

    def shift(self, ti: TaskInstance, before: TaskState) -> None:
        """`ti` has moved from `before` to its present state."""
        self._count(ti, before, -1)
        self._count(ti, ti.state, 1)

    def set_skips(self, ti: TaskInstance, task_ids: tuple[str, ...]) -> None:
        """Remember (or, with nothing, forget) what an instance decided to skip."""
        ti.skips = task_ids
        if task_ids:
            self.skips[ti.task_id, ti.map_index] = task_ids
        else:
            self.skips.pop((ti.task_id, ti.map_index), None)

    def _resize(self, task_id: str, number: int) -> None:
        graph = self.dag.graph
        if task_id not in graph.tasks:
            return  # an instance of a task that left the DAG: kept for the record, counts for nothing
        self.own[task_id].total += number
        for down in graph.downstream[task_id]:
            if down in graph.counts_instances:
                self.up[down].total += number
                self.up[down].setups += number if graph.tasks[task_id].is_setup else 0

    def _count(self, ti: TaskInstance, state: TaskState, number: int) -> None:
        if state not in FINISHED:
            self.unfinished += number
            self.waiting += number if state is TaskState.NONE else 0
            return
        graph = self.dag.graph
        task = graph.tasks.get(ti.task_id)
        if task is None:
            return
        self.own[ti.task_id].count(state, number)
        for down in graph.downstream[ti.task_id]:
            self.up[down].count(state, number, setup=task.is_setup)

    # ---- what to look at again --------------------------------------------------------------------------------------

    def mark(self, task_id: str, map_index: int | None = None) -> None:
        """Look at an instance again, or at all of a task (None)."""
        if map_index is None:
            self.dirty[task_id] = None
            return
        marked = self.dirty.setdefault(task_id, set())
        if marked is not None:
            marked.add(map_index)

    def mark_all(self) -> None:
        """Look at everything again."""
        self.dirty = dict.fromkeys(self.tis)

    def mark_dependents(self, task_id: str, map_index: int) -> None:
        """Look again at what depends on an instance: tasks below it, under its setup, mapped over its output."""
        graph = self.dag.graph
        groups = graph.mapped_groups.get(task_id)
        for down in graph.downstream.get(task_id, ()):
            aligned = groups and graph.mapped_groups[down] == groups
            if aligned and graph.tasks[down].trigger_rule not in FAST_RULES:
                self.mark(down, map_index)
                self.mark(down, -1)
            else:
                self.mark(down)
        for down in graph.indirect_dependents.get(task_id, ()):
            self.mark(down)
        for down in graph.map_users.get(task_id, ()):
            self.mark(down)
