"""depends_on_past and wait_for_downstream: whether the run before lets an instance start.

Pure; as Airflow's "Previous Dagrun State" dependency. The runs looked at are those in memory: the engine loads the run
before the first active one as history.
"""

from __future__ import annotations

from asyncflow.core.live import LiveRun
from asyncflow.core.models import TaskInstance
from asyncflow.core.sentence import Sentence
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunType, TaskState

_GOOD = frozenset({TaskState.SUCCESS, TaskState.SKIPPED})


def run_before(live: LiveRun) -> LiveRun | None:
    """The run that `depends_on_past` of `live` is about: the last one with an earlier logical date.

    With catchup, manual runs do not count.
    """
    date = live.run.logical_date
    if date is None:
        return None
    earlier = [
        (other.run.logical_date, other)
        for other in live.dag.runs.values()
        if other.run.logical_date is not None
        and other.run.logical_date < date
        and not (live.dag.spec.catchup and other.run.run_type is RunType.MANUAL)
    ]
    return max(earlier, key=lambda pair: pair[0])[1] if earlier else None


def history_wanted(spec: DagSpec) -> int:
    """How many finished runs before a given moment the DAG's rules look at; 0 = none.

    The engine hands them over by `World.load_run(..., history=True)`: when the DAG appears, and before a run is made
    whose logical date lies before those in memory.
    """
    past = any(task.depends_on_past for task in spec.tasks.values())
    return max(spec.max_consecutive_failed_dag_runs, 1 if past else 0)


def blocked_by_past(live: LiveRun, ti: TaskInstance) -> str | None:
    """Why the run before forbids the start, as words after "because"; None if nothing does."""
    task = live.dag.graph.tasks[ti.task_id]
    if not task.depends_on_past or (live.orders is not None and live.orders.is_first):
        return None
    before = run_before(live)
    if before is None or _started_later(live, before, ti.task_id):
        return None
    instances = before.tis.get(ti.task_id, {})
    if not instances:
        if task.ignore_first_depends_on_past and not _ran_ever_before(live, ti.task_id):
            return None
        return Sentence("its depends_on_past finds no instance of it in the run before ({run})", run=before.run.run_id)
    bad = [other for other in instances.values() if other.state not in _GOOD]
    if bad:
        found = {"state": bad[0].state, "run": before.run.run_id}
        return Sentence("depends_on_past: it is {state} in the run before ({run})", **found)
    if task.wait_for_downstream:
        for down in live.dag.graph.downstream[ti.task_id]:
            if any(other.state not in _GOOD for other in before.tis.get(down, {}).values()):
                found = {"task": down, "run": before.run.run_id}
                return Sentence("wait_for_downstream: {task} has not succeeded in the run before ({run})", **found)
    return None


def _started_later(live: LiveRun, before: LiveRun, task_id: str) -> bool:
    """The task's start date lies after the run before: there is nothing to depend on."""
    start = live.dag.graph.tasks[task_id].start_date
    date = before.run.logical_date
    return live.dag.spec.catchup and start is not None and date is not None and date < start


def _ran_ever_before(live: LiveRun, task_id: str) -> bool:
    date = live.run.logical_date
    assert date is not None, "a run without a logical date has no run before it"
    return any(
        other.tis.get(task_id)
        for other in live.dag.runs.values()
        if other.run.logical_date is not None and other.run.logical_date < date
    )
