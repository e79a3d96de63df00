"""Skipping downstream tasks: what branches, short circuits and `latest only` say to the scheduler.

They do not write states: task ids are collected on the running task instance (`ti.request_skip`) and travel with the
result of the try (`TryResult.skip_tasks`), so that they count only if the try succeeds, and once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.xcom import XCOM_SKIPMIXIN_KEY

if TYPE_CHECKING:
    from asyncflow.authoring.taskinstance import TaskInstance

log = logging.getLogger("airflow.task.operators")


class SkipMixin:
    """For operators that decide which of the tasks after them run."""

    def skip(
        self,
        dag_run: Any,
        execution_date: Any = None,
        tasks: Iterable[Any] = (),
        map_index: int = -1,
        *,
        ti: TaskInstance | None = None,
    ) -> None:
        """Set `tasks` (operators or groups) skipped, whatever their state. Arguments before `tasks` are Airflow's."""
        task_ids = [task.task_id for task in _operators(tasks)]
        if task_ids:
            instance = ti or _running_instance()
            instance.request_skip(task_ids)
            instance.xcom_push(XCOM_SKIPMIXIN_KEY, {"skipped": task_ids})

    def skip_all_except(self, ti: TaskInstance, branch_task_ids: None | str | Iterable[str]) -> None:
        """Set every direct downstream task skipped that is not among `branch_task_ids` nor below one of them.

        Raises AirflowException for ids that are no text or no task of the DAG.
        """
        chosen = _checked_ids(branch_task_ids)
        log.info("Following branch %s", chosen)
        dag = ti.task.dag
        unknown = chosen - set(dag.task_ids)
        if unknown:
            raise AirflowException(f"a branch must return task ids of its DAG; there are no tasks {sorted(unknown)}")
        followed = set(chosen)
        for task_id in chosen:
            followed |= dag.get_task(task_id).get_flat_relative_ids(upstream=False)
        after = list(_operators(ti.task.downstream_list))
        if not after:
            return
        skipped = [task.task_id for task in after if task.task_id not in followed]
        log.info("Skipping tasks %s", skipped)
        # as in Airflow, a branch reaches instances with its own map index: copies of a mapped task it does not
        ti.request_skip(skipped, map_index=ti.map_index)
        ti.xcom_push(XCOM_SKIPMIXIN_KEY, {"followed": [t.task_id for t in after if t.task_id in followed]})


def _running_instance() -> TaskInstance:
    from asyncflow.authoring.context import get_current_context

    ti: TaskInstance = get_current_context()["ti"]
    return ti


def _checked_ids(given: None | str | Iterable[str]) -> set[str]:
    if given is None:
        return set()
    if isinstance(given, str):
        return {given}
    if not isinstance(given, Iterable) or isinstance(given, Mapping | bytes):
        raise AirflowException(f"a branch must return a task id, a list of them, or None, not {type(given).__name__!r}")
    ids = list(given)
    wrong = [item for item in ids if not isinstance(item, str)]
    if wrong:
        raise AirflowException(f"a branch must return task ids as text, not {wrong}")
    return set(ids)


def _operators(nodes: Iterable[Any]) -> Iterable[Any]:
    """The tasks of `nodes`, groups unfolded to theirs."""
    for node in nodes:
        if hasattr(node, "iter_tasks"):
            yield from node.iter_tasks()
        elif hasattr(node, "task_id"):
            yield node
