"""Tries outlive their server: adopted by the next one, or found in the spool."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from asyncflow.core.messages import TryFinished
from asyncflow.executors.base import HostAdopted
from asyncflow.ipc import procfs, spool
from tests.executors.pools import HEAD, running_pool, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _source(gate: Path) -> str:
    return f"""{HEAD}
import os, time
def work():
    open({str(gate) + ".inside"!r}, "w").close()
    while not os.path.exists({str(gate)!r}): time.sleep(0.005)
    return "opened"
with DAG("d", schedule=None):
    PythonOperator(task_id="work", python_callable=work)
"""


async def test_a_running_try_is_adopted_by_the_next_server(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with running_pool(tmp_path, stop_tasks=False) as first:
        parsed = await first.parse_good("a.py", _source(gate))
        info = first.start(parsed, "d")
        process = (await first.started(info)).process
    assert procfs.is_alive(process)
    async with running_pool(tmp_path) as second:
        adopted = await second.message(HostAdopted)
        assert adopted.tries == {info.token: process}
        assert second.pool.running_tokens() == [info.token]
        gate.touch()
        finished = await second.finished(info)
        assert finished.result is not None
        assert finished.result.xcoms == {"return_value": '"opened"'}
        assert finished.exit_code == 0
        await until(lambda: not spool.read(second.settings.spool))


async def test_an_adopted_try_can_be_killed(tmp_path: Path) -> None:
    async with running_pool(tmp_path, stop_tasks=False) as first:
        parsed = await first.parse_good("a.py", _source(tmp_path / "never"))
        info = first.start(parsed, "d")
        await first.started(info)
    async with running_pool(tmp_path) as second:
        await second.message(HostAdopted, lambda adopted: info.token in adopted.tries)
        await until((tmp_path / "never.inside").exists)  # before, a signal ends it without a word
        second.pool.kill_try(info.token, "test", 5)
        finished = await second.finished(info)
        assert finished.result is not None
        assert "SIGTERM" in str(finished.result.error)


async def test_a_result_without_a_server_waits_in_the_spool(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with running_pool(tmp_path, stop_tasks=False) as first:
        parsed = await first.parse_good("a.py", _source(gate))
        info = first.start(parsed, "d")
        process = (await first.started(info)).process
        host = _parent(process.pid)
    gate.touch()
    await until(lambda: not procfs.is_alive(procfs.identity(host)))  # with nothing left to run, it ends too
    async with running_pool(tmp_path) as second:
        (message,) = second.pool.read_spool()
        assert message.token == info.token
        assert message.result is not None
        assert message.exit_code == 0
        assert message.peak_rss_kb > 0
        second.pool.ack(info.token)
        assert second.pool.read_spool() == []


async def test_a_result_that_was_never_acknowledged_is_told_again(tmp_path: Path) -> None:
    async with running_pool(tmp_path, stop_tasks=False) as first:
        parsed = await first.parse_good("a.py", _source(tmp_path))
        info = first.start(parsed, "d")
        await first.finished(info, ack=False)
    await until(lambda: bool(spool.read(first.settings.spool)))
    assert [message.token for message in spool.read(first.settings.spool)] == [info.token]


async def test_a_try_that_lost_server_and_host_spools_by_itself_and_can_be_followed(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with running_pool(tmp_path, stop_tasks=False) as first:
        parsed = await first.parse_good("a.py", _source(gate))
        info = first.start(parsed, "d")
        process = (await first.started(info)).process
        host = _parent(process.pid)
    os.kill(host, signal.SIGKILL)
    async with running_pool(tmp_path) as second:
        second.pool.watch_orphan(info.token, process)
        assert second.pool.running_tokens() == [info.token]
        gate.touch()
        finished = await second.message(TryFinished)
        assert finished.result is not None
        assert finished.result.outcome == "success"
        second.pool.ack(info.token)
        assert second.pool.read_spool() == []


async def test_stopping_with_the_tasks_ends_them(tmp_path: Path) -> None:
    async with running_pool(tmp_path, stop_tasks=True) as h:
        parsed = await h.parse_good("a.py", _source(tmp_path / "never"))
        info = h.start(parsed, "d")
        process = (await h.started(info)).process
    assert not procfs.is_alive(process)
    await h.finished(info, ack=False)


async def test_nothing_of_ours_is_left_when_a_server_without_tries_ends(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", _source(tmp_path))
        info = h.start(parsed, "d")
        await h.finished(info)
        host = procfs.identity(h.pool.hosts()[0].pid)
        assert host is not None
        zygote = _parent(host.pid)
    await until(lambda: not procfs.is_alive(host))
    assert not procfs.is_alive(procfs.identity(zygote))


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_a_file_that_kills_the_zygote_harms_no_later_import(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        await h.parse("evil.py", f"{HEAD}\nimport os\nos.kill(os.getppid(), 9)\n")
        parsed = await h.parse_good("a.py", _source(tmp_path))
        finished, _ = await h.run(parsed, "d")
    assert finished.exit_code == 0
