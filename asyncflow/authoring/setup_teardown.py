"""`with setup >> teardown:`: tasks made inside get the setup upstream and the teardown downstream.

On leaving the block the work tasks without any upstream come after the setups, and those without any downstream come
before the teardowns. Blocks nest: an outer setup precedes the inner ones, an inner teardown the outer ones.
As in Airflow 2.11, `airflow.utils.setup_teardown`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asyncflow.authoring.exceptions import AirflowException

if TYPE_CHECKING:
    from asyncflow.authoring.abstractoperator import AbstractOperator
    from asyncflow.authoring.edges import DependencyMixin


@dataclass
class _Block:
    setups: list[AbstractOperator]
    teardowns: list[AbstractOperator]
    tasks: list[AbstractOperator] = field(default_factory=list)


_blocks: list[_Block] = []


class SetupTeardownContext:
    """What `with setup as scope:` gives: tasks made elsewhere join by `scope.add_task(task)`."""

    @staticmethod
    def add_task(task: Any) -> None:
        """Bring a task that was made outside of the block into it."""
        if not _blocks:
            raise AirflowException("Cannot add a task to a setup/teardown block outside of the block.")
        note_task(getattr(task, "operator", task))


class ContextWrapper(list[Any]):
    """`with context_wrapper([setup1, setup2]):`, for several setups or teardowns at once."""

    def __init__(self, tasks: Sequence[DependencyMixin]) -> None:
        super().__init__(tasks)

    def __enter__(self) -> type[SetupTeardownContext]:
        open_block([getattr(task, "operator", task) for task in self])
        return SetupTeardownContext

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        close_block(failed=kind is not None)


context_wrapper = ContextWrapper


def open_block(tasks: Sequence[AbstractOperator]) -> None:
    """Enter `with tasks:`; they must all be setups or all teardowns."""
    if all(task.is_setup for task in tasks):
        setups, teardowns = list(tasks), _nearest(tasks, "downstream_list", lambda task: task.is_teardown)
    elif all(task.is_teardown for task in tasks):
        setups, teardowns = _nearest(tasks, "upstream_list", lambda task: task.is_setup), list(tasks)
    elif any(task.is_setup or task.is_teardown for task in tasks):
        raise ValueError("All tasks in the list must be either setup or teardown tasks")
    else:
        raise AirflowException("Only setup/teardown tasks can be used as context managers.")
    _blocks.append(_Block(setups, teardowns))


def close_block(*, failed: bool = False) -> None:
    """Leave the innermost block; after an exception nothing is wired."""
    block = _blocks.pop()
    if failed:
        return
    work = [task for task in block.tasks if not task.is_setup and not task.is_teardown]
    if work:
        roots = [task for task in work if not task.upstream_task_ids] or work[:1]
        leaves = [task for task in work if not task.downstream_task_ids] or work[-1:]
        _join(_innermost("setups", block), roots)
        _join(leaves, _innermost("teardowns", block))
    if _blocks:
        _join(_blocks[-1].setups, block.setups)
        _join(block.teardowns, _blocks[-1].teardowns)


def _innermost(kind: str, block: _Block) -> list[AbstractOperator]:
    """The setups or teardowns of a block; of one that has none, those of the nearest block around it."""
    found: list[AbstractOperator] = []
    for around in [*_blocks, block]:
        found = getattr(around, kind) or found
    return found


def note_task(task: AbstractOperator) -> None:
    """A task was made: it belongs to the innermost open block."""
    if _blocks:
        _blocks[-1].tasks.append(task)


def _join(before: Sequence[AbstractOperator], after: Sequence[AbstractOperator]) -> None:
    for task in after:
        task.set_upstream(list(before))


def _nearest(
    tasks: Sequence[AbstractOperator], direction: str, wanted: Callable[[AbstractOperator], bool]
) -> list[AbstractOperator]:
    """The first tasks that are wanted, layer by layer."""
    seen = {task.task_id for task in tasks}
    layer = list(tasks)
    while layer:
        beyond = {near.task_id: near for task in layer for near in getattr(task, direction) if near.task_id not in seen}
        found = [task for task in beyond.values() if wanted(task)]
        if found:
            return sorted(found, key=lambda task: task.task_id)
        seen |= beyond.keys()
        layer = list(beyond.values())
    return []
