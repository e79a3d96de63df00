"""How the server itself is doing: loop lag, store trouble, queues. Feeds /health and the server's log."""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime
from time import perf_counter
from typing import Any

import anyio

from asyncflow.engine.jsonable import iso
from asyncflow.engine.scheduler import Scheduler

log = logging.getLogger(__name__)

#: Seconds between two measurements of the loop's lag, and how many are kept (one minute).
PERIOD, KEPT = 0.05, 1200
#: A turn of the event loop may take this long (seconds) before it is logged.
TOLERATED = 0.1


class Monitor:
    """Measures the event loop and answers /health."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._lags: deque[float] = deque(maxlen=KEPT)
        self.worst_lag = 0.0  #: seconds, since the start
        self.last_beat: datetime | None = None

    async def run(self, now: Any) -> None:
        """Measure until cancelled; `now` is the clock's."""
        while True:
            before = perf_counter()
            await anyio.sleep(PERIOD)
            lag = max(0.0, perf_counter() - before - PERIOD)
            self._lags.append(lag)
            self.last_beat = now()
            if lag > self.worst_lag:
                self.worst_lag = lag
            if lag > TOLERATED:
                log.warning("The event loop was blocked for %.0f ms", lag * 1000)

    def health(self, now: datetime) -> dict[str, Any]:
        """Airflow's /health shape (metadatabase, scheduler, triggerer, dag_processor), then what is ours."""
        trouble = self._scheduler.store_trouble
        lags = sorted(self._lags)
        beat = iso(self.last_beat or now)
        scheduler = "healthy" if trouble is None else "unhealthy"
        return {
            "metadatabase": {"status": "healthy" if trouble is None else "unhealthy"},
            "scheduler": {"status": scheduler, "latest_scheduler_heartbeat": beat},
            "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
            "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": beat},
            "asyncflow": {
                "store_trouble": trouble,
                "loop_lag_p99_ms": round(lags[int(len(lags) * 0.99)] * 1000, 1) if lags else 0.0,
                "loop_lag_max_ms": round(self.worst_lag * 1000, 1),
            },
        }
