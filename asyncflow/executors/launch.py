"""How DAG hosts come to life: forked from the zygote, or each a fresh interpreter (`start_mode = "spawn"`)."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import anyio
import msgspec

from asyncflow.core.messages import (
    ForkHost,
    HostConfig,
    HostExited,
    HostForked,
    KillHost,
    Message,
    ProcessId,
)
from asyncflow.executors.connections import Connection
from asyncflow.ipc import procfs

log = logging.getLogger(__name__)

#: called with host_id and exit status (negative: killed by that signal; None: nobody saw it)
OnExited = Callable[[str, int | None], None]

_RESTART_DELAY, _LONGEST_RESTART_DELAY = 0.1, 10.0


class Launcher(Protocol):
    """Starts and ends hosts; `run` must be running."""

    async def run(self) -> None: ...

    def launch(self, config: HostConfig) -> None:
        """Start a host; it connects by itself."""
        ...

    def kill(self, host_id: str) -> None:
        """SIGKILL to a host and what its import started."""
        ...

    async def stop(self) -> None:
        """Start nothing any more; let hosts live."""
        ...


class ZygoteLauncher:
    """Keeps one zygote alive and has it fork."""

    def __init__(self, socket: Path, on_exited: OnExited) -> None:
        self._socket = socket
        self._on_exited = on_exited
        self._connection: Connection | None = None
        self._waiting: dict[str, HostConfig] = {}  #: asked for, not yet forked
        self._hosts: dict[str, ProcessId] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._stopped = False

    async def run(self) -> None:
        """Start the zygote, and start it again whenever it ends."""
        delay = _RESTART_DELAY
        while not self._closed():
            begun = anyio.current_time()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a module in the working directory must not stand in for ours
                "-m",
                "asyncflow.worker.zygote",
                "--socket",
                str(self._socket),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is for the server alone
            )
            try:
                if self._closed():
                    return  # `stop` came while it was starting, and has ended the one before
                status = await self._process.wait()
            finally:
                self._connection = None  # its hosts live on; nobody will tell how they end
                await self._end()
            if self._closed():
                return
            log.error("The zygote ended with status %s; starting another one", status)
            delay = _RESTART_DELAY if anyio.current_time() - begun > 5 else min(2 * delay, _LONGEST_RESTART_DELAY)
            await anyio.sleep(delay)

    def attach(self, connection: Connection) -> None:
        """The zygote has connected."""
        self._connection = connection
        for config in self._waiting.values():
            connection.send(ForkHost(config=config))

    def hear(self, message: Message) -> None:
        """The zygote said something."""
        match message:
            case HostForked(host_id=host_id, process=process):
                self._waiting.pop(host_id, None)
                self._hosts[host_id] = process
            case HostExited(host_id=host_id, status=status):
                self._hosts.pop(host_id, None)
                self._on_exited(host_id, status)
            case _:
                pass

    def launch(self, config: HostConfig) -> None:
        self._waiting[config.host_id] = config
        if self._connection is not None:
            self._connection.send(ForkHost(config=config))

    def kill(self, host_id: str) -> None:
        if self._connection is not None:
            self._connection.send(KillHost(host_id=host_id))  # the parent cannot mistake the pid
        elif host_id in self._hosts:
            _kill_group(self._hosts[host_id])

    async def stop(self) -> None:
        self._stopped = True
        await self._end()

    async def _end(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()  # it has nothing to lose
            with anyio.CancelScope(shield=True):
                await process.wait()

    def _closed(self) -> bool:
        return self._stopped


class SpawnLauncher:
    """Each host is an interpreter of its own: slower, but nothing is ever forked."""

    def __init__(self, on_exited: OnExited) -> None:
        self._on_exited = on_exited
        self._orders: asyncio.Queue[HostConfig] = asyncio.Queue()
        self._hosts: dict[str, ProcessId] = {}

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                tasks.start_soon(self._host, await self._orders.get())

    async def _host(self, config: HostConfig) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "asyncflow.worker.host",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._hosts[config.host_id] = procfs.identity(process.pid)
        assert process.stdin is not None
        process.stdin.write(msgspec.msgpack.encode(config))
        process.stdin.close()
        status = await process.wait()
        del self._hosts[config.host_id]
        self._on_exited(config.host_id, status)

    def launch(self, config: HostConfig) -> None:
        self._orders.put_nowait(config)

    def kill(self, host_id: str) -> None:
        if host_id in self._hosts:
            _kill_group(self._hosts[host_id])

    async def stop(self) -> None:
        """Nothing to end: hosts live by themselves."""


def _kill_group(process: ProcessId) -> None:
    if procfs.is_alive(process):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
