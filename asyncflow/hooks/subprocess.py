"""SubprocessHook: runs a command, its output line by line into the log of the task."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger("airflow.task.hooks.airflow.hooks.subprocess.SubprocessHook")


class SubprocessResult(NamedTuple):
    """How a command ended: `output` is its last line."""

    exit_code: int
    output: str


class SubprocessHook:
    """Runs one command at a time. The command stays in the process group of the task, so that a kill reaches it."""

    def __init__(self) -> None:
        self.sub_process: subprocess.Popen[bytes] | None = None

    def run_command(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        output_encoding: str = "utf-8",
        cwd: str | None = None,
    ) -> SubprocessResult:
        """Run to the end. Without `cwd` in a temporary folder, with `env` None in the environment of the task."""
        with working_directory(cwd) as folder:
            log.info("Running command: %s", list(command))
            self.sub_process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=None if env is None else dict(env),
            )
            log.info("Output:")
            line = ""
            assert self.sub_process.stdout is not None
            with self.sub_process.stdout as output:
                for raw in output:
                    line = raw.decode(output_encoding, errors="backslashreplace").rstrip()
                    log.info("%s", line)
            exit_code = self.sub_process.wait()
            log.info("Command exited with return code %s", exit_code)
            return SubprocessResult(exit_code, line)

    def send_sigterm(self) -> None:
        """Ask the command and everything it started to end."""
        process = self.sub_process
        if process is None or process.poll() is not None:
            return
        log.info("Sending SIGTERM to the command and its children")
        for pid in [*descendants(process.pid), process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


@contextlib.contextmanager
def working_directory(cwd: str | None = None) -> Iterator[str]:
    """The folder given, or a temporary one that is removed afterwards."""
    if cwd is not None:
        yield cwd
        return
    with tempfile.TemporaryDirectory(prefix="asyncflow-task-") as folder:
        yield folder


def descendants(pid: int) -> list[int]:
    """Processes below one, children before grandchildren; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # field 2 is the name in parentheses and may hold anything, so count from behind it
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found: list[int] = []
    waiting = list(children.get(pid, ()))
    while waiting:
        child = waiting.pop(0)
        found.append(child)
        waiting += children.get(child, ())
    return found
