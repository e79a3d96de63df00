"""What can stand beside `>>`: tasks, task groups, references to outputs, labels; and chain() and its kin.

`DependencyMixin` is anything that has edges, `DAGNode` a task or group. Edges live in the sets `upstream_task_ids` and
`downstream_task_ids` of the tasks, by id; groups keep theirs apart, for the graph page. As in Airflow 2.11,
`airflow.models.taskmixin` and `airflow.utils.edgemodifier`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.source import NOWHERE, Place
from asyncflow.authoring.types import NOTSET

if TYPE_CHECKING:
    from asyncflow.authoring.abstractoperator import AbstractOperator
    from asyncflow.authoring.dag import DAG
    from asyncflow.authoring.taskgroup import TaskGroup

#: one thing with edges, or several
Linkable: TypeAlias = "DependencyMixin | Sequence[DependencyMixin]"


def as_sequence(nodes: Linkable) -> Sequence[DependencyMixin]:
    """One node or several, as several."""
    return nodes if isinstance(nodes, Sequence) else [nodes]


class DependencyMixin:
    """Anything that can stand left or right of `>>`."""

    @property
    def roots(self) -> Sequence[DependencyMixin]:
        """What an edge into this reaches."""
        raise NotImplementedError

    @property
    def leaves(self) -> Sequence[DependencyMixin]:
        """Where an edge out of this begins."""
        raise NotImplementedError

    def set_upstream(self, other: Linkable, edge_modifier: EdgeModifier | None = None) -> None:
        """`self << other`."""
        raise NotImplementedError

    def set_downstream(self, other: Linkable, edge_modifier: EdgeModifier | None = None) -> None:
        """`self >> other`."""
        raise NotImplementedError

    def update_relative(
        self, other: DependencyMixin, upstream: bool = True, edge_modifier: EdgeModifier | None = None
    ) -> None:
        """`other` is being set up- or downstream of this; for those that keep edges of their own."""

    def as_setup(self) -> DependencyMixin:
        """Make this a setup task."""
        raise NotImplementedError

    def as_teardown(self, *, setups: Any = NOTSET, on_failure_fail_dagrun: Any = NOTSET) -> DependencyMixin:
        """Make this a teardown task of `setups`."""
        raise NotImplementedError

    def __lshift__(self, other: Linkable) -> Linkable:
        self.set_upstream(other)
        return other

    def __rshift__(self, other: Linkable) -> Linkable:
        self.set_downstream(other)
        return other

    def __rrshift__(self, other: Linkable) -> DependencyMixin:
        self.set_upstream(other)
        return self

    def __rlshift__(self, other: Linkable) -> DependencyMixin:
        self.set_downstream(other)
        return self


class DAGNode(DependencyMixin):
    """A task or a task group: it has an id, a DAG, and a place in the tree of groups."""

    dag: DAG | None = None
    task_group: TaskGroup | None = None
    upstream_task_ids: set[str]
    downstream_task_ids: set[str]
    #: where the file made it
    created_at: Place = NOWHERE

    @property
    def node_id(self) -> str:
        """Id within the DAG, with the prefixes of its groups."""
        raise NotImplementedError

    @property
    def local_id(self) -> str:
        """The id without the prefix of its group."""
        group = self.task_group
        if group is not None and group.group_id and group.prefix_group_id:
            return self.node_id[len(group.group_id) + 1 :]
        return self.node_id

    @property
    def label(self) -> str | None:
        """What the UI calls it."""
        return self.local_id

    @property
    def dag_id(self) -> str:
        """Id of its DAG."""
        return self.dag.dag_id if self.dag else "_in_memory_dag_"

    @property
    def log(self) -> logging.Logger:
        """A logger named after the class."""
        return logging.getLogger(f"{type(self).__module__}.{type(self).__name__}")

    def has_dag(self) -> bool:
        """Has it been given to a DAG?"""
        return self.dag is not None

    def set_downstream(self, other: Linkable, edge_modifier: EdgeModifier | None = None) -> None:
        self._set_relatives(other, upstream=False, edge_modifier=edge_modifier)

    def set_upstream(self, other: Linkable, edge_modifier: EdgeModifier | None = None) -> None:
        self._set_relatives(other, upstream=True, edge_modifier=edge_modifier)

    def _set_relatives(
        self, other: Linkable, *, upstream: bool = False, edge_modifier: EdgeModifier | None = None
    ) -> None:
        tasks = self._tasks_meant(other, upstream, edge_modifier)
        dag = self._common_dag(tasks)
        if self.dag is None:
            self.dag = dag
        for task in tasks:
            if task.dag is None:
                dag.add_task(task)
            before, after = (task, self) if upstream else (self, task)
            before.downstream_task_ids.add(after.node_id)
            after.upstream_task_ids.add(before.node_id)
            if edge_modifier:
                edge_modifier.add_edge_info(dag, before.node_id, after.node_id)

    def _tasks_meant(
        self, other: Linkable, upstream: bool, edge_modifier: EdgeModifier | None
    ) -> list[AbstractOperator]:
        """The tasks at the near ends of `other`; groups and labels among them take note of this edge."""
        from asyncflow.authoring.abstractoperator import AbstractOperator

        tasks: list[AbstractOperator] = []
        for node in as_sequence(other):
            if not isinstance(node, DependencyMixin):
                raise TypeError(
                    f"{self.node_id!r} can be set up- or downstream of tasks, task groups and outputs of tasks, "
                    f"not of {type(node).__name__} ({node!r:.60})."
                )
            node.update_relative(self, not upstream, edge_modifier=edge_modifier)
            for task in node.leaves if upstream else node.roots:
                if not isinstance(task, AbstractOperator):
                    raise AirflowException(f"Edges run between tasks; {type(task).__name__} is none.")
                tasks.append(task)
        return tasks

    def _common_dag(self, tasks: Sequence[DAGNode]) -> DAG:
        dags = {id(node.dag): node.dag for node in [self, *self._own_tasks(), *tasks] if node.dag is not None}
        if len(dags) > 1:
            names = ", ".join(sorted(repr(dag.dag_id) for dag in dags.values()))
            raise AirflowException(f"An edge cannot join tasks of different DAGs: {names}.")
        if not dags:
            names = ", ".join(repr(node.node_id) for node in [self, *tasks])
            raise AirflowException(f"An edge needs a DAG: give one to at least one of the tasks {names}.")
        return dags.popitem()[1]

    def _own_tasks(self) -> Iterable[DAGNode]:
        return cast(Iterable[DAGNode], self.roots)

    @property
    def downstream_list(self) -> list[AbstractOperator]:
        """The tasks directly downstream."""
        return self._tasks_by_id(self.downstream_task_ids)

    @property
    def upstream_list(self) -> list[AbstractOperator]:
        """The tasks directly upstream."""
        return self._tasks_by_id(self.upstream_task_ids)

    def _tasks_by_id(self, task_ids: Iterable[str]) -> list[AbstractOperator]:
        if self.dag is None:
            raise AirflowException(f"{self.node_id!r} has not been given to a DAG yet.")
        return [self.dag.get_task(task_id) for task_id in task_ids]

    def get_direct_relative_ids(self, upstream: bool = False) -> set[str]:
        """Ids of the tasks directly up- or downstream."""
        return self.upstream_task_ids if upstream else self.downstream_task_ids

    def get_direct_relatives(self, upstream: bool = False) -> list[AbstractOperator]:
        """The tasks directly up- or downstream."""
        return self.upstream_list if upstream else self.downstream_list


class EdgeModifier(DependencyMixin):
    """`a >> Label("text") >> b`: the edge a >> b with a label. Made by `Label`."""

    def __init__(self, label: str | None = None) -> None:
        self.label = label
        self._upstream: list[DependencyMixin] = []
        self._downstream: list[DependencyMixin] = []

    @property
    def roots(self) -> Sequence[DependencyMixin]:
        return self._downstream

    @property
    def leaves(self) -> Sequence[DependencyMixin]:
        return self._upstream

    def set_upstream(self, other: Linkable, edge_modifier: EdgeModifier | None = None) -> None:
        self._remember(other, self._upstream)
        for node in list(self._downstream):
            node.set_upstream(other, edge_modifier=self)

    def set_downstream(self, other: Linkable, edge_modifier: EdgeModifier | None = None) -> None:
        self._remember(other, self._downstream)
        for node in list(self._upstream):
            node.set_downstream(other, edge_modifier=self)

    def update_relative(
        self, other: DependencyMixin, upstream: bool = True, edge_modifier: EdgeModifier | None = None
    ) -> None:
        if upstream:
            self.set_upstream(other)
        else:
            self.set_downstream(other)

    def add_edge_info(self, dag: DAG, upstream_id: str, downstream_id: str) -> None:
        """Label one edge."""
        dag.set_edge_info(upstream_id, downstream_id, {"label": self.label})

    def _remember(self, nodes: Linkable, where: list[DependencyMixin]) -> None:
        for node in as_sequence(nodes):
            if not isinstance(node, DependencyMixin) or isinstance(node, EdgeModifier):
                raise TypeError(f"A label can stand between tasks and task groups, not beside {type(node).__name__}.")
            where.append(node)


def Label(label: str) -> EdgeModifier:
    """A label for the edge it is put in: `a >> Label("yes") >> b`."""
    return EdgeModifier(label)


def chain(*tasks: Linkable) -> None:
    """Edges between neighbours; two lists beside each other must be of one length and are joined in pairs."""
    for before, after in zip(tasks, tasks[1:], strict=False):
        if isinstance(before, DependencyMixin):
            before.set_downstream(after)
        elif isinstance(after, DependencyMixin):
            after.set_upstream(before)
        else:
            _join_pairs(before, after)


def _join_pairs(before: Any, after: Any) -> None:
    for item in (before, after):
        if not isinstance(item, Sequence) or isinstance(item, str):
            raise TypeError(f"chain() takes tasks, task groups and lists of them, not {type(item).__name__}.")
    if len(before) != len(after):
        raise AirflowException(
            f"chain() joins neighbouring lists in pairs, so they must be of one length: {len(before)} and {len(after)}."
        )
    for one, other in zip(before, after, strict=True):
        one.set_downstream(other)


def cross_downstream(from_tasks: Sequence[DependencyMixin], to_tasks: Linkable) -> None:
    """An edge from each of `from_tasks` to each of `to_tasks`."""
    for task in from_tasks:
        task.set_downstream(to_tasks)


def chain_linear(*elements: Linkable) -> None:
    """Edges between neighbours; lists beside each other are joined each with each."""
    if not elements:
        raise ValueError("chain_linear() needs at least one task or list of tasks.")
    before: Linkable | None = None
    joined = False
    for element in elements:
        if not isinstance(element, Sequence | DependencyMixin) or isinstance(element, str):
            raise TypeError(f"chain_linear() takes tasks and lists of them, not {type(element).__name__}.")
        if before is not None and as_sequence(before) and as_sequence(element):
            for task in as_sequence(element):
                task.set_upstream(before)
            joined = True
        before = element
    if not joined:
        raise ValueError("chain_linear() found no edge to make: give at least two tasks.")
