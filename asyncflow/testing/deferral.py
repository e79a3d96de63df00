"""Deferred tasks without a server: their triggers run right here, one after the other."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from asyncflow.authoring.api import TaskApi, use_api
from asyncflow.authoring.triggers import TriggerEvent
from asyncflow.core.commands import TriggerEndedFact
from asyncflow.core.deferral import resumption
from asyncflow.core.messages import TryInfo, TryResult
from asyncflow.triggers.hitl import HITLTrigger
from asyncflow.triggers.temporal import DateTimeTrigger
from asyncflow.worker.runner import run_try
from asyncflow.worker.triggering import event_fact, first_event, make_trigger

log = logging.getLogger("airflow.task")
#: to a task that asks a person where there is no server
NOBODY = "Nobody can answer without a server: give the operator a `response_timeout`, and `defaults`."


def run_whole_try(
    task: Any,
    info: TryInfo,
    api: TaskApi,
    *,
    now: Callable[[], dt.datetime],
    logs: bool,
    test_mode: bool = False,
    errors: list[BaseException] | None = None,
    jump: Callable[[dt.datetime], None] | None = None,
) -> TryResult:
    """As `run_try`, but a task that defers itself is gone on with until it ends; this process waits meanwhile."""
    result = run_try(task, info, api, now=now, logs=logs, test_mode=test_mode, errors=errors)
    begun = info.first_poke_at or result.started_at
    while result.outcome == "deferred" and result.trigger is not None:
        fact = fire(result.trigger, api, token=info.token, now=now, jump=jump)
        if fact.end is not None:
            return msgspec.structs.replace(result, outcome=fact.end, trigger=None, xcoms=fact.xcoms, ended_at=fact.at)
        method, kwargs = resumption(result.trigger["method"], result.trigger["method_kwargs"], fact)
        info = msgspec.structs.replace(info, next_method=method, next_kwargs=kwargs, first_poke_at=begun)
        result = run_try(task, info, api, now=now, logs=logs, test_mode=test_mode, errors=errors)
    return result


def fire(
    deferral: dict[str, Any],
    api: TaskApi,
    *,
    token: str,
    now: Callable[[], dt.datetime],
    jump: Callable[[dt.datetime], None] | None = None,
) -> TriggerEndedFact:
    """Run the trigger of `TryResult.trigger` (or `TaskInstance.trigger`) to its first event; what became of it.

    With `jump`, one that waits for a moment does not: the clock is set to it instead.
    """
    before = use_api(api)
    try:
        trigger = make_trigger(deferral["classpath"], deferral["kwargs"])
        if isinstance(trigger, HITLTrigger) and trigger.moment is None:
            return event_fact(token, TriggerEvent({"error": NOBODY, "error_type": "unexpected"}), now())
        if jump is not None and isinstance(trigger, DateTimeTrigger | HITLTrigger) and trigger.moment is not None:
            jump(trigger.moment)
            return event_fact(token, trigger.event(), now())
        event = asyncio.run(asyncio.wait_for(first_event(trigger), deferral.get("timeout")))
        return event_fact(token, event, now())
    except TimeoutError:
        return TriggerEndedFact(token=token, at=now(), timed_out=True)
    except Exception as error:
        log.exception("Trigger %s failed", deferral["classpath"])
        return TriggerEndedFact(token=token, at=now(), error="".join(traceback.format_exception(error)))
    finally:
        use_api(before)
