"""The warm process that DAG hosts are forked from: everything a DAG file needs is imported, no user code ever is.

`python -P -m asyncflow.worker.zygote --socket PATH`. Single-threaded. Lives as long as its connection to the server;
its hosts live on without it.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

from asyncflow import __version__
from asyncflow.core.messages import ForkHost, Hello, HostConfig, HostExited, HostForked, KillHost, Message
from asyncflow.ipc import procfs
from asyncflow.worker import host
from asyncflow.worker.warmup import warm_up
from asyncflow.worker.wire import Wire

#: what nearly every DAG file or task needs; more would make each fork dearer (its cost follows the memory in use)
PRELOADED = (
    "asyncflow.airflow.finder",
    "asyncflow.authoring.decorators",
    "asyncflow.authoring.serialize",
    "asyncflow.authoring.templates",
    "asyncflow.operators.bash",
    "asyncflow.operators.empty",
    "asyncflow.operators.python",
    "asyncflow.worker.runner",
    "croniter",
    "jinja2",
    "pendulum",
)


class Zygote:
    """Forks hosts on request and tells of their end."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._hosts: dict[int, str] = {}
        self._wakeup_read, self._wakeup_write = socket.socketpair()
        self._wakeup_read.setblocking(False)
        self._wakeup_write.setblocking(False)

    def run(self) -> None:
        """Serve until the server goes away."""
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wakeup_write.fileno(), warn_on_full_buffer=False)
        self._wire.send(Hello(role="zygote", process=procfs.identity(os.getpid()), version=__version__))
        with selectors.DefaultSelector() as selector:
            selector.register(self._wire, selectors.EVENT_READ)
            selector.register(self._wakeup_read, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wakeup_read in ready:
                    self._wakeup_read.recv(4096)
                    self._reap()
                if self._wire in ready:
                    for message in self._wire.receive_ready():
                        self._act(message)

    def _act(self, message: Message) -> None:
        match message:
            case ForkHost(config=config):
                self._fork(config)
            case KillHost(host_id=host_id):
                for pid, known in self._hosts.items():
                    if known == host_id:
                        os.kill(pid, signal.SIGKILL)  # it is our child and not reaped yet: the pid is its own
                        _kill_group(pid)
            case _:
                pass

    def _fork(self, config: HostConfig) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_host(config)
        self._hosts[pid] = config.host_id
        self._wire.send(HostForked(host_id=config.host_id, process=procfs.identity(pid)))

    def _become_host(self, config: HostConfig) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._wire.close()
        self._wakeup_read.close()
        self._wakeup_write.close()
        host.run_forked(config)

    def _reap(self) -> None:
        while self._hosts:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if (host_id := self._hosts.pop(pid, None)) is not None:
                _kill_group(pid)  # what the import has started and left behind
                code = os.waitstatus_to_exitcode(status)
                self._wire.send(HostExited(host_id=host_id, pid=pid, status=code, peak_rss_kb=usage.ru_maxrss))


def _kill_group(pid: int) -> None:
    """End a host's group: itself and what its import started. Its task processes have groups of their own."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def preload() -> None:
    """Import what children need, and take it out of the garbage collector's reach so that forks share it."""
    for name in PRELOADED:
        importlib.import_module(name)
    try:
        warm_up()
    except Exception:  # only slower without it
        traceback.print_exc()
    gc.collect()
    gc.freeze()


def main(argv: list[str] | None = None) -> int:
    """Run the zygote. Returns the exit code: 0 when the server went away."""
    parser = argparse.ArgumentParser(prog="asyncflow.worker.zygote")
    parser.add_argument("--socket", required=True)
    arguments = parser.parse_args(argv)
    faulthandler.enable()  # a crash in C says where, in its own log: tasks inherit it
    preload()
    try:
        Zygote(Wire.connect(arguments.socket)).run()
    except OSError:
        return 0  # the server is gone
    return 0


if __name__ == "__main__":
    sys.exit(main())
