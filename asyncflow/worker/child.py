"""The task process: does one job (a try, a callback, a question to a timetable), hands over the outcome, ends.

Forked from its DAG host or, in spawn mode, started in a fresh interpreter with its orders on stdin. Has a session and
process group of its own. The outcome goes through a pipe to the host; if no host reads any more, the
outcome of a try goes to the spool by itself.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NoReturn

import msgspec

from asyncflow.core.messages import (
    AskTimetable,
    CallbackDone,
    HostConfig,
    RunCallback,
    StartTry,
    TimetableAnswer,
    TryFinished,
    TryInfo,
    TryResult,
    encode,
)
from asyncflow.ipc import spool
from asyncflow.worker import importer
from asyncflow.worker.client import PATIENCE, Client, SocketApi
from asyncflow.worker.importer import Loaded

Job = StartTry | RunCallback | AskTimetable
Outcome = TryFinished | CallbackDone | TimetableAnswer

#: seconds a callback or a timetable may take before its process is ended
JOB_TIMEOUT = 300


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a spawned child reads from stdin."""

    config: HostConfig
    job: Job


_DEFAULT_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM)


def run_forked(job: Job, config: HostConfig, loaded: Loaded | None, pipe: int) -> NoReturn:
    """The whole life of a child after its fork. `loaded` None: import the file first."""
    code = 1
    try:
        os.setsid()
        for number in _DEFAULT_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        _expect_to_be_the_one_killed()
        redirect(log_path(job))
        _reseed()
        gc.enable()
        code = _finish(job, config, loaded, pipe)
    except BaseException:
        with suppress(BaseException):
            traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def main() -> int:
    """A spawned child: orders on stdin, outcome on descriptor 3."""
    orders = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Orders)
    redirect(log_path(orders.job))
    importer.prepare(orders.config)
    code = _finish(orders.job, orders.config, None, 3)
    _flush()
    return code


def log_path(job: Job) -> str:
    """The file a job's output belongs in; "" = nowhere."""
    match job:
        case StartTry(info=info):
            return info.log_path
        case RunCallback(log_path=path):
            return path
        case _:
            return ""


def redirect(path: str) -> None:
    """Point stdout and stderr at a log file (appending), stdin at nothing. Without a path both go nowhere."""
    nothing = os.open(os.devnull, os.O_RDWR)
    target = nothing
    if path:
        try:
            target = _open_log(path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            target = _open_log(path)
    os.dup2(nothing, 0)
    os.dup2(target, 1)
    os.dup2(target, 2)
    for descriptor in {nothing, target}:
        os.close(descriptor)


def _open_log(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def _finish(job: Job, config: HostConfig, loaded: Loaded | None, pipe: int) -> int:
    outcome = do(job, config, loaded)
    _flush()
    hand_over(outcome, pipe, config.spool_dir)
    failed = isinstance(outcome, TryFinished) and (outcome.result is None or outcome.result.outcome == "failed")
    return 1 if failed else 0


def do(job: Job, config: HostConfig, loaded: Loaded | None) -> Outcome:
    """Do the job; its errors are part of the outcome."""
    if isinstance(job, StartTry):
        api = SocketApi(Client(config.socket, role="task", id=job.info.token, patience=PATIENCE))
        return TryFinished(
            token=job.info.token, result=_run_try(job.info, config, loaded, api), ended_at=datetime.now(UTC)
        )
    signal.alarm(JOB_TIMEOUT)
    api = SocketApi(Client(config.socket, role="host", file=config.file))
    error, ran = None, False
    try:
        with importer.using(api):
            dag = _dag(job.dag_id, config, loaded)
            ran = True
            if isinstance(job, AskTimetable):
                from asyncflow.authoring.timetables import answer

                return answer(dag.timetable, job)
            _run_callbacks(dag, job, config, api)
    except BaseException as caught:
        traceback.print_exc()
        error = f"{type(caught).__name__}: {caught}"
    if isinstance(job, AskTimetable):
        return TimetableAnswer(request_id=job.request_id, error=error)
    return CallbackDone(callback_id=job.callback_id, error=error, ran=ran)


def _run_try(info: TryInfo, config: HostConfig, loaded: Loaded | None, api: SocketApi) -> TryResult:
    from asyncflow.worker.runner import run_try

    begun = datetime.now(UTC)
    try:
        with importer.using(api):
            dag = _dag(info.dag_id, config, loaded)
            task = dag.task_dict.get(info.task_id)
            if task is None:
                raise LookupError(f"DAG {info.dag_id!r} has no task {info.task_id!r} any more.")
    except BaseException as error:
        traceback.print_exc()
        text = f"{config.file} could not be imported for this try: {importer.explain(error, config).message}"
        return TryResult(outcome="failed", started_at=begun, ended_at=datetime.now(UTC), error=text, called_back=False)
    return run_try(task, info, api)


def _run_callbacks(dag: Any, job: RunCallback, config: HostConfig, api: SocketApi) -> None:
    from asyncflow.worker.callbacks import run_callback

    run_callback(dag, job, api)


def _dag(dag_id: str, config: HostConfig, loaded: Loaded | None) -> Any:
    loaded = loaded or importer.import_plainly(config)
    if dag_id not in loaded.dags:
        raise LookupError(f"{config.file} has no DAG {dag_id!r} any more.")
    return loaded.dags[dag_id]


def hand_over(outcome: Outcome, pipe: int, spool_dir: str) -> None:
    """Write the outcome to the host's pipe; a try's goes to the spool when there is no host any more."""
    data = memoryview(encode(outcome))
    try:
        while data:
            data = data[os.write(pipe, data) :]
        return
    except BrokenPipeError:
        pass
    if isinstance(outcome, TryFinished):
        failed = outcome.result is None or outcome.result.outcome == "failed"
        spool.write(spool_dir, msgspec.structs.replace(outcome, exit_code=int(failed)))


def _reseed() -> None:
    """Forks of one host would all draw the same numbers."""
    random.seed()
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def _expect_to_be_the_one_killed() -> None:
    """When memory runs out, the kernel shall choose a task rather than the server or a host."""
    with suppress(OSError):
        file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)  # `open` would touch four times the memory
        try:
            os.write(file, b"500")
        finally:
            os.close(file)


def _flush() -> None:
    flushes: list[Callable[[], None]] = [sys.stdout.flush, sys.stderr.flush]
    for flush in flushes:
        with suppress(Exception):  # closed or replaced by the task
            flush()


if __name__ == "__main__":
    sys.exit(main())
