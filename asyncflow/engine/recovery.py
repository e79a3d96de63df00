"""After a start: what became of the tries that an earlier server left behind.

Hosts that live reconnect and are adopted; results that were spooled to disk are applied. What is neither after a grace
time is followed while its process lives (its host is gone, but it spools its own result), else it is lost, and the
retry rules decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import anyio
import anyio.to_thread

from asyncflow.core.messages import ProcessId, TryFinished
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.states import TaskState
from asyncflow.engine.launcher import Launcher

#: Seconds between two looks into the spool: a host that ends before it has reconnected leaves its results there.
LOOK = 0.1


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A try that was queued or running when the earlier server ended."""

    token: str
    process: ProcessId | None


class Remains(Protocol):
    """What recovery needs of the executor."""

    def read_spool(self) -> list[TryFinished]: ...

    def watch_orphan(self, token: str, process: ProcessId) -> None: ...

    def is_alive(self, pid: int, started: int) -> bool: ...


def left_behind(runs: Iterable[tuple[DagRun, list[TaskInstance]]]) -> list[LeftBehind]:
    """The tries that may still have a process."""
    return [
        LeftBehind(ti.token, None if ti.pid is None else ProcessId(ti.pid, ti.pid_started or 0))
        for _, tis in runs
        for ti in tis
        if ti.state in (TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING) and ti.token is not None
    ]


async def recover(tries: Sequence[LeftBehind], *, remains: Remains, launcher: Launcher, grace: float) -> None:
    """Settle every try of `tries`; returns when each is finished, adopted, followed or (after `grace` seconds) lost."""
    await _apply_spooled(remains, launcher, lambda token: True)
    with anyio.move_on_after(grace):
        await _come_back(remains, launcher)
    for row in tries:
        if not launcher.is_awaited(row.token):
            continue
        if row.process is not None and remains.is_alive(row.process.pid, row.process.started):
            remains.watch_orphan(row.token, row.process)
        else:
            launcher.lost(row.token, "The server was restarted and no process of this try could be found.")


async def _come_back(remains: Remains, launcher: Launcher) -> None:
    """Wait until hosts or the spool have spoken of all tries."""
    while True:
        with anyio.move_on_after(LOOK):
            await launcher.all_back()
            return
        await _apply_spooled(remains, launcher, launcher.is_awaited)


async def _apply_spooled(remains: Remains, launcher: Launcher, wanted: Callable[[str], bool]) -> None:
    for message in await anyio.to_thread.run_sync(remains.read_spool):
        if wanted(message.token):
            launcher.finished(message)
