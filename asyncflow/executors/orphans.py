"""Task processes whose DAG host died: followed by the server itself until they end.

The kernel tells when (a pidfd becomes readable), the spool says with which result; how they ended nobody can know.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from asyncflow.core.messages import ProcessId
from asyncflow.ipc import procfs


class Orphans:
    """Calls `on_end` with the token when an orphan has ended."""

    def __init__(self, on_end: Callable[[str], None]) -> None:
        self._on_end = on_end
        self._watched: dict[str, tuple[ProcessId, int]] = {}  #: token -> process, pidfd

    def __contains__(self, token: str) -> bool:
        return token in self._watched

    def tokens(self) -> list[str]:
        return list(self._watched)

    def watch(self, token: str, process: ProcessId) -> None:
        """Follow a process; `on_end` comes at once (in the next loop turn) if it has ended already."""
        loop = asyncio.get_running_loop()
        try:
            descriptor = os.pidfd_open(process.pid)
        except (OSError, AttributeError):
            loop.call_soon(self._on_end, token)
            return
        if not procfs.is_alive(process):
            os.close(descriptor)
            loop.call_soon(self._on_end, token)
            return
        self._watched[token] = (process, descriptor)
        loop.add_reader(descriptor, self._ended, token)

    def kill(self, token: str, grace: float) -> None:
        """SIGTERM to the group now, SIGKILL to it and all its descendants after `grace` seconds."""
        process, _ = self._watched[token]
        family = procfs.descendants(process.pid)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        asyncio.get_running_loop().call_later(grace, _kill_hard, process, family)

    def close(self) -> None:
        """Stop watching; the processes go on."""
        for _, descriptor in self._watched.values():
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
        self._watched.clear()

    def _ended(self, token: str) -> None:
        _, descriptor = self._watched.pop(token)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        self._on_end(token)


def _kill_hard(process: ProcessId, family: list[ProcessId]) -> None:
    if procfs.is_alive(process):
        family = [*family, *procfs.descendants(process.pid)]
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for member in family:
        if procfs.is_alive(member):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(member.pid, signal.SIGKILL)
