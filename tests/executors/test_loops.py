"""Event-loop hosts of a real pool: triggers, async tries, what becomes of them when things break."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path
from typing import Any

import anyio
import pytest

from asyncflow.core.messages import RunTrigger, TriggerEnded
from asyncflow.executors import hosts
from tests.executors.pools import PoolHarness, running_pool, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

BELLS = """
import asyncio, os
from airflow.triggers.base import BaseTrigger, TriggerEvent

class Bell(BaseTrigger):
    def __init__(self, way):
        super().__init__()
        self.way = way

    def serialize(self):
        return "bells.Bell", {"way": self.way}

    async def run(self):
        print("pid", os.getpid(), flush=True)
        if self.way == "die":
            os._exit(3)
        if self.way == "wait":
            await asyncio.Event().wait()
        yield TriggerEvent(object() if self.way == "odd" else self.way)
"""

ASYNC = """
import asyncio, os
from airflow import DAG
from airflow.operators.python import PythonOperator

async def nap(way):
    print("pid", os.getpid(), flush=True)
    while way == "stubborn":
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("not me")
    await asyncio.sleep(0 if way == "short" else 3600)
    return way

with DAG("d"):
    for way in ("short", "long", "stubborn"):
        PythonOperator(task_id=way, python_callable=nap, op_args=[way])
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def ring(pool: PoolHarness, way: str, classpath: str = "bells.Bell") -> RunTrigger:
    info = pool.info("d", "wait")
    message = RunTrigger(token=secrets.token_hex(8), classpath=classpath, kwargs={"way": way}, info=info)
    pool.pool.run_trigger("", "", message)
    return message


async def rung(pool: PoolHarness, message: RunTrigger) -> TriggerEnded:
    return await pool.message(TriggerEnded, lambda m: m.token == message.token)


async def pid_in(path: str) -> int:
    await until(lambda: Path(path).exists() and "pid " in Path(path).read_text())
    return int((await anyio.Path(path).read_text()).partition("pid ")[2].split()[0])


async def test_triggers_share_a_process(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as pool:
        pool.write("bells.py", BELLS)
        first, second = ring(pool, "a"), ring(pool, "b")
        assert [(await rung(pool, m)).event for m in (first, second)] == ["a", "b"]
        assert await pid_in(first.info.log_path) == await pid_in(second.info.log_path)
        log = pool.log(first.info)
        assert "Trigger bells.Bell starting" in log
        assert "fired: TriggerEvent<'a'>" in log


@pytest.mark.parametrize(
    ("way", "classpath", "words"),
    [
        ("odd", "bells.Bell", "TypeError"),
        ("a", "nowhere.Bell", "No module named 'nowhere'"),
        ("a", "bells.Gong", "has no attribute 'Gong'"),
    ],
)
async def test_what_breaks_is_told_with_a_traceback(tmp_path: Path, way: str, classpath: str, words: str) -> None:
    async with running_pool(tmp_path) as pool:
        pool.write("bells.py", BELLS)
        message = ring(pool, way, classpath)
        error = (await rung(pool, message)).error
        assert error is not None
        assert words in error
        assert words in pool.log(message.info)


async def test_a_trigger_that_kills_its_process_fails_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "TRIGGER_DELAY", 0.01)
    async with running_pool(tmp_path) as pool:
        pool.write("bells.py", BELLS)
        message = ring(pool, "die")
        ended = await rung(pool, message)
        assert ended.error == "The process that ran the trigger ended with exit code 3, 3 times in a row."
        assert pool.log(message.info).count("pid") == 3


async def test_a_trigger_outlives_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "TRIGGER_DELAY", 0.01)
    async with running_pool(tmp_path) as pool:
        pool.write("bells.py", BELLS)
        message = ring(pool, "wait")
        os.kill(await pid_in(message.info.log_path), signal.SIGKILL)
        await until(lambda: pool.log(message.info).count("pid") == 2)
        pool.pool.stop_trigger(message.token)
        pool.pool.stop_trigger(message.token)
        await until(lambda: "is no longer needed" in pool.log(message.info))
        assert [m for m in pool.messages if isinstance(m, TriggerEnded)] == []


async def test_a_trigger_that_is_stopped_before_its_process_is_up_never_runs(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as pool:
        pool.write("bells.py", BELLS)
        stopped, other = ring(pool, "a"), ring(pool, "b")
        pool.pool.stop_trigger(stopped.token)
        await rung(pool, other)
        assert not await anyio.Path(stopped.info.log_path).exists()


async def test_async_tries_share_a_process_and_end_when_told(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as pool:
        parsed = await pool.parse_good("d.py", ASYNC)
        assert [task.is_async for task in parsed.dags[0].tasks.values()] == [True, True, True]
        tries = {way: pool.start(parsed, "d", way, is_async=True) for way in ("short", "long", "stubborn")}
        short = await pool.finished(tries["short"])
        assert short.result is not None
        assert short.result.xcoms == {"return_value": '"short"'}
        pids = {await pid_in(info.log_path) for info in tries.values()}
        assert len(pids) == 1
        for way in ("long", "stubborn"):
            pool.pool.kill_try(tries[way].token, "", 0.2)
        results = {way: (await pool.finished(tries[way])).result for way in ("long", "stubborn")}
        errors = {way: result.error for way, result in results.items() if result is not None}
        assert errors == {
            "long": "AirflowTaskTerminated: The task was cancelled",
            "stubborn": "The task did not end when it was told to, and was left behind.",
        }


async def test_a_file_that_breaks_for_its_async_tasks_says_so(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as pool:
        parsed = await pool.parse_good("d.py", ASYNC)
        flag = tmp_path / "flag"
        source = f"import os\nif os.path.exists({str(flag)!r}):\n    raise ValueError('not again')\n" + ASYNC
        parsed = await pool.parse_good("e.py", source.replace('DAG("d")', 'DAG("e")'))
        flag.touch()
        info = pool.start(parsed, "e", "short", is_async=True)
        result: Any = (await pool.finished(info)).result
        assert result.outcome == "failed"
        assert "e.py could not be imported for its async tasks and triggers: ValueError: not again" in result.error
        gone = pool.start(await pool.parse_good("d.py"), "d", "nobody", is_async=True)
        assert (await pool.finished(gone)).result.error == "d.py has no task d.nobody any more."  # type: ignore[union-attr]
