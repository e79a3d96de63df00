"""Triggers as data and back: what a deferral says to the server, and a trigger on its way to its first event."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any, cast

from asyncflow.authoring import xcom
from asyncflow.authoring.conf import conf
from asyncflow.authoring.exceptions import TaskDeferred
from asyncflow.authoring.triggers import BaseTrigger, TaskEndEvent, TriggerEvent
from asyncflow.core.commands import TriggerEndedFact


def deferral_wish(deferral: TaskDeferred) -> dict[str, Any]:
    """`TryResult.trigger`. Raises TypeError for arguments that have no JSON form."""
    classpath, kwargs = deferral.trigger.serialize()
    return {
        "classpath": classpath,
        "kwargs": xcom.to_json_types(dict(kwargs)),
        "local": _is_local(type(deferral.trigger)),
        "method": deferral.method_name,
        "method_kwargs": xcom.to_json_types(deferral.kwargs or {}),
        "timeout": deferral.timeout.total_seconds() if deferral.timeout is not None else None,
    }


def _is_local(kind: type) -> bool:
    """Does the class come from the DAG folder? Then it runs beside its file, at the file's version."""
    folder = conf.get("core", "dags_folder", fallback="").rstrip("/")
    module = sys.modules.get(kind.__module__)
    return bool(folder) and str(getattr(module, "__file__", None) or "").startswith(f"{folder}/")


def make_trigger(classpath: str, kwargs: dict[str, Any]) -> BaseTrigger:
    """The trigger again. Raises whatever its import or constructor raises."""
    import importlib

    module, _, name = classpath.rpartition(".")
    kind = getattr(sys.modules.get(module) or importlib.import_module(module), name)
    made: BaseTrigger = kind(**xcom.from_json_types(kwargs))
    return made


async def first_event(trigger: BaseTrigger) -> TriggerEvent:
    """Run a trigger to its first event, and clean up after it. Raises what it raises, and if it ends without one."""
    try:
        async with aclosing(cast(AsyncGenerator[TriggerEvent, None], trigger.run())) as events:
            async for event in events:
                return event
    finally:
        await _clean_up(trigger)
    raise RuntimeError(f"The trigger {type(trigger).__name__} ended without an event.")


def event_fact(token: str, event: TriggerEvent, at: datetime) -> TriggerEndedFact:
    """What an event means to the scheduler. Raises TypeError for a payload that has no JSON form."""
    if isinstance(event, TaskEndEvent):
        values = {key: xcom.encode(value) for key, value in (event.xcoms or {}).items()}
        return TriggerEndedFact(token=token, at=at, end=event.end, xcoms=values)
    return TriggerEndedFact(token=token, at=at, event=xcom.to_json_types(event.payload))


async def _clean_up(trigger: BaseTrigger) -> None:
    try:
        await trigger.cleanup()
    except Exception:
        trigger.log.exception("cleanup() failed")
