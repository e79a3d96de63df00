"""The DAG host: holds one DAG file at one version and forks a task process for each try.

Blocking code around one `select`; single-threaded, so forking is safe. Survives the server: while there is none it
keeps its children, spools their results, and tries to reconnect; it ends when it has nothing running and no server.

    import  import the file, answer Parsed; if that is repeatable, serve jobs by forking from the imported state
    parse   import, answer Parsed, end
    bare    import nothing; every child imports the file afresh
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn

import msgspec

from asyncflow import __version__
from asyncflow.core.messages import (
    Ack,
    AskTimetable,
    CallbackDone,
    FrameReader,
    Hello,
    HostConfig,
    KillTry,
    Message,
    ProcessId,
    RunCallback,
    StartTry,
    StopHost,
    TimetableAnswer,
    TryFinished,
    TryStarted,
)
from asyncflow.ipc import procfs, spool, stderr
from asyncflow.worker import child, importer
from asyncflow.worker.child import Job, Orders
from asyncflow.worker.client import Client
from asyncflow.worker.importer import Loaded
from asyncflow.worker.wire import Wire

_FIRST_RETRY, _LAST_RETRY = 0.05, 1.0
_LEFTOVER_GRACE = 5.0


@dataclass
class _Child:
    """A child process at work."""

    job: Job
    process: ProcessId
    pidfd: int
    pipe: int  #: its outcome comes through here
    oom_before: int
    reader: FrameReader = field(default_factory=FrameReader)
    outcome: Message | None = None
    killed: bool = False  #: at the server's wish


@dataclass(order=True)
class _Timer:
    due: float
    action: Callable[[], None] = field(compare=False)


class Host:
    """See the module."""

    def __init__(self, config: HostConfig, loaded: Loaded | None, wire: Wire) -> None:
        self._config = config
        self._loaded = loaded
        self._wire: Wire | None = wire
        self._children: dict[int, _Child] = {}  #: by pid
        self._unacked: dict[str, TryFinished] = {}
        self._timers: list[_Timer] = []
        self._stopping = False
        self._oom_looked, self._oom_count = 0.0, 0
        self._retry = _FIRST_RETRY
        self._selector = selectors.DefaultSelector()
        self._selector.register(wire, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until there is nothing left to do."""
        while not self._is_done():
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._wire:
                    self._hear()
                elif (running := self._children.get(key.data[1])) is None:
                    continue  # ended in this very round
                elif key.data[0] == "pipe":
                    self._drain(running)
                else:
                    self._ended(running)
            self._fire_timers()

    def _is_done(self) -> bool:
        if self._children or self._timers_pending():
            return False
        return self._wire is None or (self._stopping and not self._unacked)

    def _timers_pending(self) -> bool:
        return any(timer.action != self._reconnect for timer in self._timers)

    # ---- the server -------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        assert self._wire is not None
        try:
            for message in self._wire.receive_ready():
                self._act(message)
        except OSError:
            self._server_gone()

    def _act(self, message: Message) -> None:
        match message:
            case StartTry() | RunCallback() | AskTimetable():
                self._start(message)
            case KillTry(token=token, grace=grace):
                self._kill(token, grace)
            case Ack(token=token):
                if self._unacked.pop(token, None) is not None:
                    spool.remove(self._config.spool_dir, token)
            case StopHost():
                self._stopping = True
            case _:
                pass

    def _say(self, message: Message) -> None:
        if self._wire is None:
            return
        try:
            self._wire.send(message)
        except OSError:
            self._server_gone()

    def _server_gone(self) -> None:
        if self._wire is None:
            return
        self._selector.unregister(self._wire)
        self._wire.close()
        self._wire = None
        for message in self._unacked.values():
            self._spool(message)
        self._at(self._retry, self._reconnect)

    def _reconnect(self) -> None:
        try:
            wire = Wire.connect(self._config.socket)
        except OSError:
            stderr.keep_small()
            self._retry = min(2 * self._retry, _LAST_RETRY)
            self._at(self._retry, self._reconnect)
            return
        self._retry = _FIRST_RETRY
        self._wire = wire
        self._selector.register(wire, selectors.EVENT_READ)
        tries = {c.job.info.token: c.process for c in self._children.values() if isinstance(c.job, StartTry)}
        self._say(hello(self._config, tries))
        for message in list(self._unacked.values()):
            self._say(message)

    def _spool(self, message: TryFinished) -> None:
        try:
            spool.write(self._config.spool_dir, message)
        except OSError as error:
            complain(f"the result of try {message.token} could not be spooled: {error}")

    # ---- jobs -------------------------------------------------------------------------------------------------------

    def _start(self, job: Job) -> None:
        read, write = os.pipe()
        try:
            pid = self._spawn(job, write) if self._config.spawn else self._fork(job, read, write)
        except OSError as error:
            os.close(read)
            self._could_not_start(job, error)
            return
        finally:
            os.close(write)
        os.set_blocking(read, False)
        running = _Child(job, procfs.identity(pid), os.pidfd_open(pid), read, self._oom_kills())
        self._children[pid] = running
        self._selector.register(running.pidfd, selectors.EVENT_READ, ("exit", pid))
        self._selector.register(running.pipe, selectors.EVENT_READ, ("pipe", pid))
        if isinstance(job, StartTry):
            self._say(TryStarted(token=job.info.token, process=running.process, at=datetime.now(UTC)))

    def _oom_kills(self) -> int:
        """The kernel's count, at most a second old: counting is dear for it."""
        now = time.monotonic()
        if now - self._oom_looked > 1.0:
            self._oom_looked, self._oom_count = now, procfs.oom_kills()
        return self._oom_count

    def _fork(self, job: Job, read: int, write: int) -> int:
        pid = os.fork()
        if pid:
            return pid
        os.close(read)
        for running in self._children.values():
            # An inherited read end would keep a sibling's pipe alive after the host's death: its result would be lost.
            os.close(running.pipe)
            os.close(running.pidfd)
        self._selector.close()
        if self._wire is not None:
            self._wire.close()
        child.run_forked(job, self._config, self._loaded, write)

    def _spawn(self, job: Job, write: int) -> int:
        with tempfile.TemporaryFile() as orders:
            orders.write(msgspec.msgpack.encode(Orders(config=self._config, job=job)))
            orders.seek(0)
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _SPAWNED, str(write)],
                stdin=orders,
                stdout=subprocess.DEVNULL,
                pass_fds=(write,),
                start_new_session=True,
            )
        process.returncode = 0  # the host reaps by itself: Popen must not
        return process.pid

    def _could_not_start(self, job: Job, error: OSError) -> None:
        reason = f"The task's process could not be started: {error.strerror or error}."
        match job:
            case StartTry(info=info):
                self._finished(TryFinished(token=info.token, start_error=reason, ended_at=datetime.now(UTC)))
            case RunCallback(callback_id=callback_id):
                self._say(CallbackDone(callback_id=callback_id, error=reason, ran=False))
            case AskTimetable(request_id=request_id):
                self._say(TimetableAnswer(request_id=request_id, error=reason))

    def _kill(self, token: str, grace: float) -> None:
        for running in self._children.values():
            if isinstance(running.job, StartTry) and running.job.info.token == token and not running.killed:
                running.killed = True
                family = procfs.descendants(running.process.pid)
                _signal_group(running.process.pid, signal.SIGTERM)
                self._at(grace, partial(self._kill_hard, running, family))

    def _kill_hard(self, running: _Child, family: list[ProcessId]) -> None:
        """End what is left of a try: its process, its group, and descendants that moved to groups of their own."""
        if running.process.pid in self._children:
            family = [*family, *procfs.descendants(running.process.pid)]
            _signal_group(running.process.pid, signal.SIGKILL)
        end_processes(family)

    def _drain(self, running: _Child) -> None:
        """Take what the child has written so far."""
        while True:
            try:
                data = os.read(running.pipe, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                break
            with suppress(ValueError):  # user code wrote into the pipe: what is no message counts as none
                for message in running.reader.feed(data):
                    running.outcome = message
        with suppress(KeyError):
            self._selector.unregister(running.pipe)

    def _ended(self, running: _Child) -> None:
        pid = running.process.pid
        _, status, usage = os.wait4(pid, 0)
        self._drain(running)
        with suppress(KeyError):
            self._selector.unregister(running.pipe)
        self._selector.unregister(running.pidfd)
        os.close(running.pipe)
        os.close(running.pidfd)
        del self._children[pid]
        self._end_leftovers(pid)
        code = os.waitstatus_to_exitcode(status)
        if isinstance(running.job, StartTry):
            told = running.outcome
            message = TryFinished(
                token=running.job.info.token,
                result=told.result if isinstance(told, TryFinished) else None,
                exit_code=code if code >= 0 else None,
                signal=-code if code < 0 else None,
                oom_killed=code == -signal.SIGKILL and not running.killed and procfs.oom_kills() > running.oom_before,
                cpu_seconds=usage.ru_utime + usage.ru_stime,
                peak_rss_kb=usage.ru_maxrss,
                ended_at=told.ended_at if isinstance(told, TryFinished) else datetime.now(UTC),
            )
            if message.result is None:
                note_in_log(running.job.info.log_path, message.ended_at, message.how_it_died())
            self._finished(message)
        else:
            self._say(running.outcome or _silent_end(running.job, code))

    def _finished(self, message: TryFinished) -> None:
        self._unacked[message.token] = message
        if self._wire is None:
            self._spool(message)
        else:
            self._say(message)

    def _end_leftovers(self, group: int) -> None:
        """What a try left running in its group gets SIGTERM now and SIGKILL later."""
        try:
            os.killpg(group, signal.SIGTERM)
        except ProcessLookupError:
            return  # the usual case
        members = procfs.group_members(group)
        self._at(_LEFTOVER_GRACE, lambda: end_processes(members))

    # ---- timers -----------------------------------------------------------------------------------------------------

    def _at(self, delay: float, action: Callable[[], None]) -> None:
        self._timers.append(_Timer(time.monotonic() + delay, action))

    def _patience(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, min(self._timers).due - time.monotonic())

    def _fire_timers(self) -> None:
        now = time.monotonic()
        due = [timer for timer in self._timers if timer.due <= now]
        if due:
            self._timers = [timer for timer in self._timers if timer.due > now]
            for timer in sorted(due):
                timer.action()


#: moves the pipe to descriptor 3, where `child.main` writes
_SPAWNED = (
    "import os, sys; fd = int(sys.argv.pop()); os.dup2(fd, 3); fd == 3 or os.close(fd); "
    "from asyncflow.worker.child import main; sys.exit(main())"
)


def _signal_group(child: int, number: signal.Signals) -> None:
    """To the group of a child that is not reaped yet; to it alone while it has not made its group."""
    with suppress(ProcessLookupError):
        try:
            os.killpg(child, number)
        except ProcessLookupError:
            os.kill(child, number)


def end_processes(processes: list[ProcessId]) -> None:
    """SIGKILL to those of the processes that are still the ones meant."""
    for process in processes:
        if procfs.is_alive(process):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)


def note_in_log(path: str, at: datetime, text: str) -> None:
    """A last line for the log of a try that could not write it itself."""
    with suppress(OSError), open(path, "a", encoding="utf-8") as log:
        log.write(f"[{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000] {{host.py}} ERROR - {text}\n")


def hello(config: HostConfig, tries: dict[str, ProcessId] | None = None) -> Hello:
    """How a host introduces itself, at first and after a reconnect."""
    return Hello(
        role="host",
        process=procfs.identity(os.getpid()),
        version=__version__,
        id=config.host_id,
        file=config.file,
        content_hash=config.content_hash,
        tries=tries or {},
    )


def complain(text: str) -> None:
    """A word to the server's stderr, the only place left."""
    with suppress(OSError):
        os.write(2, f"asyncflow host {os.getpid()}: {text}\n".encode())


def run(config: HostConfig) -> None:
    """A host's life from the connection on. Raises OSError when there is no server to begin with."""
    wire = Wire.connect(config.socket)
    wire.send(hello(config))
    if config.mode == "loop":
        from asyncflow.worker import triggerer  # and asyncio with it, which the others do without

        triggerer.run(config, wire, partial(hello, config))
        return
    importer.prepare(config)
    loaded = None
    if config.mode != "bare":
        me = os.getpid()
        client = Client(config.socket, role="host", file=config.file)
        loaded, parsed = importer.parse(config, client)
        client.close()
        if os.getpid() != me:
            return  # a fork that the file itself made at import: the host is its parent
        wire.send(parsed)
        if config.mode == "parse" or parsed.error is not None or parsed.unrepeatable:
            return
        assert loaded is not None
        loaded.get_ready()
        gc.collect()
        gc.freeze()
    Host(config, loaded, wire).serve()


def run_forked(config: HostConfig) -> NoReturn:
    """What a fork of the zygote becomes. Never returns into the zygote's code."""
    code = 1
    try:
        os.setsid()
        stderr.take_over(config.stderr_dir, stderr.host_name(config.file, config.mode))
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("250")
        run(config)
        code = 0
    except OSError as error:
        complain(f"{config.file}: {error}")
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> int:
    """A host in a fresh interpreter (spawn mode): its HostConfig as msgpack on stdin."""
    config = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=HostConfig)
    try:
        run(config)
    except OSError as error:
        complain(f"{config.file}: {error}")
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)  # threads that the file started must not hold the process


def _silent_end(job: RunCallback | AskTimetable, code: int) -> Message:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    if isinstance(job, RunCallback):
        return CallbackDone(callback_id=job.callback_id, error=f"The callback's process {how}.", ran=False)
    return TimetableAnswer(request_id=job.request_id, error=f"The timetable's process {how}.")


if __name__ == "__main__":
    sys.exit(main())
