"""Who takes and who waits for the slots of a pool: a part of `engine.actions.Actions`."""

from __future__ import annotations

from typing import Any

from asyncflow.core.models import TaskInstance
from asyncflow.engine.clock import Clock
from asyncflow.engine.jsonable import task_dict
from asyncflow.engine.scheduler import Scheduler


class PoolUseActions:
    """Reads from memory alone."""

    _scheduler: Scheduler
    _clock: Clock

    async def pool_use(self, name: str, limit: int = 50) -> dict[str, list[dict[str, Any]]]:
        """The first task instances that are `holding` slots, are `deferred`, or `waiting`, these with the reason `why`.

        Those that wait come in the order in which they get slots. Empty for a pool that does not exist.
        """
        world, now = self._scheduler.world, self._clock.now()
        use = world.pool_use(name, limit)

        def row(ti: TaskInstance, why: str = "") -> dict[str, Any]:
            return {**task_dict(ti, now), "why": why}

        return {
            "holding": [row(ti) for ti in use.holding],
            "deferred": [row(ti) for ti in use.deferred],
            "waiting": [row(ti, world.why(ti.key, now)) for ti in use.waiting],
        }

    async def pool_dags(self, name: str) -> dict[str, int]:
        """The DAGs in the folder with tasks that name a pool: how many, by dag_id."""
        return self._scheduler.world.pool_dags(name)
