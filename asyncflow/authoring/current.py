"""Which DAG and task group the code of a DAG file is inside of just now, and which DAGs it has made.

One DAG file is imported by one thread of one process, so module-level stacks are enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncflow.authoring.dag import DAG
    from asyncflow.authoring.taskgroup import TaskGroup

_dags: list[DAG] = []
_groups: list[TaskGroup] = []
_registered: list[DAG] = []


class DagContext:
    """The `with DAG(...)` blocks that are open; Airflow's name."""

    @classmethod
    def push_context_managed_dag(cls, dag: DAG) -> None:
        """Enter `with dag:`."""
        _dags.append(dag)

    @classmethod
    def pop_context_managed_dag(cls) -> DAG | None:
        """Leave `with dag:`; a DAG that wants it is registered for its file even if no global holds it."""
        if not _dags:
            return None
        dag = _dags.pop()
        if dag.auto_register and not any(dag is known for known in _registered):
            _registered.append(dag)
        return dag

    @classmethod
    def get_current_dag(cls) -> DAG | None:
        """The DAG of the innermost open block."""
        return _dags[-1] if _dags else None

    #: Airflow 3's name
    get_current = get_current_dag


class TaskGroupContext:
    """The `with TaskGroup(...)` blocks that are open; Airflow's name."""

    @classmethod
    def push_context_managed_task_group(cls, group: TaskGroup) -> None:
        """Enter `with group:`."""
        _groups.append(group)

    @classmethod
    def pop_context_managed_task_group(cls) -> TaskGroup | None:
        """Leave `with group:`."""
        return _groups.pop() if _groups else None

    @classmethod
    def is_active(cls) -> bool:
        """Is any group's block open?"""
        return bool(_groups)

    @classmethod
    def get_current_task_group(cls, dag: DAG | None) -> TaskGroup | None:
        """The innermost open group, else the root group of `dag` (or of the current DAG)."""
        if _groups:
            return _groups[-1]
        dag = dag or DagContext.get_current_dag()
        return dag.task_group if dag else None


@contextmanager
def collecting() -> Iterator[list[DAG]]:
    """Import a DAG file inside of this: yields the list of DAGs that register themselves.

    Open blocks of an import that failed half way are forgotten, so that the next import starts clean.
    """
    global _dags, _groups, _registered
    saved = (_dags, _groups, _registered)
    _dags, _groups, _registered = [], [], []
    try:
        yield _registered
    finally:
        _dags, _groups, _registered = saved


def dags_of(module: ModuleType, registered: list[DAG]) -> list[DAG]:
    """The DAGs that a file gives: those in its globals and those registered, each once, in order of creation.

    A DAG that was made inside a function, without `with` and without `@dag`, and that no global holds, is not seen:
    as in Airflow.
    """
    from asyncflow.authoring.dag import DAG

    found = [value for value in vars(module).values() if isinstance(value, DAG)]
    unique = {id(dag): dag for dag in [*registered, *found]}
    return sorted(unique.values(), key=lambda dag: dag.created_as)
