"""Tasks that ask a person: what is asked, whether an answer fits, and how it reaches the task. Pure.

Such a task is deferred; its trigger holds the question and waits for the end of its time. An answer ends the trigger as
if it had fired with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from asyncflow.core import deferral
from asyncflow.core.commands import TriggerEndedFact
from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.specs import ParamSpec
from asyncflow.core.states import TaskState
from asyncflow.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from asyncflow.core.machine import Machine

#: the trigger of operators that ask
CLASSPATH = "asyncflow.triggers.hitl.HITLTrigger"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a task asks."""

    subject: str
    options: tuple[str, ...]
    body: str | None = None
    params: dict[str, ParamSpec] = {}
    defaults: tuple[str, ...] | None = None  #: count when the time is up; None = it fails then
    multiple: bool = False  #: more than one option may be chosen
    assigned: tuple[str, ...] = ()  #: who should answer
    moment: datetime | None = None  #: when the time is up


def question_of(ti: TaskInstance) -> Question | None:
    """What an instance asks now; None when it does not wait for an answer."""
    if ti.state is not TaskState.DEFERRED or ti.trigger is None or ti.trigger.get("classpath") != CLASSPATH:
        return None
    try:
        return msgspec.convert(ti.trigger.get("kwargs", {}), Question)
    except msgspec.ValidationError:
        return None


def check(question: Question, chosen: Sequence[str], values: Mapping[str, Any]) -> None:
    """Raise InvalidInput if these options and values are no answer."""
    if unknown := [name for name in chosen if name not in question.options]:
        raise InvalidInput(
            "{name!r} is no option: accepted are {accepted}.", name=unknown[0], accepted=tuple(question.options)
        )
    if not chosen:
        raise InvalidInput("Choose one of {names}.", names=tuple(question.options))
    if len(chosen) > 1 and not question.multiple:
        raise InvalidInput("One option can be chosen, not {n}.", n=len(chosen))
    if extra := [name for name in values if name not in question.params]:
        raise InvalidInput("The task does not ask for {name!r}.", name=extra[0])


def answer(
    machine: Machine, key: TaskKey, chosen: Sequence[str], values: Mapping[str, Any], now: datetime, actor: str
) -> None:
    """The task goes on with an answer. Raises Conflict when it does not wait for one any more, and as `check`."""
    found = machine.find(key)
    question = question_of(found[1]) if found else None
    if found is None or question is None:
        raise Conflict("The task {task!r} does not wait for an answer now.", task=key.task_id)
    check(question, chosen, values)
    ti = found[1]
    given = {"chosen_options": list(chosen), "params_input": {**_defaults(question), **values}}
    machine.ledger.journal_task(ti, "task.answered", now, ti.state.value, actor, given)
    event = {
        **given,
        "responded_by_user": {"id": actor, "name": actor},
        "responded_at": now.isoformat(),
        "timedout": False,
    }
    deferral.ended(machine, TriggerEndedFact(token=ti.token or "", at=now, event=event))


def _defaults(question: Question) -> dict[str, Any]:
    return {name: param.value for name, param in question.params.items() if param.has_value}
