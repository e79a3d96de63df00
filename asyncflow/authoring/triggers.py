"""Triggers: what a deferred task waits for. Base classes that providers subclass."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal


@dataclass
class StartTriggerArgs:
    """How to start a task directly in its trigger."""

    trigger_cls: str
    next_method: str
    trigger_kwargs: dict[str, Any] | None = None
    next_kwargs: dict[str, Any] | None = None
    timeout: timedelta | None = None


class TriggerEvent:
    """What a trigger hands to the method that resumes the task."""

    def __init__(self, payload: Any) -> None:
        self.payload = payload

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TriggerEvent) and other.payload == self.payload

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"TriggerEvent<{self.payload!r}>"


class TaskEndEvent(TriggerEvent):
    """An event that ends the task by itself, without another process. Use one of the subclasses."""

    #: "success", "failed" or "skipped"; as in Airflow no retry follows
    end: Literal["success", "failed", "skipped"]

    def __init__(self, *, xcoms: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if kwargs:
            raise ValueError(f"{type(self).__name__} takes xcoms only, not {', '.join(kwargs)}.")
        super().__init__(self.end)
        self.xcoms = xcoms


class TaskSuccessEvent(TaskEndEvent):
    """The task has succeeded."""

    end = "success"


class TaskFailedEvent(TaskEndEvent):
    """The task has failed for good."""

    end = "failed"


class TaskSkippedEvent(TaskEndEvent):
    """The task is skipped."""

    end = "skipped"


class BaseTrigger:
    """Subclasses define `serialize` (class path and arguments) and `run` (yields TriggerEvents)."""

    task_instance: Any = None
    trigger_id: Any = None

    def __init__(self, **kwargs: Any) -> None:
        """Arguments are those that `serialize` gives back."""

    @property
    def log(self) -> logging.Logger:
        return logging.getLogger(f"airflow.task.triggers.{type(self).__module__}")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and keyword arguments to make it again in another process."""
        raise NotImplementedError(f"{type(self).__name__} does not define serialize().")

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then yield the event."""
        if type(self).run is BaseTrigger.run:
            raise NotImplementedError(f"{type(self).__name__} does not define run().")
        yield TriggerEvent(None)

    async def cleanup(self) -> None:
        """Called when it is no longer needed."""

    def __repr__(self) -> str:
        classpath, kwargs = self.serialize()
        return f"<{classpath} {', '.join(f'{k}={v}' for k, v in kwargs.items())}>"


class BaseEventTrigger(BaseTrigger):
    """A trigger that watches for events of assets."""
