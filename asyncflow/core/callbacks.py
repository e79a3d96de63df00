"""Which callbacks are due when no process of the task can call them any more. Pure.

Normally a task calls its callbacks itself, at the end of its try. These are for tries whose process died, could not
import its file, or never was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncflow.core.commands import CallBack
from asyncflow.core.live import LiveRun
from asyncflow.core.models import TaskInstance
from asyncflow.core.specs import TaskSpec
from asyncflow.core.states import TaskState

if TYPE_CHECKING:
    from asyncflow.core.machine import Machine

_WORDS = {
    TaskState.SUCCESS: "success",
    TaskState.SKIPPED: "skipped",
    TaskState.FAILED: "failure",
    TaskState.UP_FOR_RETRY: "retry",
}


def try_over(machine: Machine, live: LiveRun, ti: TaskInstance, reason: str) -> None:
    """A try is over, and nobody has called the callbacks for the state it has led to, or sent its mail."""
    task = live.dag.graph.tasks.get(ti.task_id)
    word = _WORDS.get(ti.state)
    if task is None or word is None or not (word in task.callbacks or _mails(task, word)):
        return
    call(machine, ti, word, reason)


def call(machine: Machine, ti: TaskInstance, word: str, reason: str) -> None:
    """Have the callbacks for a word (success, failure, retry, skipped) called in a process of their own."""
    machine.ledger.act(
        CallBack(
            kind=f"task_{word}",
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=ti.map_index,
            reason=reason,
        )
    )


def _mails(task: TaskSpec, word: str) -> bool:
    wanted = (word == "failure" and task.email_on_failure) or (word == "retry" and task.email_on_retry)
    return bool(task.email) and wanted
