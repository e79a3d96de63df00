"""Forgets what is older than the settings want it kept, in small batches, so that nothing waits for it."""

from __future__ import annotations

import logging
from datetime import timedelta

import anyio

from asyncflow.engine.audit import AUDIT
from asyncflow.engine.changes import Changes
from asyncflow.engine.clock import Clock
from asyncflow.store.database import Store

log = logging.getLogger(__name__)

#: seconds between two looks, and between two batches
PERIOD, PAUSE = 3600.0, 0.1
#: lines that are forgotten in one transaction
BATCH = 500


class Retention:
    """The audit log so far."""

    def __init__(self, *, store: Store, clock: Clock, changes: Changes, audit_days: float) -> None:
        self._store = store
        self._clock = clock
        self._changes = changes
        self._audit_days = audit_days

    async def run(self) -> None:
        """Until cancelled."""
        while self._audit_days > 0:
            try:
                await self.trim_audit()
            except Exception:  # a disk that is full, a database that is busy: another time
                log.exception("Old lines of the audit log cannot be deleted")
            await anyio.sleep(PERIOD)

    async def trim_audit(self) -> int:
        """Delete the lines of the audit log that are too old; how many."""
        before = self._clock.now() - timedelta(days=self._audit_days)
        total = 0
        while deleted := await self._store.trim_audit(before, BATCH):
            total += deleted
            await anyio.sleep(PAUSE)
        if total:
            log.info(
                "%s lines of the audit log from before %s are deleted", f"{total:,}", before.isoformat("T", "minutes")
            )
            self._changes.noted(AUDIT)
        return total
