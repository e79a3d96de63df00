"""The pool of DAG hosts on this machine: what they are given to run, what they say, and how they end.

Owns the socket that all children and the CLI talk to, the zygote, the hosts (`fleet`) and what they run. Decides
nothing about runs or tasks: it starts what it is told to and says what became of it. Nothing here blocks the loop.
Tries for a host that is still starting wait in its `queue`.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime

import anyio
import anyio.abc
import anyio.lowlevel

from asyncflow.config import Settings
from asyncflow.core.messages import (
    PROTOCOL,
    Ack,
    AskTimetable,
    CallbackDone,
    CancelTrigger,
    Hello,
    HostConfig,
    KillTry,
    Message,
    Parsed,
    ProcessId,
    Request,
    Response,
    RunCallback,
    RunTrigger,
    StartTry,
    StopHost,
    TimetableAnswer,
    TriggerEnded,
    TryFinished,
    TryInfo,
    TryStarted,
)
from asyncflow.errors import AsyncflowError
from asyncflow.executors.base import HostAdopted, HostLost, OnMessage, OnRequest
from asyncflow.executors.connections import Connection, Listener
from asyncflow.executors.failures import how_it_ended, import_died, import_hung, not_started
from asyncflow.executors.fleet import Fleet
from asyncflow.executors.host import Host, HostFacts, Job, Mode, facts
from asyncflow.executors.launch import Launcher, SpawnLauncher, ZygoteLauncher
from asyncflow.executors.orphans import Orphans
from asyncflow.executors.questions import Questions
from asyncflow.ipc import procfs, spool

log = logging.getLogger(__name__)

#: seconds: a host to appear, the host's own time limit to work before it is killed, a lost host to come back
LAUNCH_TIMEOUT = 60.0
IMPORT_GRACE = 1.5
RECONNECT_GRACE = 2.0
LAST_WORDS = 0.5

#: seconds until the triggers of a process that died are started again, and how often
TRIGGER_DELAY, TRIGGER_DEATHS = 0.5, 3


class HostPool:
    """See the module. `run` must be running before anything is started; it is an `executors.base.Executor`."""

    def __init__(self, settings: Settings, *, on_message: OnMessage, on_request: OnRequest) -> None:
        self._settings = settings
        self._on_message = on_message
        self._on_request = on_request
        self._by_token: dict[str, Host] = {}  #: tries until acknowledged, triggers until they end
        self._deaths: Counter[str] = Counter()  #: by trigger, how often its process has died under it
        self._questions = Questions()
        self._orphans = Orphans(self._orphan_ended)
        self._zygote: ZygoteLauncher | None = None
        self._launcher: Launcher
        if settings.start_mode == "spawn":
            self._launcher = SpawnLauncher(self._host_exited)
        else:
            self._launcher = self._zygote = ZygoteLauncher(settings.socket, settings.stderr_dir, self._host_exited)
        self._fleet = Fleet(settings, self._launcher)
        self._tasks: anyio.abc.TaskGroup | None = None
        self._server: Listener | None = None
        self._closing = False
        self._end_seen = anyio.Event()  #: set when a try has ended

    # ---- life -------------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Listen and keep the zygote alive, until cancelled; children live on."""
        self._server = await Listener.open(self._settings.socket, self._hear, self._closed)
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                tasks.start_soon(self._launcher.run)
                tasks.start_soon(self._fleet.stop_unused)
                task_status.started()
                await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await self._shut()

    async def close(self, *, stop_tasks: bool = False) -> None:
        """Take leave of the children: running tries go on under their hosts, or are ended first if `stop_tasks`."""
        self._closing = True
        if stop_tasks:
            grace = self._settings.killed_task_cleanup_time
            for token in self.running_tokens():
                self.kill_try(token, "The server is stopped.", grace)
            with anyio.move_on_after(grace + 2):
                await self._all_ended()
        await self._shut()

    async def _all_ended(self) -> None:
        while self.running_tokens():
            self._end_seen = anyio.Event()
            await self._end_seen.wait()

    async def _shut(self) -> None:
        """Close the socket: hosts without work end by themselves, the others look for the next server."""
        if self._server is None:
            return
        listener, self._server = self._server, None
        self._closing = True
        await self._launcher.stop()
        self._orphans.close()
        await listener.close()

    # ---- imports ----------------------------------------------------------------------------------------------------

    async def parse(self, file: str, content_hash: str = "") -> Parsed:
        """Import a file as it is now; whatever it does is in the answer.

        Of a repeatable import the host is kept, to serve the tries of (file, `Parsed.content_hash`). The hash given is
        only a name for the time being: what the import reads, and so its hash, is known afterwards.
        """
        host = self._fleet.launch_import(file, content_hash)
        try:
            return await self._parsed(host)
        finally:
            if host.parsed is None:
                self._launcher.kill(host.config.host_id)
            elif not self._fleet.is_kept(host):
                self._fleet.drain(host)

    async def _parsed(self, host: Host) -> Parsed:
        with anyio.move_on_after(LAUNCH_TIMEOUT):
            await host.connected.wait()
        with anyio.move_on_after(self._settings.dagbag_import_timeout + IMPORT_GRACE):
            await host.answered.wait()
        if host.process is None:
            error = not_started(host.config)
        elif host.parsed is None and not host.gone:
            error = import_hung(host.config)
        elif host.parsed is None:
            error = import_died(host.config, host.status)
        else:
            if host.parsed.error is None:
                self._fleet.keep(host, host.parsed)
            return host.parsed
        return Parsed(host_id=host.config.host_id, file=host.config.file, error=error)

    def remember_source(self, file: str, content_hash: str, source: str, *, bare: bool) -> None:
        self._fleet.remember_source(file, content_hash, source, bare=bare)

    def retire(self, file: str, content_hash: str) -> None:
        self._fleet.retire(file, content_hash)

    # ---- jobs -------------------------------------------------------------------------------------------------------

    def start_try(self, file: str, content_hash: str, bare: bool, info: TryInfo) -> None:
        mode: Mode = "loop" if info.is_async else _mode(bare)
        self._give(self._fleet.serving(file, content_hash, mode), StartTry(info=info))

    def kill_try(self, token: str, reason: str, grace: float) -> None:
        if token in self._orphans:
            self._orphans.kill(token, grace)
            return
        host = self._by_token.get(token)
        if host is None or token not in host.tries:
            return  # it has ended
        waiting = [job for job in host.queue if isinstance(job, StartTry) and job.info.token == token]
        if waiting:
            self._fail(host, waiting[0], reason or "It was ended before it was started.")
        else:
            host.tell(KillTry(token=token, reason=reason, grace=grace))

    def run_callback(self, file: str, content_hash: str, bare: bool, message: RunCallback) -> None:
        self._give(self._fleet.serving(file, content_hash, _mode(bare)), message)

    def run_trigger(self, file: str, content_hash: str, message: RunTrigger) -> None:
        self._give(self._fleet.serving(file, content_hash, "loop"), message)

    def stop_trigger(self, token: str) -> None:
        host = self._by_token.pop(token, None)
        self._deaths.pop(token, None)
        if host is None or (job := host.jobs.pop(token, None)) is None:
            return
        if job in host.queue:
            host.queue.remove(job)
        else:
            host.tell(CancelTrigger(token=token))

    async def ask_timetable(self, file: str, content_hash: str, question: AskTimetable) -> TimetableAnswer:
        """The answer of a user's timetable; an error or a long silence is an answer with `error`."""
        bare = not self._fleet.is_repeatable(file, content_hash)
        host = self._fleet.serving(file, content_hash, _mode(bare))
        return await self._questions.ask(question, lambda: self._give(host, question))

    def ack(self, token: str) -> None:
        host = self._by_token.pop(token, None)
        if host is not None and host.connection is not None:
            host.tell(Ack(token=token))
        else:
            spool.remove(self._settings.spool, token)

    def running_tokens(self) -> list[str]:
        """Tries that are starting or running, in hosts or orphaned."""
        return [*(token for host in self._fleet.hosts.values() for token in host.tries), *self._orphans.tokens()]

    def hosts(self) -> list[HostFacts]:
        """All hosts that live, by file."""
        return sorted(map(facts, self._fleet.hosts.values()), key=lambda host: host.file)

    @property
    def zygote_pid(self) -> int:
        """0 while there is none."""
        return self._zygote.pid if self._zygote is not None else 0

    def read_spool(self) -> list[TryFinished]:
        """Results that nobody could be told; each stays on disk until its `ack`."""
        return spool.read(self._settings.spool)

    def watch_orphan(self, token: str, process: ProcessId) -> None:
        """Follow a try of an earlier server whose host is gone; a TryFinished or HostLost comes when it ends."""
        self._orphans.watch(token, process)

    @staticmethod
    def is_alive(pid: int, started: int) -> bool:
        """Whether the process that had this pid and start time still runs."""
        return procfs.is_alive(ProcessId(pid, started))

    def _give(self, host: Host, job: Job) -> None:
        host.used = anyio.current_time()
        match job:
            case StartTry(info=info):
                host.tries[info.token] = None
                self._by_token[info.token] = host
            case RunTrigger(token=token):
                host.jobs[token] = job
                self._by_token[token] = host
            case RunCallback(callback_id=name) | AskTimetable(request_id=name):
                host.jobs[name] = job
        if host.ready:
            host.tell(job)
        else:
            host.queue.append(job)

    # ---- what children say ------------------------------------------------------------------------------------------

    def _hear(self, connection: Connection, message: Message) -> None:
        hello = connection.hello
        assert hello is not None
        if isinstance(message, Request):
            assert self._tasks is not None
            self._tasks.start_soon(self._answer, connection, hello, message)
        elif hello.role == "zygote" and self._zygote is not None:
            if message is hello:
                self._zygote.attach(connection)
            else:
                self._zygote.hear(message)
        elif hello.role == "host" and hello.id:
            if message is hello:
                self._host_connected(connection, hello)
            elif (host := self._fleet.hosts.get(hello.id)) is not None:
                self._host_says(host, message)

    async def _answer(self, connection: Connection, hello: Hello, request: Request) -> None:
        try:
            result = await self._on_request(hello, request)
            response = Response(id=request.id, result=result)
        except AsyncflowError as error:
            response = Response(id=request.id, error=str(error), error_kind=type(error).__name__)
        except Exception as error:
            log.exception("Request %s failed", request.method)
            response = Response(id=request.id, error=f"{type(error).__name__}: {error}")
        connection.send(response)

    def _host_connected(self, connection: Connection, hello: Hello) -> None:
        host = self._fleet.hosts.get(hello.id)
        if host is None:
            self._adopt(connection, hello)
            return
        if host.connection is not None:
            connection.close()  # a second process with the same orders: the zygote died between fork and report
            return
        host.connection, host.process = connection, hello.process
        host.connected.set()
        if host.config.mode in ("bare", "loop"):
            self._is_ready(host)

    def _adopt(self, connection: Connection, hello: Hello) -> None:
        """A host of an earlier server: it ends what it runs, and gets nothing new."""
        if hello.protocol != PROTOCOL:
            log.warning("A DAG host speaks protocol %s, we speak %s: it is drained", hello.protocol, PROTOCOL)
        config = HostConfig(
            host_id=hello.id, dags_folder="", file=hello.file, content_hash=hello.content_hash, mode="bare"
        )
        host = Host(config, connection, hello.process, dict(hello.tries), ready=True)
        self._fleet.hosts[hello.id] = host
        for token in hello.tries:
            self._by_token[token] = host
        host.tell(StopHost())
        self._on_message(HostAdopted(hello=hello, tries=hello.tries))

    def _host_says(self, host: Host, message: Message) -> None:
        match message:
            case Parsed():
                self._import_done(host, message)
            case TryStarted(token=token, process=process):
                if token in host.tries:
                    host.tries[token] = process
                self._on_message(message)
            case TryFinished(token=token):
                host.tries.pop(token, None)
                self._by_token[token] = host
                self._end_seen.set()
                self._on_message(message)
            case TriggerEnded(token=token):
                if host.jobs.pop(token, None) is not None:  # else it was stopped in the meantime
                    self._by_token.pop(token, None)
                    self._deaths.pop(token, None)
                    self._on_message(message)
            case CallbackDone(callback_id=name):
                host.jobs.pop(name, None)
                self._on_message(message)
            case TimetableAnswer(request_id=name):
                host.jobs.pop(name, None)
                self._questions.answered(message)
            case _:
                log.warning("A DAG host sent %s, which is not for the server", type(message).__name__)

    def _import_done(self, host: Host, parsed: Parsed) -> None:
        host.parsed = parsed
        queue, host.queue = host.queue, []
        if parsed.error is not None or parsed.unrepeatable or host.config.mode == "parse":
            self._fleet.forget(host)
            for job in queue:
                if parsed.error is not None:
                    reason = f"{host.config.file} could not be imported for this try: {parsed.error.message}"
                    self._fail(host, job, reason)
                else:  # it was repeatable when the loader looked
                    self._move(host, job)
        else:
            host.queue = queue
            self._is_ready(host)
        host.answered.set()

    def _move(self, host: Host, job: Job) -> None:
        self._unlist(host, job)
        self._give(self._fleet.serving(host.config.file, host.config.content_hash, "bare"), job)

    def _is_ready(self, host: Host) -> None:
        host.ready = True
        host.used = anyio.current_time()
        queue, host.queue = host.queue, []
        for job in queue:
            host.tell(job)
        if host.draining:  # retired while it was starting
            host.tell(StopHost())

    # ---- ends -------------------------------------------------------------------------------------------------------

    def _closed(self, connection: Connection) -> None:
        hello = connection.hello
        if hello is None or hello.role != "host" or self._closing:
            return
        host = self._fleet.hosts.get(hello.id)
        if host is None or host.connection is not connection:
            return
        host.connection = None
        if host.exited:
            self._gone(host)
        elif self._tasks is not None:
            self._tasks.start_soon(self._await_return, host)

    async def _await_return(self, host: Host) -> None:
        """A host's connection is closed: it has ended (and the zygote will say how), or it comes back."""
        deadline = anyio.current_time() + RECONNECT_GRACE
        while host.connection is None and not host.gone and anyio.current_time() < deadline:
            if host.process is None or not procfs.is_alive(host.process):
                await anyio.sleep(0.1)  # the zygote's word is on its way
                break
            await anyio.sleep(0.02)
        if host.connection is None and not host.gone:
            self._launcher.kill(host.config.host_id)
            self._gone(host)

    def _host_exited(self, host_id: str, status: int | None) -> None:
        host = self._fleet.hosts.get(host_id)
        if host is None:
            return
        host.exited, host.status = True, status
        if self._tasks is None or (host.connection is None and host.connected.is_set()):
            self._gone(host)
        else:
            self._tasks.start_soon(self._await_last_words, host)

    async def _await_last_words(self, host: Host) -> None:
        """What a host that has ended said last may still be in its socket, or the socket not yet be taken up."""
        with anyio.move_on_after(LAST_WORDS):
            await host.connected.wait()
        if host.connection is None:
            if not host.gone:
                self._gone(host)
            return
        await anyio.sleep(LAST_WORDS)
        if not host.gone and host.connection is not None:
            host.connection.close()  # a process it left behind may hold it open for ever

    def _gone(self, host: Host) -> None:
        """A host has ended: settle what it was given."""
        host.gone = True
        self._fleet.gone(host)
        host.answered.set()
        host.connected.set()
        how = how_it_ended(host.status) if host.exited else "disappeared"
        for waiting in [job for job in host.queue if not isinstance(job, RunTrigger)]:
            self._fail(host, waiting, f"The DAG host of {host.config.file} {how} before it could start anything.")
        for name, job in list(host.jobs.items()):
            host.jobs.pop(name)
            if isinstance(job, RunTrigger):
                self._trigger_lost(host, job, how)
            else:
                self._job_failed(job, f"The DAG host of {host.config.file} {how}.")
        lost = [token for token, process in host.tries.items() if process is None]
        for token, process in host.tries.items():
            self._by_token.pop(token, None)
            if process is not None:
                self._orphans.watch(token, process)
        if lost:
            reason = f"The DAG host of {host.config.file} {how} while it started this try."
            self._on_message(HostLost(tokens=tuple(lost), reason=reason))

    def _trigger_lost(self, host: Host, job: RunTrigger, how: str) -> None:
        """The process of a trigger has died: begin again, but not for ever."""
        self._deaths[job.token] += 1
        if self._closing or self._tasks is None:
            return
        if self._deaths[job.token] >= TRIGGER_DEATHS:
            times = self._deaths[job.token]
            self._job_failed(job, f"The process that ran the trigger {how}, {times} times in a row.")
        else:
            self._by_token[job.token] = host  # so that it can be stopped meanwhile
            host.jobs[job.token] = job
            self._tasks.start_soon(self._start_again, host, job)

    async def _start_again(self, dead: Host, job: RunTrigger) -> None:
        await anyio.sleep(TRIGGER_DELAY)
        if dead.jobs.pop(job.token, None) is not None:
            self.run_trigger(dead.config.file, dead.config.content_hash, job)

    def _fail(self, host: Host, job: Job, reason: str) -> None:
        """A job that was never started."""
        self._unlist(host, job)
        self._job_failed(job, reason)

    def _unlist(self, host: Host, job: Job) -> None:
        host.unlist(job)
        if isinstance(job, StartTry):
            self._by_token.pop(job.info.token, None)

    def _job_failed(self, job: Job, reason: str) -> None:
        match job:
            case StartTry(info=info):
                self._on_message(TryFinished(token=info.token, start_error=reason, ended_at=datetime.now(UTC)))
            case RunTrigger(token=token):
                self._by_token.pop(token, None)
                self._deaths.pop(token, None)
                self._on_message(TriggerEnded(token=token, at=datetime.now(UTC), error=reason))
            case RunCallback(callback_id=name):
                self._on_message(CallbackDone(callback_id=name, error=reason, ran=False))
            case AskTimetable(request_id=name):
                self._questions.answered(TimetableAnswer(request_id=name, error=reason))

    def _orphan_ended(self, token: str) -> None:
        """A task outlived its host: what it spooled is its result, else nobody knows."""
        self._end_seen.set()
        for message in self.read_spool():
            if message.token == token:
                self._on_message(message)
                return
        reason = "The DAG host of this try was killed, and the try ended without a result."
        self._on_message(HostLost(tokens=(token,), reason=reason))


def _mode(bare: bool) -> Mode:
    return "bare" if bare else "import"
