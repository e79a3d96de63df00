"""Deadlines of a DAG, by the names of Airflow 3.1: `DAG(deadline=DeadlineAlert(reference, interval, callback))`."""

from __future__ import annotations

import importlib
import inspect
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from asyncflow.core.specs import DeadlineSpec

log = logging.getLogger("airflow.task")


class _Reference(NamedTuple):
    """From when a deadline is measured."""

    name: str
    at: datetime | None = None


class DeadlineReference:
    """From when a deadline is measured."""

    DAGRUN_LOGICAL_DATE = _Reference("logical_date")
    DAGRUN_QUEUED_AT = _Reference("queued_at")

    @staticmethod
    def FIXED_DATETIME(moment: datetime) -> _Reference:  # Airflow's name
        """A moment that is the same for every run."""
        return _Reference("fixed", moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class Callback:
    """What is called when a deadline is missed: a callable or the import path of one, with keyword arguments."""

    def __init__(self, callback_callable: Callable[..., Any] | str, kwargs: dict[str, Any] | None = None) -> None:
        self.callback = callback_callable
        self.kwargs = kwargs or {}


class AsyncCallback(Callback):
    """One that is a coroutine function."""


class SyncCallback(Callback):
    """One that is a plain function."""

    def __init__(
        self, callback_callable: Callable[..., Any] | str, kwargs: dict[str, Any] | None = None, executor: Any = None
    ) -> None:
        super().__init__(callback_callable, kwargs)
        self.executor = executor


class DeadlineAlert:
    """A run that has not ended `interval` after `reference` is late, and `callback` is called, once."""

    def __init__(self, reference: _Reference, interval: timedelta, callback: Any, name: str | None = None) -> None:
        if not isinstance(interval, timedelta):
            raise TypeError(f"DeadlineAlert: interval is a timedelta, not a {type(interval).__name__}.")
        self.reference = reference
        self.interval = interval
        self.callback = callback if isinstance(callback, Callback) else Callback(callback)
        self.name = name

    def to_spec(self) -> DeadlineSpec:
        """What the scheduler must know."""
        at = self.reference.at.astimezone(UTC) if self.reference.at else None
        return DeadlineSpec(reference=self.reference.name, at=at, interval=self.interval)  # type: ignore[arg-type]


def specs_of(deadline: Any) -> tuple[DeadlineSpec, ...]:
    """The deadlines of `DAG(deadline=...)`: none, one, or several. Raises TypeError for anything else."""
    alerts = deadline if isinstance(deadline, list | tuple) else [] if deadline is None else [deadline]
    wrong = [alert for alert in alerts if not isinstance(alert, DeadlineAlert)]
    if wrong:
        raise TypeError(f"deadline: a DeadlineAlert or a list of them, not a {type(wrong[0]).__name__}.")
    return tuple(alert.to_spec() for alert in alerts)


def call_deadline(alert: DeadlineAlert, context: Any) -> list[str]:
    """Call what is to be called for a missed deadline; its error, one line. A notifier gets the context, too."""
    who = alert.callback.callback
    try:
        called: Any = _imported(who) if isinstance(who, str) else who
        log.info("Executing deadline callback %s", getattr(called, "__name__", who))
        kwargs = dict(alert.callback.kwargs)
        if inspect.isclass(called):
            called, kwargs = called(**kwargs), {}
        result = called(**kwargs, context=context) if _takes_context(called) else called(**kwargs)
        if inspect.isawaitable(result):
            import asyncio

            asyncio.run(_awaited(result))
    except Exception as error:
        log.exception("Error when executing deadline callback %s", who)
        return [f"{who}: {type(error).__name__}: {error}"]
    return []


async def _awaited(result: Any) -> Any:
    return await result


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _takes_context(called: Any) -> bool:
    parameters = inspect.signature(called).parameters.values()
    return any(p.name == "context" or p.kind is p.VAR_KEYWORD for p in parameters)
