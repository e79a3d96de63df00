"""Notes, and undo of clear and mark: a part of `engine.actions.Actions`."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from asyncflow.core.amend import LeftAlone, PutBack
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.world import World
from asyncflow.engine.audit import actor
from asyncflow.engine.clock import Clock
from asyncflow.engine.lookup import Lookup
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict

#: how long what was done can be undone, for how many actions, and of how many task instances: of each, and of all
UNDO_FOR = timedelta(minutes=10)
_KEPT = 100
_MOST, _MOST_OF_ALL = 50_000, 150_000
#: undone actions of which it is known what they left alone
_TOLD = 20
#: runs that are read, and put back, in one turn
_AT_ONCE = 10
_LONGEST_NOTE = 1000
#: why a task instance of a run that is not there any more cannot be what it was
DELETED = "deleted"

RunName = tuple[str, str]  #: (dag_id, run_id)


class Before(NamedTuple):
    """How things were before an action."""

    at: datetime
    about: frozenset[tuple[Any, ...]]  #: keys of the task instances, or of the runs, that the action was about
    runs: list[tuple[DagRun, list[TaskInstance]]]

    @property
    def size(self) -> int:
        return sum(len(tis) for _, tis in self.runs)

    def is_about(self, key: TaskKey) -> bool:
        return key in self.about or key[:2] in self.about


class AmendActions(Lookup):
    """Keyword arguments and answers are JSON values."""

    _scheduler: Scheduler
    _clock: Clock
    _load: Callable[..., Any]
    _bring: Callable[[Sequence[RunName]], Awaitable[None]]
    _before: dict[str, Before]
    _undone: dict[str, tuple[datetime, dict[str, Any]]]

    async def remember(self, keys: Sequence[Sequence[Any]]) -> str:
        """Keep how the runs of these task instances are now; the name by which `undo` brings that back.

        A key may be that of a run, too. "" when they are too many to be kept.
        """
        about = frozenset(tuple(key) for key in keys)
        before = Before(self._clock.now(), about, [])
        names = list(dict.fromkeys((str(key[0]), str(key[1])) for key in keys))
        size = 0
        for first in range(0, len(names), _AT_ONCE):
            found = await self._store.load_runs(names[first : first + _AT_ONCE])
            before.runs.extend(found)
            size += sum(len(tis) for _, tis in found)
            if size > _MOST:
                return ""
        name = secrets.token_urlsafe(12)
        self._before = _newest({**self._kept(), name: before}, before.at)
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
        """Make task instances and runs what they were when `remember` gave the name, where nothing started since.

        The answer: `tasks` are what they were; `gone` had been made since, and are not there any more; `left` are not
        what they were, each with why: a `core.amend.LeftAlone`, or DELETED.
        """
        now = self._clock.now()
        before = self._kept().pop(name, None)
        if before is None or now - before.at >= UNDO_FOR:
            raise Conflict("This cannot be undone any more: it was undone already, or it is more than 10 minutes ago.")
        found = PutBack([], [], {})
        deleted: list[TaskKey] = []
        for first in range(0, len(before.runs), _AT_ONCE):
            batch = before.runs[first : first + _AT_ONCE]
            await self._bring([(run.dag_id, run.run_id) for run, _ in batch])
            await self._scheduler.do(partial(_put_back, batch, found, deleted, actor()))
        answer = _answer(before, found, deleted)
        kept = {name: row for name, row in self._told().items() if now - row[0] < UNDO_FOR}
        self._undone = dict([*kept.items(), (name, (now, {**answer, "tasks": []}))][-_TOLD:])
        return answer

    def _told(self) -> dict[str, tuple[datetime, dict[str, Any]]]:
        return getattr(self, "_undone", {})

    def what_was_undone(self, name: str) -> dict[str, Any]:
        """The answer of an `undo` of the last ten minutes, but for the `tasks`."""
        found = self._told().get(name)
        if found is None:
            raise Conflict("What this undo has changed is not known any more: it is more than 10 minutes ago.")
        return found[1]

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


def _newest(kept: dict[str, Before], now: datetime) -> dict[str, Before]:
    """What can still be undone, as far back as there is room."""
    found: dict[str, Before] = {}
    size = 0
    for name, before in reversed(kept.items()):
        size += before.size
        if now - before.at < UNDO_FOR and len(found) < _KEPT and size <= _MOST_OF_ALL:
            found[name] = before
    return dict(reversed(found.items()))


def _put_back(
    batch: Sequence[tuple[DagRun, list[TaskInstance]]],
    found: PutBack,
    deleted: list[TaskKey],
    person: str,
    world: World,
    now: datetime,
) -> None:
    for run, tis in batch:
        if world.run(run.dag_id, run.run_id) is None:
            deleted += [ti.key for ti in tis]
            continue
        done, gone, left = world.put_back(run, tis, now=now, actor=person)
        found.done.extend(done)
        found.gone.extend(gone)
        found.left.update(left)


def _answer(before: Before, found: PutBack, deleted: Sequence[TaskKey]) -> dict[str, Any]:
    """As JSON values. What the action was not about has gone on by itself meanwhile: no word about that."""
    left = [
        [*key, why.value] for key, why in found.left.items() if why is not LeftAlone.WAS_AT_WORK or before.is_about(key)
    ]
    left += [[*key, DELETED] for key in deleted if before.is_about(key)]
    return {
        "count": len(found.done),
        "tasks": [list(key) for key in found.done],
        "gone": [list(key) for key in found.gone],
        "left": left,
    }
