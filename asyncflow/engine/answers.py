"""What people answer to tasks that ask them. Part of `engine.actions`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from asyncflow.core import asking
from asyncflow.core.models import TaskKey
from asyncflow.core.sentence import Sentence
from asyncflow.core.world import World
from asyncflow.engine.audit import actor
from asyncflow.engine.params import check_value
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict


class AnswerActions:
    """Questions are in memory: a task that asks is one of an active run."""

    _scheduler: Scheduler

    async def list_questions(self) -> list[dict[str, Any]]:
        """All task instances that wait for an answer, those first whose time is up first."""
        found = self._scheduler.world.questions()
        return [
            {
                **key._asdict(),
                "subject": question.subject,
                "options": list(question.options),
                "multiple": question.multiple,
                "assigned": list(question.assigned),
                "until": question.moment.isoformat() if question.moment else None,
            }
            for key, question in found
        ]

    async def answer_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        map_index: int = -1,
        options: Sequence[str] = (),
        params: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Let a task go on that waits for a person, with the options chosen and the values of its params."""
        key, values, by = TaskKey(dag_id, run_id, task_id, map_index), params or {}, actor()
        ti = self._scheduler.world.task_instance(key)
        question = asking.question_of(ti) if ti else None
        if question is None:
            raise Conflict("The task {task!r} does not wait for an answer now.", task=task_id)
        for name, param in question.params.items():
            if param.schema:
                check_value(Sentence("Task {task!r}", task=task_id), name, values.get(name, param.value), param.schema)

        def decide(world: World, now: datetime) -> None:
            world.answer(key, options, values, now=now, actor=by)

        await self._scheduler.do(decide)
        return {**key._asdict(), "options": list(options), "params": values}
