"""Notes, and undo of clear and mark: a part of `engine.actions.Actions`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.world import World
from asyncflow.engine.audit import actor
from asyncflow.engine.clock import Clock
from asyncflow.engine.lookup import Lookup
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict

#: how long what was done can be undone, for how many actions, and of how many task instances each
UNDO_FOR = timedelta(minutes=10)
_KEPT = 100
_MOST = 50_000
_LONGEST_NOTE = 1000


class Before(NamedTuple):
    """How things were before an action."""

    at: datetime
    runs: list[DagRun]
    tis: list[TaskInstance]


class AmendActions(Lookup):
    """Keyword arguments and answers are JSON values."""

    _scheduler: Scheduler
    _clock: Clock
    _load: Callable[..., Any]
    _before: dict[str, Before]

    async def remember(self, keys: Sequence[Sequence[Any]]) -> str:
        """Keep how the runs of these task instances are now; the name by which `undo` brings that back.

        "" when they are too many to be kept.
        """
        now = self._clock.now()
        kept = {name: row for name, row in self._kept().items() if now - row.at < UNDO_FOR}
        before = Before(now, [], [])
        for dag_id, run_id in dict.fromkeys((key[0], key[1]) for key in keys):
            found = await self._store.load_run(dag_id, run_id)
            if found is not None:
                before.runs.append(found[0])
                before.tis.extend(found[1])
            if len(before.tis) > _MOST:
                return ""
        name = secrets.token_urlsafe(12)
        kept[name] = before
        self._before = dict(list(kept.items())[-_KEPT:])
        return name

    def _kept(self) -> dict[str, Before]:
        return getattr(self, "_before", {})

    def is_rememberable(self, keys: Sequence[Sequence[Any]]) -> bool:
        """Whether these task instances, or runs, are few enough to be undone. Their runs are in memory."""
        world = self._scheduler.world
        return sum(len(world.tasks_of(*name)) for name in {(key[0], key[1]) for key in keys}) <= _MOST

    async def can_undo(self, name: str) -> bool:
        """Whether what was done under this name can still be undone."""
        before = self._kept().get(name)
        return before is not None and self._clock.now() - before.at < UNDO_FOR

    async def undo(self, name: str) -> dict[str, Any]:
        """Make task instances and runs what they were when `remember` gave the name, where nothing started since."""
        before = self._kept().pop(name, None)
        if before is None or self._clock.now() - before.at >= UNDO_FOR:
            raise Conflict("This cannot be undone any more: it was undone already, or it is more than 10 minutes ago.")
        for run in before.runs:
            await self._load(run.dag_id, [run.run_id])

        person = actor()

        def decide(world: World, now: datetime) -> list[TaskKey]:
            changed = [ti for ti in before.tis if _differs(world.task_instance(ti.key), ti)]
            return world.put_back(before.runs, changed, now=now, actor=person)

        done = await self._scheduler.do(decide)
        return {"count": len(done), "tasks": [list(key) for key in done]}

    async def set_note(
        self, dag_id: str, run_id: str, note: str | None, task_id: str | None = None, map_index: int = -1
    ) -> dict[str, Any]:
        """Write a note on a run, or on a task instance of it; an empty one takes it away."""
        await self._run(dag_id, run_id)
        await self._load(dag_id, [run_id])
        text = (note or "").strip()[:_LONGEST_NOTE] or None
        person = actor()
        await self._scheduler.do(
            lambda world, now: world.set_note(
                dag_id, run_id, text, task_id=task_id, map_index=map_index, now=now, actor=person
            )
        )
        return {"note": text}


def _differs(ti: TaskInstance | None, before: TaskInstance) -> bool:
    return ti is not None and (ti.state, ti.ended_at, ti.try_number) != (
        before.state,
        before.ended_at,
        before.try_number,
    )
