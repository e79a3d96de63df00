from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import anyio
import pytest

from asyncflow.core.commands import Act, LaunchTry, SaveTask, TryEndedFact, Write
from asyncflow.core.messages import TryResult
from asyncflow.core.models import DagRun, Pool
from asyncflow.core.states import RunType, TaskState
from asyncflow.core.world import World
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict
from tests.core.simulate import a_dag, a_task
from tests.engine.fakes import START, FakeClock

pytestmark = pytest.mark.anyio


class Disk:
    """A store that keeps the batches it was given, or refuses them for a while."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Write]] = []
        self.full = False
        self.tried = anyio.Event()

    async def commit(self, writes: Sequence[Write]) -> int:
        self.tried.set()
        if self.full:
            raise OSError("disk full")
        self.batches.append(writes)
        return len(self.batches)


class Bench:
    """A scheduler over a fake clock with what it did, in order."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.disk = Disk()
        self.acts: list[Act] = []
        self.launched = anyio.Event()
        numbers = count(1)
        world = World(parallelism=4, new_token=lambda: f"token{next(numbers)}")
        self.scheduler = Scheduler(world=world, store=self.disk, clock=self.clock, carry_out=self._carry_out)

    def _carry_out(self, act: Act) -> None:
        self.acts.append(act)
        if isinstance(act, LaunchTry):
            self.launched.set()
            self.launched = anyio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with anyio.fail_after(3):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.scheduler.run)
                yield
                tasks.cancel_scope.cancel()


def put_and_trigger(world: World, now: datetime, *tasks: Any) -> DagRun:
    world.put_pool(Pool(name="default_pool", slots=128))
    world.put_dag(a_dag(*tasks), "v1", paused=False, now=now)
    return world.create_run(
        "dag", run_type=RunType.MANUAL, logical_date=now, data_interval=None, run_after=now, run_id="one", now=now
    )


def ended(token: str, at: datetime) -> TryEndedFact:
    return TryEndedFact(token=token, at=at, result=TryResult(outcome="success", started_at=at, ended_at=at))


async def test_what_is_launched_was_committed_as_queued_before() -> None:
    bench = Bench()
    async with bench.running():
        await bench.scheduler.do(lambda world, now: put_and_trigger(world, now, a_task("a")))
    saved = [w.ti.state for batch in bench.disk.batches for w in batch if isinstance(w, SaveTask)]
    assert saved[-1] is TaskState.QUEUED
    assert [act for act in bench.acts if isinstance(act, LaunchTry)] == [
        LaunchTry(key=("dag", "one", "a", -1), token="token1")
    ]


async def test_end_of_a_task_launches_the_next_in_the_same_turn() -> None:
    bench = Bench()
    async with bench.running():
        chain = (a_task("a"), a_task("b", upstream=("a",)))
        await bench.scheduler.do(lambda world, now: put_and_trigger(world, now, *chain))
        launched = bench.launched
        batches = len(bench.disk.batches)
        bench.scheduler.tell(lambda world, now: world.try_ended(ended("token1", now)))
        await launched.wait()
        assert len(bench.disk.batches) == batches + 1
    assert [act.key.task_id for act in bench.acts if isinstance(act, LaunchTry)] == ["a", "b"]


async def test_it_is_at_rest_until_something_comes_in_and_after_its_commit() -> None:
    bench = Bench()
    assert bench.scheduler.at_rest.is_set()
    seen: list[bool] = []
    async with bench.running():
        bench.scheduler.tell(lambda world, now: None, then=lambda: seen.append(bench.scheduler.at_rest.is_set()))
        assert not bench.scheduler.at_rest.is_set()
        await bench.scheduler.do(lambda world, now: None)
        await anyio.wait_all_tasks_blocked()
        assert bench.scheduler.at_rest.is_set()
    assert seen == [False]


async def test_error_of_an_action_reaches_who_asked_and_the_loop_goes_on() -> None:
    bench = Bench()
    async with bench.running():
        await bench.scheduler.do(lambda world, now: put_and_trigger(world, now, a_task("a")))
        with pytest.raises(Conflict, match="already has the run"):
            await bench.scheduler.do(lambda world, now: put_and_trigger(world, now, a_task("a")))
        assert await bench.scheduler.do(lambda world, _now: world.run("dag", "one")) is not None


async def test_full_disk_starts_nothing_and_loses_nothing() -> None:
    bench = Bench()
    bench.disk.full = True
    async with bench.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(bench.scheduler.do, partial(put_and_trigger_now))
        await bench.disk.tried.wait()
        assert bench.acts == []
        assert bench.scheduler.store_trouble == "disk full"
        launched = bench.launched
        bench.disk.full = False
        await launched.wait()
    assert bench.scheduler.store_trouble is None
    assert len(bench.disk.batches) == 1


def put_and_trigger_now(world: World, now: datetime) -> DagRun:
    return put_and_trigger(world, now, a_task("a"))


async def test_message_is_acknowledged_after_its_commit() -> None:
    bench = Bench()
    seen: list[int] = []
    async with bench.running():
        await bench.scheduler.do(lambda world, now: put_and_trigger(world, now, a_task("a")))
        before = len(bench.disk.batches)
        bench.scheduler.tell(
            lambda world, now: world.try_ended(ended("token1", now)), lambda: seen.append(len(bench.disk.batches))
        )
        await bench.scheduler.do(lambda _world, _now: None)
    assert seen == [before + 1]


async def test_retry_is_launched_when_its_delay_is_over() -> None:
    bench = Bench()
    async with bench.running():
        task = a_task("a", retries=1, retry_delay=timedelta(minutes=5))
        await bench.scheduler.do(lambda world, now: put_and_trigger(world, now, task))
        failed = TryResult(outcome="failed", started_at=START, ended_at=START)
        await bench.scheduler.do(
            lambda world, now: world.try_ended(TryEndedFact(token="token1", at=now, result=failed))
        )
        launched = bench.launched
        bench.clock.advance(timedelta(minutes=6))
        await launched.wait()
    assert [act.token for act in bench.acts if isinstance(act, LaunchTry)] == ["token1", "token2"]
