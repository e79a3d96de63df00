"""Texts that know what they are made of."""

from __future__ import annotations

import pickle

from asyncflow.core.messages import Response, decode, encode
from asyncflow.core.sentence import Sentence, told
from asyncflow.core.states import TaskState
from asyncflow.errors import Conflict, NotFound


def test_it_is_its_english_text() -> None:
    text = Sentence("{names} and {n} more: {state}", names=("a", "b"), n=2, state=TaskState.UP_FOR_RETRY)
    assert text == "a, b and 2 more: up_for_retry"
    assert (text.template, text.values["n"]) == ("{names} and {n} more: {state}", 2)


def test_it_goes_to_other_processes_as_a_plain_text() -> None:
    frame = encode(Response(id=1, result={"why": Sentence("It waits for {what}.", what="rain")}))
    answer = decode(frame[4:])
    assert isinstance(answer, Response)
    assert answer.result == {"why": "It waits for rain."}
    assert type(answer.result["why"]) is str


def test_without_values_a_brace_is_a_brace() -> None:
    assert Sentence('like {"key": 1}') == 'like {"key": 1}'


def test_a_refusal_keeps_what_it_is_made_of() -> None:
    refusal = told(Conflict("{n} are taken by {what}.", n=2, what=Sentence("others")))
    assert isinstance(refusal, Sentence)
    assert (refusal, refusal.template, refusal.values["n"]) == (
        "2 are taken by others.",
        "{n} are taken by {what}.",
        2,
    )
    assert str(Conflict(refusal)) == refusal


def test_what_is_not_there_is_said_with_names_that_are_near() -> None:
    error = NotFound(Sentence("run of DAG {dag!r} named", dag="etl"), "dalyi", ["daily", "weekly"])
    assert str(error) == "There is no run of DAG 'etl' named 'dalyi'. Did you mean 'daily'?"
    assert str(NotFound("pool", "x")) == "There is no pool 'x'."


def test_an_error_of_others_is_told_as_it_is() -> None:
    assert told(ValueError("no {such} thing")) == "no {such} thing"
    assert told(Conflict()) == ""


def test_a_refusal_survives_a_copy() -> None:
    error = pickle.loads(pickle.dumps(Conflict("{what} {{is}} there", what="it")))
    assert (str(error), told(error)) == ("it {is} there", "it {is} there")
