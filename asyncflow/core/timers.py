"""The heap of moments at which the scheduler must look again.

A timer names what it is about; whether that still matters is asked when it fires, so nothing is ever taken out early.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from asyncflow.core.live import RunKey
from asyncflow.core.models import TaskKey
from asyncflow.core.timetable import DagRunInfo


class InstanceDue(NamedTuple):
    """A retry delay or the wait for the next poke is over."""

    key: TaskKey
    at: datetime


class TryTimeout(NamedTuple):
    """A try should have ended itself by now."""

    key: TaskKey
    token: str


class TriggerTimeout(NamedTuple):
    """A trigger should have fired by now."""

    key: TaskKey
    token: str


class Late(NamedTuple):
    """Something of a run should be done by now."""

    key: RunKey
    at: datetime


class RunTimeout(NamedTuple):
    """A run has taken longer than dagrun_timeout."""

    key: RunKey
    started_at: datetime


class RunDue(NamedTuple):
    """A run made ahead of its time may start."""

    key: RunKey


class PlannedRun(NamedTuple):
    """The next run of a DAG is due."""

    dag_id: str
    info: DagRunInfo


Timer = InstanceDue | TryTimeout | TriggerTimeout | Late | RunTimeout | RunDue | PlannedRun


class Timers:
    """Timers by time; those of the same moment in the order they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Timer]] = []
        self._seq = 0

    def set(self, at: datetime, timer: Timer) -> None:
        self._seq += 1
        heapq.heappush(self._heap, (at, self._seq, timer))

    def due(self, now: datetime) -> list[Timer]:
        """Take out all timers up to and including `now`, in order."""
        fired = []
        while self._heap and self._heap[0][0] <= now:
            fired.append(heapq.heappop(self._heap)[2])
        return fired

    def next(self, matters: Callable[[Timer], bool]) -> datetime | None:
        """The moment of the first timer that still matters; those before it are dropped."""
        while self._heap and not matters(self._heap[0][2]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
