"""Questions to timetables that wait for their answers."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from asyncflow.core.messages import AskTimetable, TimetableAnswer

#: seconds a user's timetable may think
ANSWER_TIMEOUT = 60.0


class Questions:
    """Brings answers to those who asked."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    async def ask(self, question: AskTimetable, send: Callable[[], None]) -> TimetableAnswer:
        """Send it and wait; a long silence is an answer with `error`."""
        waiting = self._waiting[question.request_id] = _Waiting()
        try:
            send()
            with anyio.move_on_after(ANSWER_TIMEOUT):
                await waiting.arrived.wait()
        finally:
            del self._waiting[question.request_id]
        return waiting.answer or TimetableAnswer(
            request_id=question.request_id, error=f"The timetable did not answer within {ANSWER_TIMEOUT:g} s."
        )

    def answered(self, answer: TimetableAnswer) -> None:
        """An answer has come; one that nobody waits for any more is dropped."""
        waiting = self._waiting.get(answer.request_id)
        if waiting is not None:
            waiting.answer = answer
            waiting.arrived.set()


class _Waiting:
    def __init__(self) -> None:
        self.arrived = anyio.Event()
        self.answer: TimetableAnswer | None = None
