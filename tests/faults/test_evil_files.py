"""Thirty and more evil DAG files beside ten good ones: the good ones load and run, each bad one says what it did."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from asyncflow.core.messages import Parsed
from asyncflow.dagfiles.loader import Loader, LoadResult
from tests.executors.pools import HEAD, PoolHarness, running_pool
from tests.faults.evil import ENDS_SOMEHOW, EVIL, source_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LIMITS: dict[str, Any] = {"dagbag_import_timeout": 2.0, "dag_memory_limit_mb": 256, "dag_output_limit_kb": 64}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _good(n: int) -> str:
    return f"{HEAD}\nwith DAG('good_{n}', schedule=None):\n    PythonOperator(task_id='work', python_callable=int)\n"


async def test_good_files_load_and_run_beside_evil_ones(tmp_path: Path) -> None:
    results: dict[str, Parsed] = {}
    arrived: dict[str, float] = {}
    looked = anyio.Event()
    begun = time.monotonic()

    async def on_result(result: LoadResult) -> None:
        results[result.file] = result.parsed
        arrived.setdefault(result.file, time.monotonic() - begun)

    async def on_gone(_file: str) -> None:
        pass

    async def after_first_look() -> None:
        looked.set()

    async with running_pool(tmp_path, **LIMITS) as h, anyio.create_task_group() as tasks:
        lag = _LoopLag()
        tasks.start_soon(lag.run)
        for name in EVIL:
            h.write(f"evil/{name}.py", source_of(name))
        for n in range(10):
            h.write(f"zz_good_{n}.py", _good(n))
        loader = Loader(h.settings, parse=h.pool.parse, on_result=on_result, on_gone=on_gone)
        tasks.start_soon(loader.run, after_first_look)
        with anyio.fail_after(55):
            await looked.wait()
            await _run_good_ones(h, results)
        tasks.cancel_scope.cancel()
    _judge(results)
    print(f"slowest good file {max(arrived[f'zz_good_{n}.py'] for n in range(10)):.1f} s, worst lag {lag.worst:.3f} s")
    assert lag.worst < 0.5  # 0.1 s on a machine of its own; here tests run beside it


async def _run_good_ones(h: PoolHarness, results: dict[str, Parsed]) -> None:
    infos = [h.start(results[f"zz_good_{n}.py"], f"good_{n}") for n in range(10)]
    for info in infos:
        finished = await h.finished(info)
        assert finished.result is not None
        assert finished.result.outcome == "success"


def _judge(results: dict[str, Parsed]) -> None:
    wrong = []
    for name, (_, kind, words) in EVIL.items():
        if name in ENDS_SOMEHOW:
            continue
        error = results[f"evil/{name}.py"].error
        if kind is None:
            fits = error is None and len(results[f"evil/{name}.py"].dags) == 1
        else:
            fits = error is not None and kind in ("", error.kind) and words in error.message
        if not fits:
            wrong.append((name, error))
    assert not wrong, "\n".join(f"{name}: {error}" for name, error in wrong)


class _LoopLag:
    """How late the event loop gets to what is due."""

    worst = 0.0

    async def run(self) -> None:
        while True:
            due = time.monotonic() + 0.01
            await anyio.sleep(0.01)
            self.worst = max(self.worst, time.monotonic() - due)
