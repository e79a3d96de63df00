"""The process with an event loop: runs triggers of deferred tasks, and the async tasks of one file, thousands at once.

A DAG host of mode "loop": started and drained like the others, spoken to by the same messages. Without a file it is the
triggerer for all triggers that come from installed packages; with one it has the file imported, and runs its async
tasks and the triggers that are defined under the DAG folder.

Survives the server as the other hosts do: tries go on, their results are spooled, and it reconnects. Triggers end with
the connection: the next server starts them again from what it has stored.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import sys
import traceback
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from asyncflow.authoring.api import own_api, use_api
from asyncflow.core.messages import (
    Ack,
    CancelTrigger,
    FrameReader,
    HostConfig,
    KillTry,
    Message,
    ProcessId,
    RunTrigger,
    StartTry,
    StopHost,
    TriggerEnded,
    TryFinished,
    TryInfo,
    TryResult,
    TryStarted,
    encode,
)
from asyncflow.ipc import procfs, spool
from asyncflow.worker import importer
from asyncflow.worker.asynctry import run_async_try
from asyncflow.worker.client import BriefClient, SocketApi
from asyncflow.worker.importer import Loaded
from asyncflow.worker.limits import time_limit
from asyncflow.worker.looplog import logging_to, route_output
from asyncflow.worker.tasklog import log_to_stdout
from asyncflow.worker.triggering import event_fact, first_event, make_trigger
from asyncflow.worker.watchdog import Watchdog
from asyncflow.worker.wire import Wire

log = logging.getLogger("airflow.task")

_FIRST_RETRY, _LAST_RETRY = 0.05, 1.0

Greeting = Callable[[dict[str, ProcessId]], Message]


@dataclass
class _Job:
    """A try or a trigger at work."""

    task: asyncio.Task[None]
    is_try: bool


class TriggeredInstance:
    """What a trigger sees as `self.task_instance`."""

    state = "deferred"

    def __init__(self, info: TryInfo) -> None:
        self.dag_id, self.task_id, self.run_id = info.dag_id, info.task_id, info.run.run_id
        self.map_index, self.try_number = info.map_index, info.try_number
        self.logical_date = self.execution_date = info.run.logical_date
        self.pool, self.priority_weight, self.hostname = info.pool, info.priority_weight, info.hostname


class _Link(asyncio.Protocol):
    """The connection to the server."""

    def __init__(self, loop_host: LoopHost) -> None:
        self._host = loop_host
        self._reader = FrameReader()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._reader.feed(data):
                self._host.act(message)
        except ValueError:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._host.server_gone(self)

    def send(self, message: Message) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(message))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class LoopHost:
    """See the module."""

    def __init__(self, config: HostConfig, loaded: Loaded | None, failure: str | None, greeting: Greeting) -> None:
        """`failure`: why the file could not be imported; every job is answered with it."""
        self._config = config
        self._loaded = loaded
        self._failure = failure
        self._greeting = greeting
        self._me = procfs.identity(os.getpid())
        self._jobs: dict[str, _Job] = {}
        #: the log of each task, also of one that has just ended: the watchdog's words come a little later
        self._logs: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()
        self._unacked: dict[str, TryFinished] = {}
        self._link: _Link | None = None
        self._stopping = False
        self._changed = asyncio.Event()
        self._watchdog = Watchdog(asyncio.get_running_loop(), self._blocked)

    async def serve(self, wire: Wire) -> None:
        """Until there is nothing left to do. `wire` has said hello already."""
        self._watchdog.start()
        await self._attach(wire)
        while not self._is_done():
            self._changed.clear()
            await self._changed.wait()
        if self._link is not None:
            self._link.close()

    def _is_done(self) -> bool:
        if self._link is None:
            return not any(job.is_try for job in self._jobs.values())
        return self._stopping and not self._jobs and not self._unacked

    # ---- the server -------------------------------------------------------------------------------------------------

    async def _attach(self, wire: Wire) -> None:
        loop = asyncio.get_running_loop()
        _, self._link = await loop.create_unix_connection(lambda: _Link(self), sock=wire.detach())

    def act(self, message: Message) -> None:
        """The server says something."""
        match message:
            case StartTry(info=info):
                self._say(TryStarted(token=info.token, process=self._me, at=datetime.now(UTC)))
                self._begin(info.token, info, self._try(info), is_try=True)
            case KillTry(token=token, grace=grace):
                self._kill(token, grace)
            case RunTrigger():
                self._begin(message.token, message.info, self._trigger(message), is_try=False)
            case CancelTrigger(token=token):
                if token in self._jobs:
                    self._jobs[token].task.cancel()
            case Ack(token=token):
                if self._unacked.pop(token, None) is not None:
                    spool.remove(self._config.spool_dir, token)
                self._changed.set()
            case StopHost():
                self._stopping = True
                self._changed.set()
            case _:
                pass

    def server_gone(self, link: _Link) -> None:
        """Go on with what cannot be begun again; look for the next server."""
        if link is not self._link:
            return
        self._link = None
        for message in self._unacked.values():
            self._spool(message)
        for job in self._jobs.values():
            if not job.is_try:
                job.task.cancel()
        self._changed.set()
        self._reconnecting = asyncio.ensure_future(self._reconnect())

    async def _reconnect(self) -> None:
        delay = _FIRST_RETRY
        while True:
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LAST_RETRY)
            with suppress(OSError):
                wire = Wire.connect(self._config.socket)
                tries = {token: self._me for token, job in self._jobs.items() if job.is_try}
                wire.send(self._greeting(tries))
                await self._attach(wire)
                break
        for message in list(self._unacked.values()):
            self._say(message)

    def _say(self, message: Message) -> None:
        if self._link is not None:
            self._link.send(message)

    def _spool(self, message: TryFinished) -> None:
        with suppress(OSError):  # a full disk: it is told to the next server, if this process lives to see it
            spool.write(self._config.spool_dir, message)

    # ---- jobs -------------------------------------------------------------------------------------------------------

    def _begin(self, token: str, info: TryInfo, work: Coroutine[Any, Any, None], *, is_try: bool) -> None:
        what = f"{'Task' if is_try else 'Trigger of'} {info.dag_id}.{info.task_id}"
        task = asyncio.get_running_loop().create_task(work, name=what)
        self._jobs[token] = _Job(task, is_try)
        self._logs[task] = info.log_path
        self._watchdog.want(True)
        task.add_done_callback(lambda _: self._ended(token, task))

    def _ended(self, token: str, task: asyncio.Task[None]) -> None:
        job = self._jobs.get(token)
        if job is None or job.task is not task:
            return
        del self._jobs[token]
        if job.is_try and token not in self._unacked:  # cancelled before it had begun
            self._finished(token, _failure("The task was ended before it had begun."))
        self._watchdog.want(bool(self._jobs))
        self._changed.set()

    def _kill(self, token: str, grace: float) -> None:
        job = self._jobs.get(token)
        if job is not None:
            job.task.cancel()
            asyncio.get_running_loop().call_later(grace, self._give_up, token, job)

    def _give_up(self, token: str, job: _Job) -> None:
        """It will not be cancelled: nobody waits for it any more."""
        if self._jobs.get(token) is job:
            del self._jobs[token]
            self._finished(token, _failure("The task did not end when it was told to, and was left behind."))
            self._changed.set()

    async def _try(self, info: TryInfo) -> None:
        api = SocketApi(BriefClient(self._config.socket, role="task", id=info.token))
        with logging_to(info.log_path) as output:
            result = await self._run(info, api)
            output.close()
        if info.token in self._jobs:  # else it was given up
            self._finished(info.token, result)

    async def _run(self, info: TryInfo, api: SocketApi) -> TryResult:
        dag = self._loaded.dags.get(info.dag_id) if self._loaded is not None else None
        task = dag.task_dict.get(info.task_id) if dag is not None else None
        if task is not None:
            return await run_async_try(task, info, api)
        text = self._failure or f"{self._config.file} has no task {info.dag_id}.{info.task_id} any more."
        log.error("%s", text)
        return _failure(text)

    def _finished(self, token: str, result: TryResult) -> None:
        message = TryFinished(token=token, result=result, ended_at=datetime.now(UTC))
        self._unacked[token] = message
        if self._link is None:
            self._spool(message)
        else:
            self._say(message)

    async def _trigger(self, job: RunTrigger) -> None:
        api = SocketApi(BriefClient(self._config.socket, role="task", id=job.token))
        with logging_to(job.info.log_path) as output, own_api(api):
            answer = await self._fire(job)
            output.close()
        self._say(answer)

    async def _fire(self, job: RunTrigger) -> TriggerEnded:
        name = job.classpath
        try:
            if self._failure is not None:
                raise ImportError(self._failure)
            trigger = make_trigger(job.classpath, job.kwargs)
            trigger.task_instance, trigger.trigger_id = TriggeredInstance(job.info), job.token
            log.info("Trigger %s starting", name)
            event = await first_event(trigger)
            log.info("Trigger %s fired: %s", name, event)
            fact = event_fact(job.token, event, datetime.now(UTC))
            return TriggerEnded(token=fact.token, at=fact.at, event=fact.event, end=fact.end, xcoms=fact.xcoms)
        except asyncio.CancelledError:
            log.info("Trigger %s is no longer needed", name)
            raise
        except BaseException as error:
            log.exception("Trigger %s failed", name)
            text = "".join(traceback.format_exception(error))
            return TriggerEnded(token=job.token, at=datetime.now(UTC), error=text)

    def _blocked(self, task: asyncio.Task[Any], seconds: float, where: str) -> None:
        words = f"{task.get_name()} has blocked the event loop, and all others on it, for {seconds:.2f} s at {where}"
        with logging_to(self._logs.get(task, "")):
            log.warning("%s. Await, or move the work to a thread: await asyncio.to_thread(...)", words)
        print(f"asyncflow: {words}", file=sys.__stderr__, flush=True)


def _failure(text: str) -> TryResult:
    now = datetime.now(UTC)
    return TryResult(outcome="failed", started_at=now, ended_at=now, error=text)


def run(config: HostConfig, wire: Wire, greeting: Greeting) -> None:
    """The life of the process after its hello: import the file, then serve."""
    importer.prepare(config)
    use_api(SocketApi(BriefClient(config.socket, role="host", file=config.file)))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loaded, failure = _import(config)
    route_output()
    loop = asyncio.new_event_loop()  # not asyncio.run: it would wait for threads that a task has left behind
    with log_to_stdout():
        loop.run_until_complete(_serve(config, loaded, failure, greeting, wire))


async def _serve(
    config: HostConfig, loaded: Loaded | None, failure: str | None, greeting: Greeting, wire: Wire
) -> None:
    await LoopHost(config, loaded, failure, greeting).serve(wire)


def _import(config: HostConfig) -> tuple[Loaded | None, str | None]:
    if not config.file:
        return None, None
    try:
        with time_limit(config.import_timeout):
            loaded = importer.import_plainly(config)
        loaded.get_ready()
        return loaded, None
    except BaseException as error:
        traceback.print_exc()
        message = importer.explain(error, config).message
        return None, f"{config.file} could not be imported for its async tasks and triggers: {message}"
