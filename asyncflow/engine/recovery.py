"""After a start: what became of the tries that an earlier server left behind.

In this order: results that hosts spooled to disk are applied; hosts that live reconnect and are adopted; what is
neither after a grace time is lost, its processes are ended, and the retry rules decide.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import anyio

from asyncflow.core.messages import TryFinished
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.states import TaskState
from asyncflow.engine.launcher import Launcher

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A try that was queued or running when the earlier server ended."""

    token: str
    pid: int | None
    pid_started: int | None


def left_behind(runs: Iterable[tuple[DagRun, list[TaskInstance]]]) -> list[LeftBehind]:
    """The tries that may still have a process."""
    return [
        LeftBehind(ti.token, ti.pid, ti.pid_started)
        for _, tis in runs
        for ti in tis
        if ti.state in (TaskState.QUEUED, TaskState.RUNNING) and ti.token is not None
    ]


async def recover(
    tries: Sequence[LeftBehind],
    spooled: Iterable[TryFinished],
    *,
    launcher: Launcher,
    grace: float,
    is_alive: Callable[[int, int], bool],
) -> None:
    """Settle every try of `tries`; returns when each is finished, adopted or (after `grace` seconds) lost."""
    for message in spooled:
        launcher.finished(message)
    for row in tries:
        if launcher.is_awaited(row.token) and not _may_come_back(row, is_alive):
            _give_up(row, launcher, is_alive)
    with anyio.move_on_after(grace):
        await launcher.all_back()
    for row in tries:
        if launcher.is_awaited(row.token):
            _give_up(row, launcher, is_alive)


def _give_up(row: LeftBehind, launcher: Launcher, is_alive: Callable[[int, int], bool]) -> None:
    _end_orphan(row, is_alive)
    launcher.lost(row.token, "The server was restarted and no process of this try could be found.")


def _may_come_back(row: LeftBehind, is_alive: Callable[[int, int], bool]) -> bool:
    """A try that was never seen running may be in any host; one whose process is gone is in none."""
    return row.pid is None or is_alive(row.pid, row.pid_started or 0)


def _end_orphan(row: LeftBehind, is_alive: Callable[[int, int], bool]) -> None:
    """A task whose host died with the earlier server: nobody would ever hear of its end."""
    if row.pid is None or not is_alive(row.pid, row.pid_started or 0):
        return
    log.warning("Ending process group %s, whose host is gone", row.pid)
    try:
        os.killpg(row.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError) as error:
        log.warning("Process group %s could not be ended: %s", row.pid, error)
