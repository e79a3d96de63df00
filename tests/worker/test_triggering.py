"""Triggers as data and back."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asyncflow.authoring.conf import conf
from asyncflow.authoring.exceptions import TaskDeferred
from asyncflow.authoring.triggers import (
    BaseTrigger,
    TaskFailedEvent,
    TaskSkippedEvent,
    TaskSuccessEvent,
    TriggerEvent,
)
from asyncflow.worker.triggering import deferral_wish, event_fact, first_event, make_trigger

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Bell(BaseTrigger):
    """Rings as often as told, or breaks in `cleanup`."""

    def __init__(self, times: int = 1, at: Any = None, broken: bool = False) -> None:
        super().__init__()
        self.times, self.at, self.broken, self.cleaned = times, at, broken, 0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Bell", {"times": self.times, "at": self.at}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        for n in range(self.times):
            yield TriggerEvent(n)

    async def cleanup(self) -> None:
        self.cleaned += 1
        if self.broken:
            raise ValueError("no broom")


def test_arguments_keep_their_types_on_the_way() -> None:
    wish = deferral_wish(
        TaskDeferred(trigger=Bell(2, NOW), method_name="go_on", kwargs={"d": dt.timedelta(1)}, timeout=5)
    )
    assert (wish["method"], wish["timeout"], wish["local"]) == ("go_on", 5.0, False)
    again = make_trigger(wish["classpath"], wish["kwargs"])
    assert isinstance(again, Bell)
    assert (again.times, again.at) == (2, NOW)


def test_arguments_without_a_json_form_are_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        deferral_wish(TaskDeferred(trigger=Bell(at=object()), method_name="go_on"))


def test_classes_of_the_dag_folder_are_local() -> None:
    before = conf.get("core", "dags_folder", fallback="")
    conf.load({"core.dags_folder": __file__.rpartition("/")[0]})
    try:
        assert deferral_wish(TaskDeferred(trigger=Bell(), method_name="go_on"))["local"]
    finally:
        conf.load({"core.dags_folder": before})


def test_only_the_first_event_counts_and_the_trigger_cleans_up() -> None:
    bell = Bell(3)
    assert asyncio.run(first_event(bell)) == TriggerEvent(0)
    assert bell.cleaned == 1


def test_a_broken_cleanup_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(first_event(Bell(broken=True))) == TriggerEvent(0)
    assert "no broom" in caplog.text


def test_a_trigger_that_ends_in_silence_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="The trigger Bell ended without an event"):
        asyncio.run(first_event(Bell(0)))


def test_what_events_mean() -> None:
    fact = event_fact("t", TriggerEvent((1, NOW)), NOW)
    assert (fact.end, fact.event["__classname__"]) == (None, "builtins.tuple")
    ends = [
        event_fact("t", kind(xcoms={"k": 1}), NOW) for kind in (TaskSuccessEvent, TaskFailedEvent, TaskSkippedEvent)
    ]
    assert [(end.end, end.xcoms) for end in ends] == [
        ("success", {"k": "1"}),
        ("failed", {"k": "1"}),
        ("skipped", {"k": "1"}),
    ]
    with pytest.raises(ValueError, match="takes xcoms only, not payload"):
        TaskSuccessEvent(payload=1)
