"""A DAG's tasks as text: an indented tree, and graphviz' DOT. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: from here on a subtree that was shown already is named only
_SEEN_MARK = " (see above)"


def as_tree(tasks: Sequence[Mapping[str, Any]]) -> str:
    """One line per task, indented below what it waits for; a task met again is not unfolded a second time."""
    by_id = {task["task_id"]: task for task in tasks}
    roots = [task_id for task_id, task in by_id.items() if not task["upstream"]]
    return "".join(f"{line}\n" for line in _lines(by_id, roots))


def _lines(by_id: Mapping[str, Mapping[str, Any]], roots: Sequence[str]) -> Iterator[str]:
    shown: set[str] = set()
    stack = [(task_id, 0) for task_id in reversed(roots)]
    while stack:
        task_id, depth = stack.pop()
        task = by_id[task_id]
        again = task_id in shown and task["downstream"]
        yield f"{'    ' * depth}{task_id} [{task['operator']}]{_SEEN_MARK if again else ''}"
        if not again:
            shown.add(task_id)
            stack.extend((below, depth + 1) for below in sorted(task["downstream"], reverse=True))


def as_dot(dag: Mapping[str, Any]) -> str:
    """The whole graph, left to right."""
    lines = [f"digraph {_quoted(dag['dag_id'])} {{", "\trankdir=LR", f"\tlabel={_quoted(dag['dag_id'])}"]
    lines.extend(f"\t{_quoted(task['task_id'])} [shape=rectangle style=rounded]" for task in dag["tasks"])
    for task in dag["tasks"]:
        lines.extend(f"\t{_quoted(task['task_id'])} -> {_quoted(below)}" for below in sorted(task["downstream"]))
    return "\n".join([*lines, "}\n"])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
