"""Where in its file a DAG's tasks are made, and in which version each line and each task became what it is. Pure.

Files are read as syntax, never run: what a loop or a factory makes is found when its id is written with blanks in it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from asyncflow.core.specs import DagSpec

#: the same function called again is a task with a number after its name
_AGAIN = re.compile(r"__\d+$")


@dataclass(frozen=True, slots=True)
class TaskOrigin:
    """A task of a version, and the versions (their numbers) that made it what it is."""

    task_id: str
    line: int | None  #: where it is made
    since: int  #: the first version with this definition of it
    first: int  #: the first version that had it, as far back as was looked


def task_lines(source: str, spec: DagSpec) -> dict[str, int]:
    """Task id -> the line that makes it, for those that are found."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # whatever the file was, the page must show it
        return {}
    places = sorted(_places(tree), key=lambda place: place[0])
    begin = spec.line or 0
    found = {}
    for task_id, task in spec.tasks.items():
        names = {task_id, task.label or task_id, _AGAIN.sub("", task.label or task_id)}
        lines = [line for line, pattern in places if any(pattern.fullmatch(name) for name in names)]
        # a file may have several DAGs with tasks of the same name: the first one after this DAG's beginning
        line = next((line for line in lines if line >= begin), lines[-1] if lines else None)
        if line is not None:
            found[task_id] = line
    return found


def _places(tree: ast.AST) -> list[tuple[int, re.Pattern[str]]]:
    """(line, what the ids made there look like)."""
    found: list[tuple[int, re.Pattern[str]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            wanted = next((word.value for word in node.keywords if word.arg == "task_id"), None)
            if (pattern := _pattern(wanted)) is not None:
                found.append((node.lineno, pattern))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_is_task, node.decorator_list)):
            found.append((min(it.lineno for it in node.decorator_list), re.compile(re.escape(node.name))))
    return found


def _pattern(node: ast.expr | None) -> re.Pattern[str] | None:
    """What a text of the file can come to; None when nothing of it is written there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.compile(re.escape(node.value))
    if not isinstance(node, ast.JoinedStr):
        return None
    parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values]
    return re.compile("".join(parts)) if any(part != ".+" for part in parts) else None


def _is_task(decorator: ast.expr) -> bool:
    """`@task`, `@task(...)`, `@task.branch`, `@dag_module.task`, `@setup`, `@teardown`."""
    names = [node.id if isinstance(node, ast.Name) else node.attr for node in _chain(decorator)]
    return any(name in ("task", "setup", "teardown") for name in names)


def _chain(node: ast.expr) -> Iterator[ast.Name | ast.Attribute]:
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Attribute):
            yield node
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node


def line_origins(versions: Sequence[tuple[int, str]]) -> list[int]:
    """For each line of the first text the number of the version that brought it. `versions`: newest first."""
    number, source = versions[0]
    lines = source.split("\n")
    origins = [number] * len(lines)
    alive = {place: place for place in range(len(lines))}  # line of the older text -> line of the first one
    newer = lines
    for number, text in versions[1:]:
        older = text.split("\n")
        kept: dict[int, int] = {}
        for a, b, size in SequenceMatcher(None, older, newer, autojunk=False).get_matching_blocks():
            kept |= {a + n: alive[b + n] for n in range(size) if b + n in alive}
        for place in kept.values():
            origins[place] = number
        alive, newer = kept, older
    return origins


def task_origins(versions: Sequence[tuple[int, DagSpec]], lines: Mapping[str, int]) -> list[TaskOrigin]:
    """The tasks of the first version, by their lines. `versions`: newest first."""
    newest = versions[0][1]
    found = []
    for task_id, task in newest.tasks.items():
        since = first = versions[0][0]
        same = True
        for number, spec in versions[1:]:
            before = spec.tasks.get(task_id)
            if before is None:
                break
            first = number
            same = same and before == task
            since = number if same else since
        found.append(TaskOrigin(task_id, lines.get(task_id), since, first))
    return sorted(found, key=lambda origin: (origin.line or 0, origin.task_id))
