"""The trigger of operators that ask a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from asyncflow.core.asking import CLASSPATH
from asyncflow.triggers.hitl import HITLTrigger
from asyncflow.worker.triggering import first_event, make_trigger

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def soon() -> str:
    return (datetime.now(UTC) + timedelta(milliseconds=20)).isoformat()


async def outcome(**changed: Any) -> Any:
    """What it fires with, made again from its arguments as the server has them."""
    asked = {"subject": "?", "options": ["a", "b"], "params": {"n": {"value": 3}}, "moment": soon(), **changed}
    classpath, kwargs = HITLTrigger(**asked).serialize()
    assert classpath == CLASSPATH
    with anyio.fail_after(5):
        return (await first_event(make_trigger(classpath, kwargs))).payload


async def test_when_its_time_is_up_the_defaults_count() -> None:
    assert await outcome(defaults=["b"]) == {"chosen_options": ["b"], "params_input": {"n": 3}, "timedout": True}


async def test_without_defaults_it_is_an_error() -> None:
    assert (await outcome())["error_type"] == "timeout"


async def test_without_an_end_it_waits() -> None:
    with anyio.move_on_after(0.1) as scope:
        await first_event(HITLTrigger(subject="?", options=["a"]))
    assert scope.cancelled_caught
