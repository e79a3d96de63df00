"""What the engine does for sensors without a process: it looks into the store and the file system, and writes logs."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from asyncflow.core.commands import Act, LogLines, LookForFile, LookUpRun, SaveRun, SaveTask, Write
from asyncflow.core.conditions import Condition, FilePresent, OtherRun
from asyncflow.core.messages import Parsed
from asyncflow.core.models import Pool, TaskKey
from asyncflow.core.specs import DagSpec, SensorSpec
from asyncflow.core.states import RunType
from asyncflow.core.timetable import DataInterval
from asyncflow.core.world import World
from asyncflow.engine import lookout as module
from asyncflow.engine.lookout import Lookout
from asyncflow.engine.scheduler import Scheduler
from asyncflow.store.database import Store
from tests.core.simulate import DAY, START, Game, a_dag, a_task, failed, success
from tests.engine.fakes import FakeClock

pytestmark = pytest.mark.anyio
KEY = TaskKey("waits", "run0", "s")


@pytest.fixture
async def store(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path / "asyncflow.db", now=lambda: START) as opened:
        yield opened


class Bench:
    """A scheduler with a lookout; remembers the states that were committed."""

    def __init__(self, store: Any, tasks: anyio.abc.TaskGroup, logs: Path) -> None:
        self.clock = FakeClock()
        self.acts: list[Act] = []
        self.states: dict[TaskKey, str] = {}
        self.changed = anyio.Event()
        world = World(parallelism=4, new_token=lambda: "token")
        self.scheduler = Scheduler(world=world, store=self, clock=self.clock, carry_out=self._carry_out)
        self.lookout = Lookout(store=store, scheduler=self.scheduler, logs=logs, spawn=tasks.start_soon)

    async def commit(self, writes: list[Write]) -> int:
        for write in writes:
            if isinstance(write, SaveTask):
                self.states[write.ti.key] = write.ti.state.value
                self.changed.set()
        return 1

    def _carry_out(self, act: Act) -> None:
        self.acts.append(act)
        if isinstance(act, LookUpRun | LookForFile | LogLines):
            self.lookout.carry_out(act)

    async def wait_for(self, state: str) -> None:
        with anyio.fail_after(5):
            while self.states.get(KEY) != state:
                self.changed = anyio.Event()
                await self.changed.wait()

    async def begin(self, condition: Condition, *others: DagSpec) -> None:
        spec = a_dag(a_task("s", sensor=SensorSpec(condition=condition)), dag_id="waits")

        def decide(world: World, now: Any) -> None:
            world.put_pool(Pool(name="default_pool", slots=8))
            for dag in (spec, *others):
                world.put_dag(dag, "v1", paused=False, now=now)
            world.create_run(
                "waits",
                run_type=RunType.MANUAL,
                logical_date=START,
                data_interval=DataInterval(START, START + DAY),
                run_after=START,
                run_id="run0",
                now=now,
            )

        await self.scheduler.do(decide)


@pytest.fixture
async def bench(store: Store, tmp_path: Path) -> AsyncIterator[Bench]:
    async with anyio.create_task_group() as tasks:
        made = Bench(store, tasks, tmp_path / "logs")
        tasks.start_soon(made.scheduler.run)
        yield made
        tasks.cancel_scope.cancel()


OTHER = a_dag(a_task("x"), dag_id="other")


async def stored(store: Store, days: dict[int, Any]) -> None:
    """Runs of the other DAG that ended before the server started."""
    game = Game(OTHER)
    for number, outcome in days.items():
        game.trigger(number, dag_id="other")
        game.play({"x": outcome})
    await store.save_dags("f.py", [(OTHER, "v1")], parsed=Parsed(host_id="h", file="f.py"), now=START)
    await store.commit(
        [*(SaveRun(run=run) for run in game.runs.values()), *(SaveTask(ti=ti) for ti in game.rows.values())]
    )


async def log_with(bench: Bench, tmp_path: Path, words: str) -> str:
    path = tmp_path / "logs" / "dag_id=waits" / "run_id=run0" / "task_id=s" / "attempt=1.log"
    with anyio.fail_after(5):
        while not (path.exists() and words in path.read_text()):
            await anyio.lowlevel.checkpoint()
    return path.read_text()


async def test_a_run_of_the_store_ends_the_wait(bench: Bench, store: Store, tmp_path: Path) -> None:
    await stored(store, {0: success()})
    await bench.begin(OtherRun(dag_id="other", task_ids=("x",)), OTHER)
    await bench.wait_for("success")
    lines = (await log_with(bench, tmp_path, "SUCCESS")).splitlines()
    assert lines[0] == "[2024-01-01T00:00:00.000+0000] {sensor:0} INFO - Starting attempt 1 of 1"
    assert lines[-1].endswith("INFO - Marking task as SUCCESS")


async def test_the_runs_beside_a_missing_one_are_named(bench: Bench, store: Store, tmp_path: Path) -> None:
    await stored(store, {-2: success(), -1: failed(), 2: success()})
    await bench.begin(OtherRun(dag_id="other"), OTHER)
    text = await log_with(bench, tmp_path, "nearest")
    assert "The nearest runs are run-1 (failed) and run2 (success)." in text


async def test_a_file_is_found(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    await bench.begin(FilePresent(pattern=f"{tmp_path}/*.csv"))
    await bench.wait_for("success")
    assert f"Found File {tmp_path}/a.csv" in await log_with(bench, tmp_path, "Found")


async def test_a_log_that_cannot_be_written_stops_nothing(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").touch()
    (tmp_path / "a").touch()
    await bench.begin(FilePresent(pattern=f"{tmp_path}/a"))
    await bench.wait_for("success")
    with anyio.fail_after(5):
        while "cannot be written" not in caplog.text:
            await anyio.lowlevel.checkpoint()


async def test_a_store_in_trouble_is_asked_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY", 0)
    await stored(store, {0: success()})
    troubles = [OSError("disk"), OSError("disk")]

    class Shaky:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def find_runs(self, **filters: Any) -> Any:
            if troubles:
                raise troubles.pop()
            return await store.find_runs(**filters)

    async with anyio.create_task_group() as tasks:
        bench = Bench(Shaky(), tasks, tmp_path / "logs")
        tasks.start_soon(bench.scheduler.run)
        with caplog.at_level(logging.ERROR):
            await bench.begin(OtherRun(dag_id="other"), OTHER)
            await bench.wait_for("success")
        tasks.cancel_scope.cancel()
    assert caplog.text.count("trying again") == 2
