"""The messages between the server and its children (zygote, DAG hosts, task processes) and the CLI.

One frame = 4 bytes big-endian length + msgpack of one of these structs (tagged by class name). Pure: encoding and
decoding only, sockets live in `worker` (children, blocking) and `executors` / `engine` (server, async).

    server ──ForkHost, KillHost──▶ zygote          zygote ──HostForked, HostExited──▶ server
    server ──StartTry, KillTry, RunTrigger, CancelTrigger, RunCallback, AskTimetable, StopHost, Ack──▶ host
    host ──Parsed, TryStarted, TryFinished, TriggerEnded, CallbackDone, TimetableAnswer──▶ server
    task, cli ──Request──▶ server ──Response──▶ task, cli

Every connection opens with Hello. A message that names another try's token is refused and logged (fencing).
"""

from __future__ import annotations

import struct
from datetime import date, datetime, timedelta
from typing import Any, Literal

import msgspec

from asyncflow.core.specs import DagSpec

PROTOCOL = 1
MAX_FRAME = 256 * 1024 * 1024


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    pass


# ---- shared pieces (not messages themselves) -------------------------------------------------------------------


class ProcessId(msgspec.Struct, frozen=True):
    """A process that cannot be mistaken for a later one with the same pid."""

    pid: int
    started: int  #: clock ticks since boot, field 22 of /proc/<pid>/stat; 0 where there is no /proc


class ImportFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a DAG file could not be loaded."""

    file: str  #: relative to the DAG folder
    line: int | None = None
    kind: str = ""  #: exception class, or "timeout", "memory", "exit", "killed", "output", "duplicate"
    message: str  #: one sentence: what is wrong, what to do
    traceback: str = ""


class RunContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The dag run as a task sees it (`dag_run` in templates)."""

    run_id: str
    run_type: str = "manual"
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    run_after: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    conf: dict[str, Any] = {}
    external_trigger: bool = False
    state: str = "running"
    triggered_by: str = "scheduler"
    clear_number: int = 0
    #: data interval and start of the last successful run before this one, for prev_*_success
    prev_success: dict[str, datetime | None] = {}
    #: filled where runs of other DAGs are asked for
    dag_id: str = ""
    ended_at: datetime | None = None
    note: str | None = None


class TryResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a try came to, as its own process tells it. Absent when the process died before it could tell."""

    outcome: Literal["success", "failed", "skipped", "reschedule", "deferred"]
    started_at: datetime
    ended_at: datetime
    error: str | None = None  #: "ValueError: told to fail"
    traceback: str | None = None
    #: False for AirflowFailException, sensor timeouts: the retry rules do not apply
    retryable: bool = True
    #: False: nobody has called the callbacks for this end (its file could not be imported, or it had no process)
    called_back: bool = True
    #: "reschedule": when to poke again
    reschedule_at: datetime | None = None
    #: "reschedule": the server shall see by itself when to go on; a `core.conditions.Condition` in JSON types
    condition: dict[str, Any] | None = None
    #: XComs written with the result, key -> encoded JSON (see authoring.xcom): the return value and its outputs
    xcoms: dict[str, str] = {}
    map_length: int | None = None
    rendered_map_index: str | None = None
    #: JSON of the rendered template fields, already masked
    rendered_fields: dict[str, Any] | None = None
    #: branch, short circuit, latest only: task ids that are to be set skipped at once
    skip_tasks: tuple[str, ...] = ()
    #: with skip_tasks of a mapped branch task inside a mapped group: the same map index only
    skip_map_index: int | None = None
    #: dataset events that the task emitted (semantics issue)
    dataset_events: tuple[dict[str, Any], ...] = ()
    #: deferral: `classpath` and `kwargs` of the trigger, `local` (its class is in the DAG folder), `method` and
    #: `method_kwargs` that resume the task, `timeout` in seconds; values in JSON types, tagged as XComs are
    trigger: dict[str, Any] | None = None


class TryInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a task process must know to run one try."""

    token: str
    dag_id: str
    task_id: str
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    run: RunContext
    log_path: str  #: absolute; parent folders may not exist yet
    queued_at: datetime | None = None
    first_poke_at: datetime | None = None
    poke_count: int = 0
    #: whoever runs this takes over the waiting of sensors whose condition it can see by itself
    watches: bool = False
    pool: str = "default_pool"
    priority_weight: int = 1
    hostname: str = ""
    next_method: str | None = None
    next_kwargs: dict[str, Any] | None = None  #: in JSON types, tagged as XComs are
    is_async: bool = False  #: to be run on the event loop of its file


# ---- every connection -------------------------------------------------------------------------------------------


class Hello(_Message, frozen=True, kw_only=True):
    """First message of every connection."""

    role: Literal["zygote", "host", "task", "cli"]
    process: ProcessId
    protocol: int = PROTOCOL
    version: str = ""
    #: the id given in ForkHost (host), the try token (task), "" otherwise
    id: str = ""
    #: a host that reconnects: its file, the version it serves, and the tries that still run
    file: str = ""
    content_hash: str = ""
    tries: dict[str, ProcessId] = {}


class Ack(_Message, frozen=True, kw_only=True):
    """The server has committed what the message with this token said; the sender may forget it."""

    token: str


# ---- zygote -------------------------------------------------------------------------------------------------------


class HostConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a host is to be."""

    host_id: str
    dags_folder: str
    file: str  #: relative path; "a.zip/inner.py" for a zip member
    #: "import": import the file, answer Parsed, fork tasks from the imported state (pure files)
    #: "parse": import, answer Parsed, exit  ·  "bare": import nothing; each task process imports afresh
    #: "loop": run triggers and async tasks on one event loop; imports the file, if one is given
    mode: Literal["import", "parse", "bare", "loop"] = "import"
    content_hash: str = ""  #: hash of the file (and its helpers) that the loader expects
    socket: str = ""
    spool_dir: str = ""
    logs_dir: str = ""
    #: where it puts what it prints on stderr; "" = where its parent does
    stderr_dir: str = ""
    home: str = ""
    import_timeout: float = 30.0
    memory_limit_mb: int = 1024  #: address space during import; 0 = none
    output_limit_kb: int = 1024  #: what the import may print
    #: settings a DAG or task may ask for through `airflow.configuration.conf`, flat "section.key" -> text
    conf: dict[str, str] = {}
    #: start tries by a fresh interpreter instead of fork
    spawn: bool = False
    #: sys.path entries to add (plugins folder, DAG folder)
    extra_paths: tuple[str, ...] = ()
    #: text to use instead of what the file holds now: the version that tries are to run while the file is being edited
    source: str | None = None


class ForkHost(_Message, frozen=True, kw_only=True):
    config: HostConfig


class KillHost(_Message, frozen=True, kw_only=True):
    host_id: str


class HostForked(_Message, frozen=True, kw_only=True):
    host_id: str
    process: ProcessId


class HostExited(_Message, frozen=True, kw_only=True):
    """The kernel's word on a host: `status` is the exit code, negative = killed by that signal."""

    host_id: str
    pid: int
    status: int
    peak_rss_kb: int = 0


# ---- host ---------------------------------------------------------------------------------------------------------


class Parsed(_Message, frozen=True, kw_only=True):
    """The answer to an import."""

    host_id: str
    file: str
    dags: tuple[DagSpec, ...] = ()
    error: ImportFailure | None = None
    #: source text of the file, for the Code tab and the version hash
    source: str = ""
    #: names what was imported: hash of the file's content and that of everything in `reads`
    content_hash: str = ""
    #: absolute paths under the DAG folder that the import read: modules and other files (itself left out)
    reads: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    #: why tasks must not be forked from this import; empty = repeatable ("reads the clock at line 3", ...)
    unrepeatable: tuple[str, ...] = ()
    #: True when it reads what cannot be watched (network, clock, environment): reloaded every dag_refresh_interval
    refresh: bool = False
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_rss_kb: int = 0
    output: str = ""  #: the last part of what the import printed


class StartTry(_Message, frozen=True, kw_only=True):
    info: TryInfo


class KillTry(_Message, frozen=True, kw_only=True):
    """End the process group of a try: SIGTERM, then SIGKILL after `grace` seconds."""

    token: str
    reason: str = ""
    grace: float = 5.0


class TryStarted(_Message, frozen=True, kw_only=True):
    token: str
    process: ProcessId
    at: datetime


class TryFinished(_Message, frozen=True, kw_only=True):
    """A try's process has exited. Sent again until Ack; spooled to disk while there is no server."""

    token: str
    result: TryResult | None = None
    exit_code: int | None = None
    signal: int | None = None  #: killed by this signal
    oom_killed: bool = False
    cpu_seconds: float = 0.0
    peak_rss_kb: int = 0
    ended_at: datetime
    #: the host could not even start it: the sentence to show
    start_error: str | None = None

    def how_it_died(self) -> str:
        """The sentence for a try that ended without a result; empty for one that has told its result."""
        if self.result is not None:
            return ""
        if self.start_error:
            return self.start_error
        if self.oom_killed:
            return "The task's process was killed because the machine or its memory limit ran out of memory."
        if self.signal is not None:
            return f"The task's process was killed by signal {self.signal}."
        return f"The task's process exited with code {self.exit_code} before it could report a result."


class RunTrigger(_Message, frozen=True, kw_only=True):
    """Run a trigger on the event loop until it fires. A TriggerEnded follows unless it is cancelled."""

    token: str
    classpath: str
    kwargs: dict[str, Any]  #: in JSON types, tagged as XComs are
    info: TryInfo  #: of the try that deferred itself; the trigger's log goes to the try's


class CancelTrigger(_Message, frozen=True, kw_only=True):
    token: str


class TriggerEnded(_Message, frozen=True, kw_only=True):
    """A trigger has fired or failed; as `commands.TriggerEndedFact`."""

    token: str
    at: datetime
    event: Any = None
    error: str | None = None
    end: Literal["success", "failed", "skipped"] | None = None
    xcoms: dict[str, str] = {}


class RunCallback(_Message, frozen=True, kw_only=True):
    """Run DAG-level or task-level callbacks in a forked child, e.g. for a task whose process was killed."""

    callback_id: str
    #: "dag_success", "dag_failure", "task_failure", "task_retry", "task_success", "task_skipped", "sla_miss" or
    #: "deadline"
    kind: str
    dag_id: str
    run: RunContext
    info: TryInfo | None = None
    reason: str = ""
    log_path: str = ""
    details: dict[str, Any] = {}  #: as in commands.CallBack


class CallbackDone(_Message, frozen=True, kw_only=True):
    """What became of a RunCallback. Unless it `ran`, it is sent again: the file could not be imported, or it died."""

    callback_id: str
    error: str | None = None
    ran: bool = True


class AskTimetable(_Message, frozen=True, kw_only=True):
    """A question only a user's Timetable class can answer."""

    request_id: str
    dag_id: str
    question: Literal["next", "manual"]
    last_start: datetime | None = None
    last_end: datetime | None = None
    earliest: datetime | None = None
    latest: datetime | None = None
    catchup: bool = False
    now: datetime


class TimetableAnswer(_Message, frozen=True, kw_only=True):
    request_id: str
    logical_date: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    run_after: datetime | None = None
    error: str | None = None


class StopHost(_Message, frozen=True, kw_only=True):
    """Start nothing new; exit when the running tries have ended."""


# ---- requests of task processes and the CLI -----------------------------------------------------------------------


class Request(_Message, frozen=True, kw_only=True):
    id: int
    method: str
    params: dict[str, Any] = {}


class Response(_Message, frozen=True, kw_only=True):
    id: int
    result: Any = None
    error: str | None = None
    #: class name of the error in `asyncflow.errors`, or "" for an unexpected one
    error_kind: str = ""


Message = (
    Hello
    | Ack
    | ForkHost
    | KillHost
    | HostForked
    | HostExited
    | Parsed
    | StartTry
    | KillTry
    | TryStarted
    | TryFinished
    | RunTrigger
    | CancelTrigger
    | TriggerEnded
    | RunCallback
    | CallbackDone
    | AskTimetable
    | TimetableAnswer
    | StopHost
    | Request
    | Response
)


def _plain(value: Any) -> Any:
    """Subclasses that user code passes around (pendulum's, above all), as what they stand for."""
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    if isinstance(value, timedelta):
        return timedelta(seconds=value.total_seconds())
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"a {type(value).__name__} cannot be sent between processes")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
HEADER = struct.Struct(">I")


def encode(message: Message) -> bytes:
    """The frame (header and body) of a message."""
    body = _encoder.encode(message)
    return HEADER.pack(len(body)) + body


def decode(body: bytes | bytearray | memoryview) -> Message:
    """The message of a frame's body. Raises msgspec.DecodeError for anything else."""
    return _decoder.decode(body)


class FrameReader:
    """Collects bytes, gives whole messages: sans-IO, for any socket."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Add received bytes; the messages that are complete now, in order. Raises ValueError for a mad length."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= HEADER.size:
            (length,) = HEADER.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise ValueError(f"a frame of {length} bytes is over the limit of {MAX_FRAME}")
            end = HEADER.size + length
            if len(self._buffer) < end:
                break
            messages.append(decode(bytes(self._buffer[HEADER.size : end])))
            del self._buffer[:end]
        return messages
