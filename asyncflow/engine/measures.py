"""What the kernel tells of the server's processes and files. All of it is asked for in threads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from asyncflow.core.models import TaskKey
from asyncflow.executors.host import HostFacts
from asyncflow.ipc import procfs

#: processes whose own share of memory is asked for, which is dear
_MEASURED = 20


class Process(NamedTuple):
    """One process of the server's, or a host with the processes of its tries."""

    kind: str  #: server, zygote, host
    file: str
    mode: str
    pid: int
    rss: int  #: bytes in RAM
    own: int  #: its share of them, 0 where the kernel does not tell
    tasks: Sequence[TaskKey]  #: what it runs
    task_rss: int  #: bytes in RAM of the processes that run them


def processes(zygote: int, rows: Sequence[tuple[HostFacts, list[TaskKey]]]) -> list[Process]:
    """The server, the zygote, the hosts: those with most to do first."""
    found = [_process("server", os.getpid())]
    if zygote:
        found.append(_process("zygote", zygote))
    for host, keys in sorted(rows, key=lambda row: -len(row[1])):
        rss = procfs.memory(host.pid) if host.pid else 0
        own = procfs.own_memory(host.pid) if host.pid and len(found) < _MEASURED else 0
        of_tasks = sum(map(procfs.memory, host.pids))
        found.append(Process("host", host.file, host.mode, host.pid, rss, own, keys, of_tasks))
    return found


def _process(kind: str, pid: int) -> Process:
    return Process(kind, "", "", pid, procfs.memory(pid), procfs.own_memory(pid), (), 0)


class Sizes(NamedTuple):
    """What the files of the server take."""

    database: int  #: bytes
    wal: int
    folder: bool  #: the DAG folder is there


def sizes(database: Path, folder: Path) -> Sizes:
    """0 for what cannot be told."""
    wal = database.with_name(database.name + "-wal")
    return Sizes(_size(database), _size(wal), folder.is_dir())


def disk(home: Path) -> tuple[int, int]:
    """Bytes in all and free, on the disk that the home directory is on; 0 if that cannot be told."""
    try:
        found = shutil.disk_usage(home)
    except OSError:
        return 0, 0
    return found.total, found.free


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
