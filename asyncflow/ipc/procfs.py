"""What the kernel tells of processes: identity, family, open files, threads.

Where there is no /proc (macOS) identities have start time 0, and the questions answer "nothing found".
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from asyncflow.core.messages import ProcessId


def identity(pid: int) -> ProcessId:
    """Names the process that has `pid` now; start time 0 when it is gone or cannot be told."""
    fields = _stat(pid)
    return ProcessId(pid, int(fields[19]) if fields else 0)


def is_alive(process: ProcessId) -> bool:
    """Whether this very process still runs; a zombie does not, a later process with its pid does not count."""
    fields = _stat(process.pid)
    if fields is None:
        return not process.started and _exists(process.pid)
    return fields[0] != "Z" and (not process.started or int(fields[19]) == process.started)


def group_members(group: int) -> list[ProcessId]:
    """The living processes of a process group. Reads all of /proc."""
    return [ProcessId(pid, int(f[19])) for pid, f in _all() if int(f[2]) == group and f[0] != "Z"]


def descendants(pid: int) -> list[ProcessId]:
    """Children, their children, ... of a process, whatever session or group they moved to. Reads all of /proc."""
    children: dict[int, list[ProcessId]] = {}
    for child, fields in _all():
        children.setdefault(int(fields[1]), []).append(ProcessId(child, int(fields[19])))
    found: list[ProcessId] = []
    open_ends = [pid]
    while open_ends:
        for process in children.get(open_ends.pop(), ()):
            found.append(process)
            open_ends.append(process.pid)
    return found


def thread_count() -> int:
    """Kernel threads of this process, those of C libraries included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def open_files() -> dict[int, str]:
    """What each descriptor of this process points to: a path, "socket:[...]", "pipe:[...]", "anon_inode:..."."""
    found = {}
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return {}
    for name in names:
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the descriptor of the listing itself
            continue
    return found


def address_space() -> int:
    """Bytes of address space this process has mapped; 0 when it cannot be told."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def memory(pid: int) -> int:
    """Bytes that a process has in RAM, pages that it shares with others included; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def own_memory(pid: int) -> int:
    """A process's share of the memory it has, about what would be free without it; 0 where the kernel does not tell.

    The kernel walks through all its pages for it: that takes milliseconds.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(b"Pss:"))
    except (OSError, StopIteration):
        return 0


def oom_kills() -> int:
    """How many processes the kernel has killed for lack of memory since boot."""
    try:
        with open("/proc/vmstat", "rb") as file:
            for line in file:
                if line.startswith(b"oom_kill "):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def _all() -> Iterator[tuple[int, list[str]]]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if name.isdigit() and (fields := _stat(int(name))):
            yield int(name), fields


def _stat(pid: int) -> list[str] | None:
    """/proc/<pid>/stat from field 3 on (state, ppid, pgrp, session, ...): the name before may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].decode("ascii").split()
    except (OSError, UnicodeDecodeError):
        return None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
