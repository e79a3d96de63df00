from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asyncflow.errors import HomeLocked
from asyncflow.store.lock import HomeLock, owner

HOLD = "import sys; from pathlib import Path; from asyncflow.store.lock import HomeLock\n"
HOLD += "lock = HomeLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "run" / "server.lock"


def test_the_second_server_is_told_who_owns_the_home(path: Path) -> None:
    with HomeLock(path):
        with pytest.raises(HomeLocked, match=rf"\(pid {os.getpid()}\) owns {path.parent.parent}\. Stop it"):
            HomeLock(path)
        assert owner(path) == os.getpid()
    assert owner(path) is None


def test_a_home_that_was_let_go_can_be_taken_again(path: Path) -> None:
    assert owner(path) is None
    lock = HomeLock(path)
    lock.release()
    lock.release()
    with HomeLock(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_file_without_a_pid_has_an_unknown_owner(path: Path) -> None:
    with HomeLock(path):
        path.write_text("")
        assert owner(path) == 0
        with pytest.raises(HomeLocked, match="pid unknown"):
            HomeLock(path)


def test_the_lock_of_a_killed_server_is_free(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert owner(path) == holder.pid
        holder.kill()
        holder.wait(5)
    assert owner(path) is None
    HomeLock(path).release()
