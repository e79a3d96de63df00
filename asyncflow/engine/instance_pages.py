"""What the pages of one task instance ask for beyond the instance itself (`pages.Pages.instance`)."""

from __future__ import annotations

from asyncflow.core.models import TaskKey
from asyncflow.core.states import FINISHED, TaskState
from asyncflow.engine.clock import Clock
from asyncflow.engine.scheduler import Scheduler
from asyncflow.store.database import Store

#: the last try is over in these, too
_BETWEEN = frozenset({TaskState.NONE, TaskState.UP_FOR_RETRY})


class InstancePages:
    """Reads for the pages of one task instance."""

    def __init__(self, store: Store, scheduler: Scheduler, clock: Clock) -> None:
        self._store = store
        self._scheduler = scheduler
        self._clock = clock

    def is_written(self, key: TaskKey, try_number: int) -> bool:
        """Whether a try may still write its log, as far as is known in memory."""
        ti = self._scheduler.world.task_instance(key)
        return ti is not None and ti.try_number <= try_number and ti.state not in FINISHED | _BETWEEN
