from __future__ import annotations

import os
import subprocess
import sys

from asyncflow.core.messages import ProcessId
from asyncflow.ipc import procfs


def test_this_process_is_alive_under_its_identity() -> None:
    me = procfs.identity(os.getpid())
    assert me.started > 0
    assert procfs.is_alive(me)


def test_a_later_process_with_the_same_pid_is_another_one() -> None:
    me = procfs.identity(os.getpid())
    assert not procfs.is_alive(ProcessId(me.pid, me.started - 1))


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = procfs.identity(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not procfs.is_alive(process)
    child.wait()
    assert not procfs.is_alive(process)


def test_descendants_are_found_over_generations_and_sessions() -> None:
    script = (
        "import subprocess\np = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "print(p.pid, flush=True)\np.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        assert {p.pid for p in procfs.descendants(os.getpid())} >= {child.pid, grandchild}
        assert [p.pid for p in procfs.group_members(grandchild)] == [grandchild]
        os.kill(grandchild, 9)


def test_open_files_and_address_space_are_told() -> None:
    read, write = os.pipe()
    assert procfs.open_files()[read].startswith("pipe:")
    os.close(read)
    os.close(write)
    assert procfs.address_space() > 1 << 20
    assert procfs.thread_count() >= 1
    assert procfs.oom_kills() >= 0


def test_memory_of_a_process_and_its_own_share() -> None:
    rss, own = procfs.memory(os.getpid()), procfs.own_memory(os.getpid())
    assert 1_000_000 < own <= rss * 1.1
    assert (procfs.memory(2**22 + 1), procfs.own_memory(2**22 + 1)) == (0, 0)
