"""What the pages of one task instance ask for beyond the instance itself (`pages.Pages.instance`)."""

from __future__ import annotations

from collections.abc import Sequence

from asyncflow.core.blockers import Blockers
from asyncflow.core.models import TaskKey
from asyncflow.core.sentence import Sentence
from asyncflow.core.states import FINISHED, TaskState
from asyncflow.engine.clock import Clock
from asyncflow.engine.hiding import hide_secrets
from asyncflow.engine.pages import Waiting
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import NotFound
from asyncflow.store.database import JournalLine, Store
from asyncflow.store.instances import Copy, XComHead

__all__ = ["Blockers", "Copy", "InstancePages", "XComHead"]

#: the last try is over in these, too
_SILENT = FINISHED | {TaskState.NONE, TaskState.UP_FOR_RETRY}
#: in these nothing is waited for
_QUIET = FINISHED | {TaskState.RUNNING}
#: characters read beyond those that are shown, so that no secret is cut before it is hidden
_BEYOND = 4096


class InstancePages:
    """Reads for the pages of one task instance."""

    def __init__(self, store: Store, scheduler: Scheduler, clock: Clock) -> None:
        self._store = store
        self._scheduler = scheduler
        self._clock = clock

    def is_written(self, key: TaskKey, try_number: int) -> bool:
        """Whether a try may still write its log, as far as is known in memory."""
        ti = self._scheduler.world.task_instance(key)
        return ti is not None and ti.try_number <= try_number and ti.state not in _SILENT

    def written(self, dag_id: str, run_id: str) -> list[tuple[TaskKey, int]]:
        """The tries of a run that may still write their logs, by their numbers."""
        tis = self._scheduler.world.tasks_of(dag_id, run_id)
        return [(ti.key, ti.try_number) for ti in tis if ti.state not in _SILENT and ti.try_number]

    @property
    def asking(self) -> int:
        """How many instances wait for the answer of a person."""
        return self._scheduler.world.asking

    def blockers(self, key: TaskKey) -> Blockers:
        """Whose end it waits for."""
        return self._scheduler.world.blockers(key, self._clock.now())

    async def copies(self, key: TaskKey) -> list[Copy]:
        """All mapped copies of its task in its run, by index."""
        return sorted(await self._store.copies_of_task(key))

    async def some(self, key: TaskKey, indexes: Sequence[int]) -> list[Waiting]:
        """Copies of its task, in this order, each with the reason while it waits."""
        world, now = self._scheduler.world, self._clock.now()
        tis = await self._store.some_tasks(key.dag_id, key.run_id, [(key.task_id, index) for index in indexes])
        return [Waiting(ti, "" if ti.state in _QUIET else world.why(ti.key, now)) for ti in tis]

    async def journal(self, key: TaskKey, *, after: int = 0, limit: int = 200) -> list[JournalLine]:
        """What happened to it, oldest first."""
        return await self._store.journal_of_task(key, after_seq=after, limit=limit)

    async def xcoms(self, key: TaskKey, *, most: int) -> list[XComHead]:
        """What it pushed, last push first: the first `most` characters of each; stored secrets in them read ***."""
        heads = await self._store.xcom_heads(key, most=most + _BEYOND)
        shown = await hide_secrets(self._store, [row.head for row in heads])
        return [
            row._replace(head=text if len(row.head) <= most else text[:most])
            for row, text in zip(heads, shown, strict=True)
        ]

    async def xcom(self, key: TaskKey, name: str) -> str:
        """The whole JSON text of one XCom; stored secrets in it read ***. Raises NotFound."""
        rows = await self._store.xcom_rows(
            dag_id=key.dag_id, run_id=key.run_id, task_ids=[key.task_id], map_indexes=[key.map_index], key=name
        )
        if not rows:
            known = [row.key for row in await self._store.xcom_heads(key, most=1)]
            raise NotFound(Sentence("XCom of the task {task!r} named", task=key.task_id), name, known)
        return (await hide_secrets(self._store, [rows[0].value]))[0]
