"""A process for one question: started, asked, and gone within its time, whatever it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import msgspec

from asyncflow.config import Settings
from asyncflow.errors import AsyncflowError
from asyncflow.executors.conf import airflow_conf

#: bytes of an answer, and of what is kept of stderr
_LONGEST, _LAST_WORDS = 4 * 1024 * 1024, 4096


class ChildFailed(AsyncflowError):
    """The process gave no answer; the sentence says what became of it."""


async def ask_connection_child(settings: Settings, question: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """The answer of `worker.connection_child`. Raises ChildFailed: it died, or took more than `limit` seconds."""
    orders = {
        **question,
        "conf": airflow_conf(settings),
        "paths": [str(settings.dags), str(settings.plugins_folder)],
        "socket": str(settings.socket),
    }
    answer = await ask_child("asyncflow.worker.connection_child", msgspec.json.encode(orders), limit)
    return msgspec.json.decode(answer, type=dict[str, Any])


async def ask_child(module: str, question: bytes, limit: float) -> bytes:
    """The line that a module, run with `question` on its stdin, answers. Raises ChildFailed."""
    process = await anyio.open_process(
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        with anyio.fail_after(limit):
            return await _exchange(process, question)
    except TimeoutError:
        raise ChildFailed("There was no answer within {limit} seconds.", limit=f"{limit:g}") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it has started, too; its pid is ours until it is waited for
        with anyio.CancelScope(shield=True):
            await process.wait()
            await process.aclose()


async def _exchange(process: anyio.abc.Process, orders: bytes) -> bytes:
    assert process.stdin is not None
    words = bytearray()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_listen, process.stderr, words)
        with suppress(anyio.BrokenResourceError):  # it died at once: its last words say why
            await process.stdin.send(orders)
            await process.stdin.aclose()
        line = await _line(process.stdout)
        if not line:
            with anyio.move_on_after(5.0):
                await process.wait()
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    if not line:
        raise ChildFailed(_last_sentence(words.decode(errors="replace"), process.returncode))
    return line


async def _listen(stream: anyio.abc.ByteReceiveStream | None, words: bytearray) -> None:
    """Keep the end of what is said."""
    assert stream is not None
    async for chunk in stream:
        words += chunk
        del words[:-_LAST_WORDS]


async def _line(stream: anyio.abc.ByteReceiveStream | None) -> bytes:
    """The first line; empty if the stream ends before one."""
    assert stream is not None
    found = bytearray()
    async for chunk in stream:
        found += chunk
        if b"\n" in chunk or len(found) > _LONGEST:
            break
    line, end, _ = bytes(found).partition(b"\n")
    return line if end else b""


def _last_sentence(words: str, status: int | None) -> str:
    said = next((line.strip() for line in reversed(words.splitlines()) if line.strip()), "")
    if status is not None and status < 0:
        return f"Its process was killed by signal {-status}."
    return f"Its process ended with exit code {status}: {said or 'it said nothing'}."
