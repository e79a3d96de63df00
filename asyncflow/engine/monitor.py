"""How the server itself is doing: loop lag, store trouble, queues. Feeds /health and the server's log."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from time import perf_counter
from typing import Any, NamedTuple

import anyio

from asyncflow.engine.jsonable import iso
from asyncflow.engine.scheduler import Scheduler

log = logging.getLogger(__name__)

#: Seconds between two measurements of the loop's lag, and how many are kept (one minute).
PERIOD, KEPT = 0.05, 1200
#: Measurements that make one bar of the history, and how many bars are kept (ten minutes).
PER_BAR, BARS = 100, 120
#: Measurements between two calls of those who watch (two seconds).
PER_CALL = 40
#: A wall clock that gains or loses this much (seconds) between two measurements has jumped.
JUMP = 5.0
#: A turn of the event loop may take this long (seconds) before it is logged.
TOLERATED = 0.1


class Lag(NamedTuple):
    """How late the event loop came back, in seconds."""

    p50: float
    p99: float
    most: float


def quantiles(seconds: Iterable[float]) -> Lag:
    """Median, 99th percentile and maximum; zeros for nothing."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return Lag(ordered[last // 2], ordered[int(last * 0.99)], ordered[last]) if ordered else Lag(0.0, 0.0, 0.0)


class Jump(NamedTuple):
    """The wall clock was set, or the machine slept."""

    at: datetime  #: what it says since
    seconds: float  #: how far it went, negative = back


class Bar(NamedTuple):
    """A piece of the history."""

    at: datetime  #: its end
    lag: Lag


class Monitor:
    """Measures the event loop and answers /health."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._lags: deque[float] = deque(maxlen=KEPT)
        self.worst_lag = 0.0  #: seconds, since the start
        self.last_beat: datetime | None = None
        self.jump: Jump | None = None  #: the last one
        self._drift: float | None = None
        self.history: deque[Bar] = deque(maxlen=BARS)
        self._bar: list[float] = []
        self._count = 0
        self._watchers: list[Callable[[], None]] = []

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called every two seconds. It must not block."""
        self._watchers.append(watcher)

    def lag(self) -> Lag:
        """Of the last minute."""
        return quantiles(self._lags)

    def _note(self, lag: float, now: datetime) -> None:
        self._lags.append(lag)
        self._bar.append(lag)
        self.last_beat = now
        self.worst_lag = max(lag, self.worst_lag)
        if len(self._bar) == PER_BAR:
            self.history.append(Bar(now, quantiles(self._bar)))
            self._bar.clear()
        self._count = (self._count + 1) % PER_CALL
        if not self._count:
            for watcher in self._watchers:
                watcher()

    def _compare(self, now: datetime, steady: float) -> None:
        """Note when the wall clock and a steady one (seconds) have come apart at once."""
        drift = now.timestamp() - steady
        if self._drift is not None and abs(drift - self._drift) > JUMP:
            self.jump = Jump(now, drift - self._drift)
            log.warning("The clock of this machine jumped by %.0f s", self.jump.seconds)
        self._drift = drift

    async def run(self, now: Any) -> None:
        """Measure until cancelled; `now` is the clock's."""
        while True:
            before = perf_counter()
            await anyio.sleep(PERIOD)
            lag = max(0.0, perf_counter() - before - PERIOD)
            self._note(lag, now())
            self._compare(now(), perf_counter())
            if lag > TOLERATED:
                log.warning("The event loop was blocked for %.0f ms", lag * 1000)

    def health(self, now: datetime) -> dict[str, Any]:
        """Airflow's /health shape (metadatabase, scheduler, triggerer, dag_processor), then what is ours."""
        trouble = self._scheduler.store_trouble
        beat = iso(self.last_beat or now)
        scheduler = "healthy" if trouble is None else "unhealthy"
        return {
            "metadatabase": {"status": "healthy" if trouble is None else "unhealthy"},
            "scheduler": {"status": scheduler, "latest_scheduler_heartbeat": beat},
            "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
            "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": beat},
            "asyncflow": {
                "store_trouble": trouble,
                "loop_lag_p99_ms": round(self.lag().p99 * 1000, 1),
                "loop_lag_max_ms": round(self.worst_lag * 1000, 1),
            },
        }
