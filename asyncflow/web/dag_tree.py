"""Tasks and task groups of a DAG as the lines of a tree, in the order in which they run. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import msgspec

from asyncflow.core.graph import closure, reversed_edges, topological_order
from asyncflow.core.specs import DagSpec, TaskSpec
from asyncflow.errors import CycleFound, InvalidInput
from asyncflow.web.kept import Made

#: up to so many tasks a DAG shows all its groups open
_OPEN_UP_TO = 60
#: what `?open=` says for all groups and for none
ALL, NONE = "*", "-"

#: trees and parts of DAGs: a page asks for the same one again and again
_TREES: Made[list[Line]] = Made(32)
_PARTS: Made[DagSpec] = Made(32)
#: what `?around=` accepts: which tasks are shown with that of `?root=`
AROUND = ("both", "upstream", "downstream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: a task, or a group with the tasks that it stands for while it is closed."""

    id: str
    label: str
    depth: int
    task_ids: tuple[str, ...]
    operator: str = ""
    is_group: bool = False
    is_open: bool = False
    mapped: bool = False
    gone: bool = False  #: no longer in the newest version


@dataclass(slots=True)
class _Node:
    """A group while the tree is built; `place` is that of its first task."""

    place: int
    members: list[str] = field(default_factory=list)


def order_of(spec: DagSpec) -> list[str]:
    """Task ids, each after those before it; ties in the order of the file."""
    places = {task_id: place for place, task_id in enumerate(spec.tasks)}
    edges = {
        task_id: sorted((d for d in task.downstream if d in places), key=places.__getitem__)
        for task_id, task in spec.tasks.items()
    }
    try:
        return topological_order(edges)
    except CycleFound:  # not from a file of ours, which would not have been loaded
        return list(spec.tasks)


def opened(spec: DagSpec, text: str | None) -> frozenset[str]:
    """The open groups that `?open=` names; when it says nothing, all of a small DAG and none of a large one."""
    groups = frozenset(spec.groups)
    if text == ALL or (not text and len(spec.tasks) <= _OPEN_UP_TO):
        return groups
    return groups & frozenset((text or "").split(","))


def toggled(spec: DagSpec, is_open: frozenset[str], group_id: str) -> str:
    """The `?open=` that opens or closes one group."""
    wanted = is_open ^ {group_id}
    if wanted == frozenset(spec.groups):
        return ALL
    return ",".join(sorted(wanted)) or NONE


def lines(spec: DagSpec, is_open: frozenset[str], search: str = "") -> list[Line]:
    """The visible lines. With `search`, the tasks whose id has it, without their groups."""
    return list(_TREES.of((spec,), (id(spec), is_open, search), partial(_lines, spec, is_open, search)))


def _lines(spec: DagSpec, is_open: frozenset[str], search: str) -> list[Line]:
    order = order_of(spec)
    if search:
        wanted = search.casefold()
        return [_task_line(spec.tasks[task_id], 0, task_id) for task_id in order if wanted in task_id.casefold()]
    nodes = _groups(spec, order)
    children: dict[str | None, list[tuple[int, str, bool]]] = {}
    for place, task_id in enumerate(order):
        children.setdefault(_known(spec, spec.tasks[task_id].group_id), []).append((place, task_id, False))
    for group_id, node in nodes.items():
        children.setdefault(_known(spec, spec.groups[group_id].parent), []).append((node.place, group_id, True))
    found: list[Line] = []
    stack = [(entry, 0) for entry in sorted(children.get(None, ()), reverse=True)]
    while stack:
        (_, name, is_group), depth = stack.pop()
        if not is_group:
            task = spec.tasks[name]
            found.append(_task_line(task, depth, task.label or name))
            continue
        found.append(_group_line(spec, name, nodes[name], depth, name in is_open))
        if name in is_open:
            stack += [(entry, depth + 1) for entry in sorted(children.get(name, ()), reverse=True)]
    return found


def _known(spec: DagSpec, group_id: str | None) -> str | None:
    return group_id if group_id in spec.groups else None


def _groups(spec: DagSpec, order: list[str]) -> dict[str, _Node]:
    """Every group that has tasks, with all of them, those of inner groups too."""
    nodes: dict[str, _Node] = {}
    for place, task_id in enumerate(order):
        group_id = _known(spec, spec.tasks[task_id].group_id)
        while group_id is not None:
            nodes.setdefault(group_id, _Node(place)).members.append(task_id)
            group_id = _known(spec, spec.groups[group_id].parent)
    return nodes


def _group_line(spec: DagSpec, group_id: str, node: _Node, depth: int, is_open: bool) -> Line:
    group = spec.groups[group_id]
    return Line(
        id=group_id,
        label=group.label or group_id,
        depth=depth,
        task_ids=tuple(node.members),
        is_group=True,
        is_open=is_open,
        mapped=group.expand is not None,
    )


def _task_line(task: TaskSpec, depth: int, label: str) -> Line:
    return Line(
        id=task.task_id,
        label=task.task_display_name or label,
        depth=depth,
        task_ids=(task.task_id,),
        operator=task.operator,
        mapped=task.is_mapped,
    )


def gone_lines(spec: DagSpec, older: Iterable[DagSpec], search: str = "") -> list[Line]:
    """Tasks that the newest version has no more, but older ones on the page had."""
    found: dict[str, Line] = {}
    for version in older:
        for task_id, task in version.tasks.items():
            if task_id not in spec.tasks and search.casefold() in task_id.casefold():
                line = _task_line(task, 0, task_id)
                found[task_id] = Line(
                    id=task_id, label=line.label, depth=0, task_ids=(task_id,), operator=task.operator, gone=True
                )
    return list(found.values())


def around(spec: DagSpec, task_id: str, *, upstream: bool, downstream: bool) -> frozenset[str]:
    """A task with all that is before it, after it, or both."""
    edges = {name: task.downstream for name, task in spec.tasks.items()}
    found = {task_id}
    if downstream:
        found |= closure([task_id], edges)
    if upstream:
        found |= closure([task_id], reversed_edges(edges))
    return frozenset(found)


def narrowed(spec: DagSpec, root: str, way: str | None) -> DagSpec:
    """A DAG with only the tasks around one; all of it without a root. Raises InvalidInput for an unknown task."""
    if not root:
        return spec
    if root not in spec.tasks:
        raise InvalidInput("root={root!r} in the address: DAG {dag!r} has no such task.", root=root, dag=spec.dag_id)
    return _PARTS.of((spec,), (id(spec), root, way), partial(_around, spec, root, way))


def _around(spec: DagSpec, root: str, way: str | None) -> DagSpec:
    kept = around(spec, root, upstream=way != "downstream", downstream=way != "upstream")
    return msgspec.structs.replace(spec, tasks=_only(spec, kept))


def _only(spec: DagSpec, kept: frozenset[str]) -> dict[str, TaskSpec]:
    """Some tasks, with the arrows between them."""
    return {
        task_id: msgspec.structs.replace(
            task,
            upstream=tuple(name for name in task.upstream if name in kept),
            downstream=tuple(name for name in task.downstream if name in kept),
        )
        for task_id, task in spec.tasks.items()
        if task_id in kept
    }
