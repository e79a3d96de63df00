"""Looking into the scheduler's memory, which changes nothing: a part of `core.world.World`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from asyncflow.core import asking
from asyncflow.core.blockers import Blockers, blockers
from asyncflow.core.census import Census, census
from asyncflow.core.live import LiveDag
from asyncflow.core.machine import Machine
from asyncflow.core.models import (
    DagRun,
    TaskInstance,
    TaskKey,
)
from asyncflow.core.slots import PoolUse
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import TaskState
from asyncflow.core.why import why
from asyncflow.errors import Conflict, NotFound


class Sight:
    """What is in memory: active DAGs, their active runs, and those that ended a moment ago. Not to be changed."""

    _machine: Machine

    def dag(self, dag_id: str) -> DagSpec | None:
        """The version of a DAG that is scheduled now; None if it is not known or its file is gone."""
        dag = self._machine.dags.get(dag_id)
        return dag.spec if dag is not None and dag.active else None

    def _dag(self, dag_id: str) -> LiveDag:
        dag = self._machine.dags.get(dag_id)
        if dag is None:
            raise NotFound("DAG", dag_id, [name for name, other in self._machine.dags.items() if other.active])
        if not dag.active:
            raise Conflict("DAG {dag!r} is not in the DAG folder any more, so nothing of it can run again.", dag=dag_id)
        return dag

    def run(self, dag_id: str, run_id: str) -> DagRun | None:
        """A run in memory; not to be changed."""
        live = self._machine.find_run((dag_id, run_id))
        return live.run if live else None

    def runs_of(self, dag_id: str) -> list[DagRun]:
        """The runs of a DAG in memory."""
        dag = self._machine.dags.get(dag_id)
        return [live.run for live in dag.runs.values()] if dag else []

    def tasks_of(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """The instances of a run in memory; not to be changed."""
        live = self._machine.find_run((dag_id, run_id))
        return list(live.instances()) if live else []

    def task_instance(self, key: TaskKey) -> TaskInstance | None:
        """An instance in memory; not to be changed."""
        found = self._machine.find(key)
        return found[1] if found else None

    def has_run_at(self, dag_id: str, logical_date: datetime) -> bool:
        """Whether a run has this logical date, as far as it is known here: in memory, or from the next run on."""
        dag = self._machine.dags.get(dag_id)
        if dag is None:
            return False
        return logical_date in dag.taken or logical_date in dag.by_date

    def why(self, key: TaskKey, now: datetime) -> str:
        """One sentence why an instance does not run now; empty if it is not in memory."""
        return why(self._machine, key, now)

    def census(self) -> Census:
        """How many instances wait for what."""
        return census(self._machine)

    def instance_of(self, token: str) -> TaskKey | None:
        """Whose try, or trigger, has this token; None for one that is over."""
        machine = self._machine
        found = machine.tokens.get(token)
        return found[0] if found is not None else machine.triggers.get(token)

    def blockers(self, key: TaskKey, now: datetime) -> Blockers:
        """Whose end an instance waits for, by name."""
        return blockers(self._machine, key, now)

    def live_tokens(self) -> Collection[str]:
        """Tokens of the tries whose processes may exist, and of the triggers that wait."""
        return self._machine.tokens.keys() | self._machine.triggers.keys()

    def pool_usage(self) -> dict[str, dict[str, int]]:
        """By pool: running, queued, occupied, deferred, scheduled and open slots (-1 = without limit)."""
        slots = self._machine.slots
        return {name: {**self._held(name), **usage} for name, usage in slots.usage().items()}

    def _held(self, pool: str) -> dict[str, int]:
        """Slots of a pool that running instances take, and those that are being started."""
        tis = self._instances(self._machine.slots.holding(pool))
        queued = sum(ti.pool_slots for ti in tis if ti.state is TaskState.QUEUED)
        return {"running": sum(ti.pool_slots for ti in tis) - queued, "queued": queued}

    def pool_use(self, pool: str, limit: int) -> PoolUse:
        """Who takes slots of a pool, who is deferred in it, and who waits for slots: the first of each."""
        slots = self._machine.slots
        return PoolUse(
            self._instances(slots.holding(pool)[:limit]),
            self._instances(slots.deferred(pool)[:limit]),
            self._instances(slots.waiting(pool, limit)),
        )

    def pool_dags(self, pool: str) -> dict[str, int]:
        """How many tasks of each active DAG name a pool, by dag_id; DAGs without one are left out."""
        active = [dag for dag in self._machine.dags.values() if dag.active]
        named = {dag.spec.dag_id: sum(task.pool == pool for task in dag.spec.tasks.values()) for dag in active}
        return {dag_id: count for dag_id, count in sorted(named.items()) if count}

    def _instances(self, keys: Iterable[TaskKey]) -> list[TaskInstance]:
        return [found[1] for key in keys if (found := self._machine.find(key)) is not None]

    def dataset_queue(self, dag_id: str) -> dict[str, datetime | None]:
        """The datasets in a DAG's schedule, each with the time since which its update is queued; None = awaited."""
        return self._machine.datasets.queue_of(dag_id)

    def dataset_waiters(self, uri: str) -> dict[str, bool]:
        """The DAGs for which an update of a dataset would be queued now, and whether a run would follow at once."""
        return self._machine.datasets.waiters(uri)

    def questions(self) -> list[tuple[TaskKey, asking.Question]]:
        """What instances in memory ask people; what ends soonest first."""
        deferred = (self.task_instance(key) for key in self._machine.asking.values())
        asked = [(ti.key, question) for ti in deferred if ti and (question := asking.question_of(ti))]
        return sorted(asked, key=lambda one: (one[1].moment is None, one[1].moment, one[0]))

    @property
    def asking(self) -> int:
        """How many instances ask people."""
        return len(self._machine.asking)

    @property
    def last_backfill(self) -> int:
        """The highest backfill_id given since the start."""
        return self._machine.last_backfill
