"""Task groups: a tree beside the graph. Edges to a group reach its root tasks, edges from it leave from its leaves."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from asyncflow.authoring.abstractoperator import AbstractOperator
from asyncflow.authoring.checks import validate_group_key
from asyncflow.authoring.current import DagContext, TaskGroupContext
from asyncflow.authoring.edges import DAGNode, DependencyMixin, EdgeModifier, Linkable, as_sequence
from asyncflow.authoring.exceptions import (
    AirflowDagCycleException,
    AirflowException,
    DuplicateTaskIdFound,
    TaskAlreadyInTaskGroup,
)
from asyncflow.authoring.source import caller, located
from asyncflow.authoring.types import NOTSET
from asyncflow.errors import InvalidDag

if TYPE_CHECKING:
    from asyncflow.authoring.dag import DAG
    from asyncflow.authoring.mapping import MappedTaskGroup

_SUFFIX = re.compile(r"__(\d+)$")


class TaskGroup(DAGNode):
    """A group of tasks and groups; `with TaskGroup("id"):` collects the tasks made inside."""

    def __init__(
        self,
        group_id: str | None,
        prefix_group_id: bool = True,
        parent_group: TaskGroup | None = None,
        dag: DAG | None = None,
        default_args: dict[str, Any] | None = None,
        tooltip: str = "",
        ui_color: str = "CornflowerBlue",
        ui_fgcolor: str = "#000",
        add_suffix_on_collision: bool = False,
        group_display_name: str = "",
    ) -> None:
        """Raises DuplicateTaskIdFound if a task or group of this id exists, unless `add_suffix_on_collision`."""
        self.created_at = caller()
        self.prefix_group_id = prefix_group_id
        self.default_args = copy.deepcopy(default_args or {})
        self.tooltip = tooltip
        self.ui_color = ui_color
        self.ui_fgcolor = ui_fgcolor
        self.group_display_name = group_display_name
        self.children: dict[str, DAGNode] = {}
        self.upstream_group_ids: set[str | None] = set()
        self.downstream_group_ids: set[str | None] = set()
        self.upstream_task_ids = set()
        self.downstream_task_ids = set()
        self.dag = dag or DagContext.get_current_dag()
        self._group_id = group_id
        #: ids of all tasks and groups of the DAG: one set, shared by all its groups
        self.used_group_ids: set[str | None] = set()
        if group_id is None:
            if parent_group is not None:
                raise AirflowException("The root group of a DAG cannot have a parent_group.")
            return
        try:
            self._join_parent(group_id, parent_group, add_suffix_on_collision)
        except InvalidDag as error:
            raise located(error, self.created_at) from None

    def _join_parent(self, group_id: str, parent: TaskGroup | None, add_suffix: bool) -> None:
        if self.prefix_group_id:
            validate_group_key(group_id)
        elif not group_id or not isinstance(group_id, str):
            raise ValueError(f"The group_id must be a text that is not empty, not {group_id!r}.")
        parent = parent or TaskGroupContext.get_current_task_group(self.dag)
        if parent is None:
            raise AirflowException(f"Task group {group_id!r} can only be made inside a DAG: give it `dag=`.")
        if self.dag is not None and parent.dag is not self.dag:
            raise InvalidDag(f"Task group {group_id!r} cannot be in a group of another DAG.")
        self.used_group_ids = parent.used_group_ids
        self._group_id = self._free_id(parent, group_id) if add_suffix else group_id
        if parent.child_id(str(self._group_id)) in self.used_group_ids:
            raise DuplicateTaskIdFound(f"group_id '{parent.child_id(group_id)}' has already been added to the DAG")
        parent.add(self)
        self.default_args = {**parent.default_args, **self.default_args}
        self.used_group_ids |= {self.group_id, self.upstream_join_id, self.downstream_join_id}

    def _free_id(self, parent: TaskGroup, group_id: str) -> str:
        """The id, with `__1`, `__2`, ... behind it when it is taken."""
        full_id = parent.child_id(group_id)
        # Airflow compares the id without prefix; ids of existing DAGs depend on it
        if group_id not in self.used_group_ids and full_id not in self.used_group_ids:
            return group_id
        base = _SUFFIX.sub("", group_id)
        taken = re.compile(rf"(?:{re.escape(parent.child_id(base))}|{re.escape(base)})__(\d+)")
        numbers = [int(m[1]) for used in self.used_group_ids if used and (m := taken.fullmatch(used))]
        return f"{base}__{max(numbers, default=0) + 1}"

    @classmethod
    def create_root(cls, dag: DAG) -> TaskGroup:
        """The root group of a DAG: no id, no parent."""
        return cls(group_id=None, dag=dag)

    @property
    def node_id(self) -> str:
        return self.group_id or ""

    @property
    def is_root(self) -> bool:
        """Is it the DAG itself?"""
        return not self._group_id

    @property
    def parent_group(self) -> TaskGroup | None:
        """The group it is in."""
        return self.task_group

    @property
    def group_id(self) -> str | None:
        """Its id with the prefixes of its parents; None for the root."""
        if self._group_id and self.task_group is not None:
            return self.task_group.child_id(self._group_id)
        return self._group_id

    @property
    def label(self) -> str | None:
        return self._group_id

    def child_id(self, label: str) -> str:
        """The id that a task or group called `label` gets inside of this group."""
        group_id = self.group_id if self.prefix_group_id else None
        return f"{group_id}.{label}" if group_id else label

    @property
    def upstream_join_id(self) -> str:
        """Id of the point of the graph page where edges into the group meet."""
        return f"{self.group_id}.upstream_join_id"

    @property
    def downstream_join_id(self) -> str:
        """Id of the point of the graph page where edges out of the group part."""
        return f"{self.group_id}.downstream_join_id"

    # ---- children -------------------------------------------------------------------------------------------------

    def add(self, task: DAGNode) -> DAGNode:
        """Put a task or an empty group into this group."""
        if task.task_group is not None and task.task_group is not self:
            if not TaskGroupContext.is_active() or isinstance(task, TaskGroup):
                raise TaskAlreadyInTaskGroup(task.node_id, task.task_group.group_id, self.node_id)
            task.task_group.children.pop(task.node_id, None)
        task.task_group = self
        key = task.node_id
        if key in self.children and self.children[key] is not task:
            raise duplicate(task, self.children[key])
        if isinstance(task, TaskGroup):
            if self.dag is not None:
                task.dag = self.dag
            if task.children:
                raise AirflowException("Cannot add a non-empty TaskGroup")
        self.children[key] = task
        return task

    def __iter__(self) -> Iterator[AbstractOperator]:
        """All tasks inside, those of inner groups too, in order of creation."""
        for child in self.children.values():
            if isinstance(child, TaskGroup):
                yield from child
            elif isinstance(child, AbstractOperator):
                yield child

    def iter_tasks(self) -> Iterator[AbstractOperator]:
        """All tasks inside, those of inner groups too."""
        return iter(self)

    def has_task(self, task: AbstractOperator) -> bool:
        """Is the task in this group or one inside it?"""
        return any(inner.task_id == task.task_id for inner in self)

    def get_child_by_label(self, label: str) -> DAGNode:
        """The child of an id without prefix. Raises KeyError."""
        return self.children[self.child_id(label)]

    def get_task_group_dict(self) -> dict[str | None, TaskGroup]:
        """This group and all groups inside, by id."""
        found: dict[str | None, TaskGroup] = {self.group_id: self}
        for child in self.children.values():
            if isinstance(child, TaskGroup):
                found.update(child.get_task_group_dict())
        return found

    def iter_mapped_task_groups(self) -> Iterator[MappedTaskGroup]:
        """The mapped groups among this one and those around it, innermost first."""
        from asyncflow.authoring.mapping import MappedTaskGroup

        group: TaskGroup | None = self
        while group is not None:
            if isinstance(group, MappedTaskGroup):
                yield group
            group = group.task_group

    def hierarchical_alphabetical_sort(self) -> list[DAGNode]:
        """Children: groups first, then tasks, each by id."""
        return sorted(self.children.values(), key=lambda node: (not isinstance(node, TaskGroup), node.node_id))

    def topological_sort(self) -> list[DAGNode]:
        """Children so that each comes after those upstream of it. Raises AirflowDagCycleException."""
        waiting = dict(self.children)
        done: list[DAGNode] = []
        while waiting:
            ready = [node for node in waiting.values() if not _waits_for(node, waiting)]
            if not ready:
                raise AirflowDagCycleException(f"A cyclic dependency occurred in dag: {self.dag_id}")
            for node in ready:
                del waiting[node.node_id]
            done += ready
        return done

    # ---- edges ----------------------------------------------------------------------------------------------------

    @property
    def roots(self) -> Sequence[DAGNode]:
        return list(self.get_roots())

    @property
    def leaves(self) -> Sequence[DAGNode]:
        return list(self.get_leaves())

    def get_roots(self) -> Iterator[AbstractOperator]:
        """Tasks with nothing of this group upstream."""
        tasks = list(self)
        ids = {task.task_id for task in tasks}
        return (task for task in tasks if task.upstream_task_ids.isdisjoint(ids))

    def get_leaves(self) -> Iterator[AbstractOperator]:
        """Tasks with nothing of this group downstream; in place of a teardown, what it comes after."""
        tasks = {task.task_id: task for task in self}
        for task in tasks.values():
            if not task.downstream_task_ids.isdisjoint(tasks):
                continue
            if task.is_teardown:
                yield from _before_teardown(task, tasks)
            else:
                yield task

    def update_relative(
        self, other: DependencyMixin, upstream: bool = True, edge_modifier: EdgeModifier | None = None
    ) -> None:
        if isinstance(other, TaskGroup):
            self._note_group(other, upstream, edge_modifier)
            return
        for task in other.roots if not upstream else other.leaves:
            if not isinstance(task, DAGNode):
                raise AirflowException(f"Edges run between tasks and groups; {type(task).__name__} is neither.")
            (self.upstream_task_ids if upstream else self.downstream_task_ids).add(task.node_id)
            if edge_modifier and self.dag is not None:
                ends = (task.node_id, self.upstream_join_id) if upstream else (self.downstream_join_id, task.node_id)
                edge_modifier.add_edge_info(self.dag, *ends)

    def _note_group(self, other: TaskGroup, upstream: bool, edge_modifier: EdgeModifier | None) -> None:
        before, after = (other, self) if upstream else (self, other)
        after.upstream_group_ids.add(before.group_id)
        before.downstream_group_ids.add(after.group_id)
        if edge_modifier and self.dag is not None:
            edge_modifier.add_edge_info(self.dag, before.downstream_join_id, after.upstream_join_id)

    def _set_relatives(
        self, other: Linkable, *, upstream: bool = False, edge_modifier: EdgeModifier | None = None
    ) -> None:
        for node in as_sequence(other):
            self.update_relative(node, upstream, edge_modifier=edge_modifier)
        for task in list(self.get_roots() if upstream else self.get_leaves()):
            if upstream:
                task.set_upstream(other)
            else:
                task.set_downstream(other)

    def as_setup(self) -> DependencyMixin:
        raise AirflowException(f"Task group {self.group_id!r} cannot be a setup; its tasks can.")

    def as_teardown(self, *, setups: Any = NOTSET, on_failure_fail_dagrun: Any = NOTSET) -> DependencyMixin:
        raise AirflowException(f"Task group {self.group_id!r} cannot be a teardown; its tasks can.")

    def __enter__(self) -> TaskGroup:
        TaskGroupContext.push_context_managed_task_group(self)
        return self

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        TaskGroupContext.pop_context_managed_task_group()

    def __repr__(self) -> str:
        return f"<TaskGroup: {self.group_id}>"


def duplicate(node: DAGNode, existing: DAGNode | None) -> DuplicateTaskIdFound:
    """The error for a second task or group of an id."""
    kind = "Task Group" if isinstance(node, TaskGroup) else "Task"
    first = f"; the first is made in {existing.created_at}" if existing is not None else ""
    return DuplicateTaskIdFound(f"{kind} id '{node.node_id}' has already been added to the DAG{first}")


def _waits_for(node: DAGNode, waiting: dict[str, DAGNode]) -> bool:
    """Is anything upstream of a child of a group, or a group around it, still waiting to be sorted in?"""
    tasks = list(node) if isinstance(node, TaskGroup) else [node]
    for task in tasks:
        for before in task.upstream_list:
            place: DAGNode | None = before
            while place is not None:
                if place.node_id in waiting and waiting[place.node_id] is not node:
                    return True
                place = place.task_group
    return False


def _before_teardown(teardown: AbstractOperator, tasks: dict[str, AbstractOperator]) -> Iterator[AbstractOperator]:
    """The tasks of a group that a trailing teardown comes after, but for its setups and those with other successors."""
    for task_id in sorted(teardown.upstream_task_ids):
        before = tasks.get(task_id)
        if before is None:
            continue
        if before.is_teardown:
            yield from _before_teardown(before, tasks)
        elif not before.is_setup and not _goes_on(before, teardown, tasks):
            yield before


def _goes_on(task: AbstractOperator, besides: AbstractOperator, tasks: dict[str, AbstractOperator]) -> bool:
    others = (tasks[i] for i in task.downstream_task_ids if i != besides.task_id and i in tasks)
    return any(not other.is_teardown for other in others)
