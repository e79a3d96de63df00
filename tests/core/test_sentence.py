"""Texts that know what they are made of."""

from __future__ import annotations

from asyncflow.core.messages import Response, decode, encode
from asyncflow.core.sentence import Sentence
from asyncflow.core.states import TaskState


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
