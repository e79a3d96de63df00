"""When a run is over, and how it ended.

Pure; as Airflow 2.11: the leaves alone make the run's state (gotcha 16).
"""

from __future__ import annotations

from asyncflow.core.live import LiveDag, LiveRun
from asyncflow.core.states import RunState, TaskState

_FAILED = frozenset({TaskState.FAILED, TaskState.UPSTREAM_FAILED})


def outcome(live: LiveRun) -> tuple[RunState, str] | None:
    """The end state of a running run and the reason in Airflow's words; None while it goes on.

    O(1) while something is on its way; else O(leaves).
    """
    if live.unfinished:
        if live.unfinished > live.waiting or not live.is_open or not _is_deadlock(live):
            return None
        return RunState.FAILED, "all_tasks_deadlocked"
    leaves = {ti.state for task_id in live.leaves for ti in live.tis[task_id].values()}
    if leaves & _FAILED:
        return RunState.FAILED, "task_failure"
    return RunState.SUCCESS, "success"


def _is_deadlock(live: LiveRun) -> bool:
    """Everything that is left waits and nothing can wake it.

    Airflow gives no verdict while an instance that could wait for something outside the run is among them (gotcha 20):
    such a run stays as it is.
    """
    for task_id, task in live.dag.graph.tasks.items():
        if (
            task.depends_on_past
            or task.max_active_tis_per_dag is not None
            or task.max_active_tis_per_dagrun is not None
        ):
            if any(ti.state is TaskState.NONE for ti in live.tis[task_id].values()):
                return False
    return True


def failed_in_a_row(dag: LiveDag) -> int:
    """How many of the last runs, by logical date, have failed with nothing else in between or after."""
    active = {
        run_id: (live.run.logical_date, live.run.state)
        for run_id, live in dag.runs.items()
        if live.run.logical_date is not None and not live.is_finished
    }
    last_first = sorted((dag.ended | active).values(), reverse=True)
    return next((i for i, (_, state) in enumerate(last_first) if state is not RunState.FAILED), len(last_first))
