"""One DAG host as the server sees it, and the orders it is started with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Literal

import anyio

from asyncflow.config import Settings
from asyncflow.core.messages import (
    AskTimetable,
    HostConfig,
    Message,
    Parsed,
    ProcessId,
    RunCallback,
    RunTrigger,
    StartTry,
)
from asyncflow.executors.conf import airflow_conf
from asyncflow.executors.connections import Connection

Job = StartTry | RunTrigger | RunCallback | AskTimetable
Mode = Literal["import", "parse", "bare", "loop"]


@dataclass(eq=False)
class Host:
    """A host process, from the orders for it to its end."""

    config: HostConfig
    connection: Connection | None = None
    process: ProcessId | None = None
    #: tries it has been given -> their process, once it has said so
    tries: dict[str, ProcessId | None] = field(default_factory=dict)
    #: triggers, callbacks and questions it has been given
    jobs: dict[str, Job] = field(default_factory=dict)
    queue: list[Job] = field(default_factory=list)  #: for when it is ready
    ready: bool = False
    draining: bool = False  #: gets nothing new, ends when its tries have
    parsed: Parsed | None = None
    status: int | None = None  #: exit status, once `exited`
    exited: bool = False
    gone: bool = False
    used: float = 0.0  #: loop time of its last job
    connected: anyio.Event = field(default_factory=anyio.Event)
    answered: anyio.Event = field(default_factory=anyio.Event)  #: parsed, or gone

    @property
    def idle(self) -> bool:
        return self.ready and not (self.tries or self.jobs or self.queue)

    def tell(self, message: Message) -> None:
        """Send a message; nothing happens when it is not connected (its end will be noticed)."""
        if self.connection is not None:
            self.connection.send(message)

    def unlist(self, job: Job) -> None:
        """Take a job back that was not started."""
        if job in self.queue:
            self.queue.remove(job)
        match job:
            case StartTry(info=info):
                self.tries.pop(info.token, None)
            case RunTrigger(token=name) | RunCallback(callback_id=name) | AskTimetable(request_id=name):
                self.jobs.pop(name, None)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A host, for people."""

    file: str
    mode: Mode
    pid: int  #: 0 while it is starting
    tokens: tuple[str, ...]  #: tries and triggers it has
    pids: tuple[int, ...]  #: processes of its tries
    is_ready: bool
    is_draining: bool


def facts(host: Host) -> HostFacts:
    """A host as it is now."""
    jobs = tuple(name for name, job in host.jobs.items() if isinstance(job, RunTrigger))
    return HostFacts(
        file=host.config.file,
        mode=host.config.mode,
        pid=host.process.pid if host.process else 0,
        tokens=(*host.tries, *jobs),
        pids=tuple(process.pid for process in host.tries.values() if process is not None),
        is_ready=host.ready,
        is_draining=host.draining,
    )


def orders(settings: Settings, file: str, content_hash: str, mode: Mode, source: str | None) -> HostConfig:
    """What a new host is to be; `source` if it is to use that text whatever the file holds now."""
    return HostConfig(
        host_id=secrets.token_hex(8),
        dags_folder=str(settings.dags),
        file=file,
        mode=mode,
        content_hash=content_hash,
        socket=str(settings.socket),
        spool_dir=str(settings.spool),
        logs_dir=str(settings.logs),
        stderr_dir=str(settings.stderr_dir),
        home=str(settings.home),
        import_timeout=settings.dagbag_import_timeout,
        memory_limit_mb=settings.dag_memory_limit_mb,
        output_limit_kb=settings.dag_output_limit_kb,
        conf=airflow_conf(settings),
        spawn=settings.start_mode == "spawn",
        extra_paths=(str(settings.plugins_folder),),
        source=source,
    )
