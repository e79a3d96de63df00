"""Slots: which scheduled instances may start now, and what the others wait for.

One priority queue in name; in fact one heap per *bucket* of instances that share all limits (pool, slots taken, DAG,
and task or run where these are limited). What blocks the head of a bucket blocks all of it, so a turn looks at each
bucket once however many instances wait, and an over-full pool never holds up the others.

Order: those of a backfill last, priority weight (high first), logical date of the run, order of creation of the run,
order of scheduling.
Limits: parallelism and async_concurrency (processes and places on event loops, counted by the caller), pool slots
(QUEUED, RUNNING and RESTARTING take them, DEFERRED too where the pool includes them), max_active_tasks of the DAG,
max_active_tis_per_dag and _per_dagrun of the task.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from asyncflow.core.models import Pool, TaskInstance, TaskKey
from asyncflow.core.sentence import Sentence
from asyncflow.core.specs import TaskSpec
from asyncflow.core.states import OCCUPYING, TaskState

K = TypeVar("K")


class Bucket(NamedTuple):
    """What instances have in common that wait for the same things."""

    dag_id: str
    pool: str
    pool_slots: int
    task_id: str = ""  #: where the task limits its instances
    per_dag: int | None = None
    run_id: str = ""  #: where the task limits its instances per run
    per_run: int | None = None
    on_loop: bool = False  #: needs no process, only a place on an event loop
    is_backfill: bool = False  #: of a backfill that is under way: may start although the DAG is paused


class Free(NamedTuple):
    """How many tries may start."""

    processes: int
    on_loops: int = 0


class PoolUse(NamedTuple):
    """Who has to do with a pool, the first of each kind."""

    holding: list[TaskInstance]  #: in the order of taking
    deferred: list[TaskInstance]
    waiting: list[TaskInstance]  #: in the order in which they get slots


class _Entry(NamedTuple):
    order: tuple[bool, int, float, int, int]
    key: TaskKey


def bucket_of(ti: TaskInstance, task: TaskSpec) -> Bucket:
    """The bucket an instance waits in."""
    per_dag, per_run = task.max_active_tis_per_dag, task.max_active_tis_per_dagrun
    loop = on_loop(ti, task)
    if per_dag is None and per_run is None:
        return Bucket(ti.dag_id, ti.pool, ti.pool_slots, on_loop=loop)
    run_id = ti.run_id if per_run is not None else ""
    return Bucket(ti.dag_id, ti.pool, ti.pool_slots, ti.task_id, per_dag, run_id, per_run, loop)


def on_loop(ti: TaskInstance, task: TaskSpec) -> bool:
    """Whether the next try of an instance runs on an event loop; one that was deferred goes on in a process."""
    return task.is_async and ti.next_method is None


class Slots:
    """The queue of scheduled instances and the counts of what is taken."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self._heaps: dict[Bucket, list[_Entry]] = {}
        self._waiting: dict[TaskKey, tuple[Bucket, int]] = {}  #: bucket and number of the valid entry
        self._seq = 0
        self._in_pool: Counter[str] = Counter()
        self._holders: dict[str, dict[TaskKey, None]] = {}
        self._deferred_in_pool: Counter[str] = Counter()
        self._deferred: dict[str, dict[TaskKey, None]] = {}
        self._in_dag: Counter[str] = Counter()
        self._in_task: Counter[tuple[str, str]] = Counter()
        self._in_task_of_run: Counter[tuple[str, str, str]] = Counter()

    # ---- counting ---------------------------------------------------------------------------------------------------

    def count(self, ti: TaskInstance, state: TaskState, number: int) -> None:
        """`number` (1 or -1) instances like `ti` come to or leave `state`."""
        if state is TaskState.DEFERRED:
            _shift(self._deferred_in_pool, ti.pool, number * ti.pool_slots)
            _note(self._deferred, ti, number)
        if state in OCCUPYING:
            _shift(self._in_pool, ti.pool, number * ti.pool_slots)
            _note(self._holders, ti, number)
            _shift(self._in_dag, ti.dag_id, number)
            _shift(self._in_task, (ti.dag_id, ti.task_id), number)
            _shift(self._in_task_of_run, (ti.dag_id, ti.run_id, ti.task_id), number)

    def rest(self, ti: TaskInstance, resting: bool) -> None:
        """A running instance sleeps, or no longer: meanwhile it keeps its pool slots and its limits per task only."""
        _shift(self._in_dag, ti.dag_id, -1 if resting else 1)

    def occupied(self, pool: Pool) -> int:
        """Slots of a pool that are taken."""
        return self._in_pool[pool.name] + (self._deferred_in_pool[pool.name] if pool.include_deferred else 0)

    def holders(self, pool: str) -> list[str]:
        """Who takes slots of a pool: "dag_id.task_id", each once, in the order of taking."""
        return list(dict.fromkeys(f"{key.dag_id}.{key.task_id}" for key in self._holders.get(pool, ())))

    def holding(self, pool: str) -> list[TaskKey]:
        """Who takes slots of a pool, in the order of taking."""
        return list(self._holders.get(pool, ()))

    def deferred(self, pool: str) -> list[TaskKey]:
        """Who is deferred in a pool, whether it takes slots or not."""
        return list(self._deferred.get(pool, ()))

    def waiting(self, pool: str, limit: int) -> list[TaskKey]:
        """The first who wait for slots of a pool, in the order in which they would get them."""
        entries = (
            entry
            for bucket, heap in self._heaps.items()
            if bucket.pool == pool
            for entry in heap
            if self._waiting.get(entry.key, (bucket, 0))[1] == entry.order[-1]
        )
        return [entry.key for entry in heapq.nsmallest(limit, entries)]

    def usage(self) -> dict[str, dict[str, int]]:
        """By pool: `occupied` slots and `scheduled` slots that wait, and `open` ones (-1 = without limit)."""
        waiting: Counter[str] = Counter()
        for bucket, _ in self._waiting.values():
            waiting[bucket.pool] += bucket.pool_slots
        return {
            pool.name: {
                "occupied": self.occupied(pool),
                "deferred": self._deferred_in_pool[pool.name],
                "scheduled": waiting[pool.name],
                "open": -1 if pool.slots < 0 else max(0, pool.slots - self.occupied(pool)),
            }
            for pool in self.pools.values()
        }

    # ---- the queue --------------------------------------------------------------------------------------------------

    def enqueue(self, ti: TaskInstance, bucket: Bucket, date: float, run_seq: int) -> None:
        """Put a scheduled instance into the queue; `date` is the logical date of its run as a timestamp.

        Those of a backfill come after all others.
        """
        self._seq += 1
        self._waiting[ti.key] = (bucket, self._seq)
        entry = _Entry((bucket.is_backfill, -ti.priority_weight, date, run_seq, self._seq), ti.key)
        heapq.heappush(self._heaps.setdefault(bucket, []), entry)

    def withdraw(self, key: TaskKey) -> None:
        """Take an instance out of the queue, if it is there; its entry is dropped when its turn comes."""
        self._waiting.pop(key, None)

    def take(self, free: Free, is_open: Callable[[Bucket], bool], limits: Callable[[str], int]) -> Iterator[TaskKey]:
        """The instances to start, best first, at most as many as are `free`.

        The caller moves each to QUEUED (and so takes its slots, by `count`) before asking for the next.
        `is_open(bucket)`: may tries of its DAG start; `limits(dag_id)`: its max_active_tasks.
        """
        heads = [(heap[0].order, bucket) for bucket in list(self._heaps) if (heap := self._cleaned(bucket))]
        heapq.heapify(heads)
        processes, on_loops = free
        while heads and (processes > 0 or on_loops > 0):
            _, bucket = heapq.heappop(heads)
            room = on_loops if bucket.on_loop else processes
            if room <= 0 or not is_open(bucket) or self.blocker(bucket, limits(bucket.dag_id)):
                continue
            entry = heapq.heappop(self._heaps[bucket])
            del self._waiting[entry.key]
            if bucket.on_loop:
                on_loops -= 1
            else:
                processes -= 1
            yield entry.key
            heap = self._cleaned(bucket)
            if heap:
                heapq.heappush(heads, (heap[0].order, bucket))

    def _cleaned(self, bucket: Bucket) -> list[_Entry] | None:
        """The heap of a bucket with a valid head; an empty one is deleted."""
        heap = self._heaps[bucket]
        while heap:
            _, number = self._waiting.get(heap[0].key, (bucket, 0))
            if number == heap[0].order[-1]:
                return heap
            heapq.heappop(heap)
        del self._heaps[bucket]
        return None

    def blocker(self, bucket: Bucket, max_active_tasks: int) -> str | None:
        """The limit that keeps a bucket waiting, in words; None if nothing does."""
        pool = self.pools.get(bucket.pool)
        if pool is None:
            return Sentence("pool {pool!r} does not exist", pool=bucket.pool)
        if pool.slots >= 0 and self.occupied(pool) + bucket.pool_slots > pool.slots:
            found: dict[str, Any] = {"pool": pool.name, "taken": self.occupied(pool), "slots": pool.slots}
            if bucket.pool_slots == 1:
                return Sentence("pool {pool!r} is full ({taken} of {slots} slots taken)", **found)
            found["needs"] = bucket.pool_slots
            return Sentence("pool {pool!r} is full ({taken} of {slots} slots taken, it needs {needs})", **found)
        if self._in_dag[bucket.dag_id] >= max_active_tasks:
            return Sentence("max_active_tasks={n} of the DAG is reached", n=max_active_tasks)
        if bucket.per_dag is not None and self._in_task[bucket.dag_id, bucket.task_id] >= bucket.per_dag:
            return Sentence("max_active_tis_per_dag={n} of the task is reached", n=bucket.per_dag)
        in_run = self._in_task_of_run[bucket.dag_id, bucket.run_id, bucket.task_id]
        if bucket.per_run is not None and in_run >= bucket.per_run:
            return Sentence("max_active_tis_per_dagrun={n} of the task is reached", n=bucket.per_run)
        return None


def _note(keys: dict[str, dict[TaskKey, None]], ti: TaskInstance, number: int) -> None:
    """An instance comes to or leaves those of its pool."""
    if number > 0:
        keys.setdefault(ti.pool, {})[ti.key] = None
    else:
        keys.get(ti.pool, {}).pop(ti.key, None)


def _shift(counter: Counter[K], key: K, number: int) -> None:
    """Change a count; zero leaves no entry behind."""
    counter[key] += number
    if not counter[key]:
        del counter[key]
