"""Deferred tasks without a server: their triggers run right here, one after the other."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import msgspec

from asyncflow.authoring.api import TaskApi, use_api
from asyncflow.authoring.triggers import TriggerEvent
from asyncflow.core.messages import TryInfo, TryResult
from asyncflow.worker.runner import TRIGGER_TIMEOUT, run_try

log = logging.getLogger("airflow.task")


def run_whole_try(
    task: Any,
    info: TryInfo,
    api: TaskApi,
    *,
    now: Callable[[], dt.datetime],
    logs: bool,
    test_mode: bool = False,
    errors: list[BaseException] | None = None,
) -> TryResult:
    """As `run_try`, but a task that defers itself is gone on with until it ends; this process waits meanwhile."""
    result = run_try(task, info, api, now=now, logs=logs, test_mode=test_mode, errors=errors)
    begun = info.first_poke_at or result.started_at
    while result.outcome == "deferred" and result.trigger is not None:
        method, kwargs = fire(result.trigger, api)
        info = msgspec.structs.replace(info, next_method=method, next_kwargs=kwargs, first_poke_at=begun)
        result = run_try(task, info, api, now=now, logs=logs, test_mode=test_mode, errors=errors)
    return result


def fire(deferral: dict[str, Any], api: TaskApi) -> tuple[str, dict[str, Any]]:
    """Run the trigger of `TryResult.trigger` to its first event: the method that resumes the task, and its arguments.

    A trigger that breaks, ends without an event or takes longer than its timeout resumes with "__fail__".
    """
    before = use_api(api)
    try:
        event = asyncio.run(asyncio.wait_for(_first_event(deferral), deferral["timeout"]))
    except TimeoutError:
        return "__fail__", {"error": TRIGGER_TIMEOUT}
    except Exception:
        log.exception("Trigger %s failed", deferral["classpath"])
        return "__fail__", {"error": "Trigger failure"}
    finally:
        use_api(before)
    return deferral["method"], {**(deferral["method_kwargs"] or {}), "event": event.payload}


async def _first_event(deferral: dict[str, Any]) -> TriggerEvent:
    module, _, name = deferral["classpath"].rpartition(".")
    trigger = getattr(importlib.import_module(module), name)(**deferral["kwargs"])
    try:
        async with aclosing(trigger.run()) as events:
            async for event in events:
                return event  # type: ignore[no-any-return]
    finally:
        await trigger.cleanup()
    raise RuntimeError(f"The trigger {deferral['classpath']} ended without an event.")
