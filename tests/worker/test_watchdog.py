"""The watchdog names the coroutine that blocks its loop."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from asyncflow.worker.watchdog import LIMIT, Watchdog

pytestmark = pytest.mark.slow


async def watched(*coroutines: Any) -> list[tuple[str, float, str]]:
    told: list[tuple[str, float, str]] = []
    dog = Watchdog(
        asyncio.get_running_loop(), lambda task, seconds, where: told.append((task.get_name(), seconds, where))
    )
    dog.start()
    dog.want(True)
    tasks = [asyncio.create_task(work, name=f"task-{n}") for n, work in enumerate(coroutines)]
    await asyncio.gather(*tasks)
    await asyncio.sleep(LIMIT)  # for the thread to look once more
    dog.want(False)
    return told


async def blocking() -> None:
    time.sleep(4 * LIMIT)  # noqa: ASYNC251


async def patient() -> None:
    await asyncio.sleep(2 * LIMIT)


def test_who_blocks_is_told_with_the_line() -> None:
    ((name, seconds, where),) = asyncio.run(watched(patient(), blocking()))
    assert name == "task-1"
    assert seconds > 2 * LIMIT
    assert where.endswith("in blocking: time.sleep(4 * LIMIT)  # noqa: ASYNC251")


def test_many_short_steps_block_nobody() -> None:
    async def short() -> None:
        time.sleep(0.01)  # noqa: ASYNC251

    assert asyncio.run(watched(*(short() for _ in range(60)))) == []
