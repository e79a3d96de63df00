"""How DAG hosts come to life: forked from the zygote, or each a fresh interpreter (`start_mode = "spawn"`)."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from asyncflow.ipc import procfs, stderr

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

    def __init__(self, socket: Path, stderr_dir: Path, on_exited: OnExited) -> None:
        self._socket = socket
        self._stderr_dir = stderr_dir
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
            with _stderr(str(self._stderr_dir), "zygote") as stderr_file:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",  # a module in the working directory must not stand in for ours
                    "-m",
                    "asyncflow.worker.zygote",
                    "--socket",
                    str(self._socket),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr_file,
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

    @property
    def pid(self) -> int:
        """0 while none runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

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
    """Each host is an interpreter of its own: slower, but no host is ever forked from a warm process."""

    def __init__(self, on_exited: OnExited) -> None:
        self._on_exited = on_exited
        self._hosts: dict[str, tuple[ProcessId, int]] = {}  #: host_id -> process, pidfd

    async def run(self) -> None:
        await anyio.sleep_forever()

    def launch(self, config: HostConfig) -> None:
        with tempfile.TemporaryFile() as orders:
            orders.write(msgspec.msgpack.encode(config))
            orders.seek(0)
            with _stderr(config.stderr_dir, stderr.host_name(config.file, config.mode)) as stderr_file:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "asyncflow.worker.host"],
                    stdin=orders,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr_file,
                    start_new_session=True,
                )
        process.returncode = 0  # reaped below: Popen must neither wait nor warn
        descriptor = os.pidfd_open(process.pid)
        self._hosts[config.host_id] = (procfs.identity(process.pid), descriptor)
        asyncio.get_running_loop().add_reader(descriptor, self._exited, config.host_id)

    def kill(self, host_id: str) -> None:
        if host_id in self._hosts:
            _kill_group(self._hosts[host_id][0])

    async def stop(self) -> None:
        """Stop watching; hosts live by themselves."""
        for _, descriptor in self._hosts.values():
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
        self._hosts.clear()

    def _exited(self, host_id: str) -> None:
        process, descriptor = self._hosts.pop(host_id)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(process.pid, 0)
        self._on_exited(host_id, os.waitstatus_to_exitcode(status))


@contextmanager
def _stderr(folder: str, source: str) -> Iterator[int | None]:
    """A descriptor for stderr of a new process; None, our own, when there can be no file."""
    try:
        descriptor = stderr.open_file(folder, source)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _kill_group(process: ProcessId) -> None:
    if procfs.is_alive(process):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
