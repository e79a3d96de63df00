"""Frames: what is sent arrives, whole, whatever the pieces it comes in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.core.messages import MAX_FRAME, Ack, FrameReader, Request, decode, encode


@given(st.lists(st.text(max_size=20), max_size=5), st.randoms(use_true_random=False))
def test_messages_survive_any_cutting(tokens: list[str], rng: object) -> None:
    sent = [Ack(token=token) for token in tokens]
    stream = b"".join(encode(message) for message in sent)
    reader, received = FrameReader(), []
    while stream:
        size = rng.randint(1, len(stream))  # type: ignore[attr-defined]
        received += reader.feed(stream[:size])
        stream = stream[size:]
    assert received == sent


def test_a_mad_length_is_refused_before_anything_is_stored() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        FrameReader().feed((MAX_FRAME + 1).to_bytes(4, "big"))


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(b"\xc1")


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (pendulum.datetime(2024, 1, 1, tz="UTC"), datetime(2024, 1, 1, tzinfo=UTC)),
        (pendulum.date(2024, 1, 1), date(2024, 1, 1)),
        (pendulum.duration(seconds=5), timedelta(seconds=5)),
        (Name("n"), "n"),
    ],
)
def test_subclasses_arrive_as_what_they_stand_for(value: object, arrives: object) -> None:
    sent = decode(encode(Request(id=1, method="m", params={"x": value}))[4:])
    assert isinstance(sent, Request)
    again = msgspec.convert(sent.params["x"], type(arrives), strict=False)
    assert again == arrives


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="a object cannot be sent between processes"):
        encode(Request(id=1, method="m", params={"x": object()}))
