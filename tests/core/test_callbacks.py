"""Callbacks of tries that could not call them by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow.core.states import TaskState
from tests.core.simulate import Game, Outcome, a_dag, a_task, died, failed, success


def called(task: dict[str, Any], outcome: Outcome) -> list[tuple[str, str | None]]:
    game = Game(a_dag(a_task("a", **task)))
    game.trigger()
    game.turn()
    game.end(game.start("a"), outcome)
    game.turn()
    return [(call.kind, call.task_id) for call in game.callbacks()]


EVERY = frozenset({"success", "failure", "retry", "skipped"})


@pytest.mark.parametrize(
    ("task", "outcome", "kinds"),
    [
        ({"callbacks": EVERY}, died(), ["task_failure"]),
        ({"callbacks": EVERY, "retries": 1}, died(), ["task_retry"]),
        ({"callbacks": EVERY}, failed(), []),
        ({"callbacks": EVERY}, failed(called_back=False), ["task_failure"]),
        ({"callbacks": EVERY}, success(called_back=False), ["task_success"]),
        ({"callbacks": EVERY}, Outcome("skipped", fields={"called_back": False}), ["task_skipped"]),
        ({"callbacks": frozenset({"success"})}, died(), []),
        ({"email": ("me@example.com",)}, died(), ["task_failure"]),
        ({"email": ("me@example.com",), "retries": 1}, died(), ["task_retry"]),
        ({"email": ("me@example.com",), "email_on_failure": False}, died(), []),
        ({"email": ("me@example.com",), "email_on_retry": False, "retries": 1}, died(), []),
    ],
)
def test_what_is_called_for_a_try_that_could_not(task: dict[str, Any], outcome: Outcome, kinds: list[str]) -> None:
    assert [kind for kind, _ in called(task, outcome)] == kinds


def test_a_sensor_that_pokes_again_has_no_callbacks() -> None:
    outcome = Outcome("reschedule", fields={"called_back": False})
    assert called({"callbacks": EVERY}, outcome) == []


def test_a_task_that_has_left_the_dag_has_no_callbacks() -> None:
    game = Game(a_dag(a_task("a", callbacks=EVERY), a_task("b")))
    game.trigger()
    game.turn()
    token = game.start("a")
    game.world.put_dag(a_dag(a_task("b")), "v2", paused=False, now=game.now)
    game.end(token, died())
    game.turn()
    assert game.row("a").state is TaskState.FAILED
    assert game.callbacks() == []
