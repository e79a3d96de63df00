"""The files into which processes without a log of their own print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from asyncflow.ipc import stderr

TALKER = """
import os, sys
from asyncflow.ipc import stderr
stderr.take_over(sys.argv[1], stderr.host_name("a b/ä?.py", "import"))
print("said", file=sys.stderr)
os.write(2, b"x" * int(sys.argv[2]))
stderr.keep_small()
sys.stdin.read()
"""


def talker(folder: str | Path, size: int = 0) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", TALKER, str(folder), str(size)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_process_prints_into_a_file_that_names_it_and_is_locked_while_it_lives(tmp_path: Path) -> None:
    process = talker(tmp_path)
    assert process.stderr is not None
    process.stderr.read()  # ends when the process prints elsewhere
    (path,) = tmp_path.iterdir()
    with path.open("rb+") as file:
        assert not stderr.is_free(file.fileno())
        process.communicate(b"")
        assert file.read() == b"said\n"
        assert stderr.is_free(file.fileno())
    assert stderr.source_of(path.name) == "host of a b/ä?.py"
    assert path.stat().st_mode & 0o777 == 0o600


def test_without_a_server_the_file_is_begun_anew_when_it_is_long(tmp_path: Path) -> None:
    talker(tmp_path, stderr.MOST).communicate(b"")
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0]


def test_where_there_can_be_no_file_nothing_changes(tmp_path: Path) -> None:
    for folder in ("", tmp_path / "missing"):
        _, said = talker(folder, stderr.MOST).communicate(b"")
        assert said.startswith(b"said\nxxx")
    assert list(tmp_path.iterdir()) == []


def test_long_names_are_cut(tmp_path: Path) -> None:
    os.close(stderr.open_file(str(tmp_path), stderr.host_name("ä" * 200, "loop")))
    (path,) = tmp_path.iterdir()
    assert stderr.source_of(path.name).startswith("event loop of äää")
    assert stderr.host_name("", "loop") == "triggerer"
