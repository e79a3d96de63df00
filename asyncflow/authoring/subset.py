"""`dag.partial_subset()`: a copy of a DAG with some of its tasks."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from asyncflow.authoring.taskgroup import TaskGroup

if TYPE_CHECKING:
    from asyncflow.authoring.abstractoperator import AbstractOperator
    from asyncflow.authoring.dag import DAG


def subset(
    dag: DAG,
    wanted: str | re.Pattern[str] | Iterable[str],
    include_downstream: bool,
    include_upstream: bool,
    include_direct_upstream: bool,
) -> DAG:
    """A copy with the tasks whose id a pattern finds (or is in a list) and the relatives asked for.

    Tasks are copied, what their attributes refer to is shared.
    """
    if isinstance(wanted, str | re.Pattern):
        chosen = {task_id for task_id in dag.task_dict if re.search(wanted, task_id)}
    else:
        ids = set(wanted)
        chosen = {task_id for task_id in dag.task_dict if task_id in ids}
    kept = set(chosen)
    for task_id in chosen:
        task = dag.task_dict[task_id]
        if include_downstream:
            kept |= task.get_flat_relative_ids(upstream=False)
        if include_upstream:
            kept |= task.get_flat_relative_ids(upstream=True)
            kept |= {other.task_id for other in task.get_upstreams_follow_setups()}
        else:
            kept |= {other.task_id for other in task.get_upstreams_only_setups_and_teardowns()}
        if include_direct_upstream:
            kept |= task.upstream_task_ids
    return _copy_with(dag, kept)


def _copy_with(dag: DAG, kept: set[str]) -> DAG:
    part = copy.copy(dag)
    part.partial = len(kept) < len(dag.task_dict)
    part.task_dict = {}
    for task_id, task in dag.task_dict.items():
        if task_id in kept:
            part.task_dict[task_id] = _copy_task(task, part, kept)
    part._task_group = _copy_group(dag.task_group, part)
    return part


def _copy_task(task: AbstractOperator, dag: DAG, kept: set[str]) -> AbstractOperator:
    twin = copy.copy(task)
    twin.__dict__["_dag" if "_dag" in task.__dict__ else "dag"] = dag
    twin.__dict__["upstream_task_ids"] = task.upstream_task_ids & kept
    twin.__dict__["downstream_task_ids"] = task.downstream_task_ids & kept
    return twin


def _copy_group(group: TaskGroup, dag: DAG) -> TaskGroup:
    twin = copy.copy(group)
    twin.dag = dag
    twin.children = {}
    for key, child in group.children.items():
        if isinstance(child, TaskGroup):
            inner = _copy_group(child, dag)
            if inner.children:
                inner.task_group = twin
                twin.children[key] = inner
        elif key in dag.task_dict:
            dag.task_dict[key].task_group = twin
            twin.children[key] = dag.task_dict[key]
    return twin
