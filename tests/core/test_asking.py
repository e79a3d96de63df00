"""Tasks that ask a person: what is asked, what is an answer, and that the task goes on with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from asyncflow.core.asking import CLASSPATH, question_of
from asyncflow.core.commands import StopTrigger
from asyncflow.core.models import TaskKey
from asyncflow.core.states import TaskState
from asyncflow.errors import Conflict, InvalidInput
from tests.core.simulate import Game, Outcome, a_dag, a_task

ASKED = {"subject": "Go on?", "options": ["yes", "no"], "params": {"n": {"value": 3}, "m": {"has_value": False}}}


def asking(kwargs: dict[str, Any] | None = None, **more: Any) -> Game:
    """A game in which "a" asks."""
    game = Game(a_dag(a_task("a"), a_task("b", upstream=("a",))))
    game.trigger()
    game.turn()
    trigger = {"classpath": CLASSPATH, "kwargs": {**(ASKED if kwargs is None else kwargs), **more}, "local": False}
    fields = {"trigger": {**trigger, "timeout": None, "method": "execute_complete", "method_kwargs": {}}}
    game.end(game.start("a"), Outcome("deferred", fields=fields))
    game.turn()
    return game


def answer(game: Game, *chosen: str, **values: Any) -> None:
    game.world.answer(game.row("a").key, chosen, values, now=game.now, actor="ui")
    game.turn()


def test_an_answer_ends_the_waiting_and_reaches_the_task() -> None:
    game = asking()
    token = game.row("a").token
    answer(game, "yes", n=5)
    row = game.row("a")
    assert row.state is TaskState.QUEUED
    assert row.next_method == "execute_complete"
    event = (row.next_kwargs or {})["event"]
    assert (event["chosen_options"], event["params_input"]) == (["yes"], {"n": 5})
    assert event["responded_by_user"] == {"id": "ui", "name": "ui"}
    assert token in [act.token for act in game.acts if isinstance(act, StopTrigger)]
    lines = [line for line in game.journal if line.event == "task.answered"]
    assert [line.details for line in lines] == [{"chosen_options": ["yes"], "params_input": {"n": 5}}]


def test_a_question_without_an_end_waits_for_ever() -> None:
    game = asking()
    assert game.world.why(game.row("a").key, game.now) == "It waits for the answer of a person."


def test_questions_are_listed_what_ends_first_first() -> None:
    game = asking(moment="2026-01-01T01:00:00+00:00")
    ((key, question),) = game.world.questions()
    assert key == game.row("a").key
    assert (question.subject, question.options, question.multiple) == ("Go on?", ("yes", "no"), False)
    assert question.moment == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert game.world.why(key, game.now) == (
        "It waits for the answer of a person, at most until 2026-01-01 01:00:00 UTC."
    )
    assert game.world.asking == 1
    answer(game, "no")
    assert game.world.questions() == []
    assert game.world.asking == 0


def test_without_an_end_it_says_so() -> None:
    game = asking()
    assert game.world.why(game.row("a").key, game.now) == "It waits for the answer of a person."


@pytest.mark.parametrize(
    ("chosen", "values", "sentence"),
    [
        (["maybe"], {}, "'maybe' is no option: accepted are yes, no."),
        ([], {}, "Choose one of yes, no."),
        (["yes", "no"], {}, "One option can be chosen, not 2."),
        (["yes"], {"x": 1}, "The task does not ask for 'x'."),
    ],
)
def test_what_is_no_answer_is_refused(chosen: list[str], values: dict[str, Any], sentence: str) -> None:
    game = asking()
    with pytest.raises(InvalidInput) as error:
        answer(game, *chosen, **values)
    assert str(error.value) == sentence
    assert game.row("a").state is TaskState.DEFERRED


def test_several_options_where_several_may_be_chosen() -> None:
    game = asking(multiple=True)
    answer(game, "yes", "no")
    assert (game.row("a").next_kwargs or {})["event"]["chosen_options"] == ["yes", "no"]


def test_who_asks_nothing_takes_no_answer() -> None:
    game = asking()
    answer(game, "yes")
    with pytest.raises(Conflict, match="does not wait for an answer now"):
        answer(game, "yes")
    with pytest.raises(Conflict):
        game.world.answer(TaskKey("x", "y", "z"), ["yes"], {}, now=game.now)


def test_arguments_that_are_no_question_ask_nothing() -> None:
    game = asking({"subject": 1})
    assert question_of(game.row("a")) is None
    assert game.world.questions() == []
