"""Callbacks that are due: kept in the store from the turn that made them due until they have run.

Each has a stable id and is sent again, also by a later server, until a process has said that it ran: at least once. One
that could not run (its file cannot be imported at the moment, or its process was killed) is tried again after a while,
and whenever its file is loaded. What a callback itself raises is its own matter: it has run.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import anyio
import msgspec

from asyncflow.core.commands import Act, CallBack, Journal, SaveCallBack, Write
from asyncflow.core.messages import CallbackDone, RunCallback
from asyncflow.core.models import TaskKey
from asyncflow.engine.clock import Clock
from asyncflow.engine.files import LoadedFile
from asyncflow.engine.launcher import Launcher, run_context
from asyncflow.store.database import Store

log = logging.getLogger(__name__)

#: seconds to wait after each attempt that did not run; after the last of them, only for the file to be loaded again
DELAYS = (1.0, 5.0, 30.0, 120.0, 600.0)
#: seconds after which a callback that nobody speaks of is sent again; its process is ended before that
SILENCE = 330.0
#: how many run at the same time
AT_ONCE = 8


class RunsCallbacks(Protocol):
    """What the outbox needs of the executor."""

    def run_callback(self, file: str, content_hash: str, bare: bool, message: RunCallback) -> None: ...


class Outbox:
    """Callbacks on their way. `run` must be running for anything to be sent."""

    def __init__(
        self,
        *,
        store: Store,
        executor: RunsCallbacks,
        owner: Callable[[str], LoadedFile | None],
        launcher: Launcher,
        clock: Clock,
        logs: Path,
    ) -> None:
        self._store = store
        self._executor = executor
        self._owner = owner
        self._launcher = launcher
        self._clock = clock
        self._logs = logs
        self._fresh: list[RunCallback] = []  #: of the present turn, not committed yet
        self._to_send: list[RunCallback] = []
        self._woken = anyio.Event()
        self._answers: dict[str, tuple[anyio.Event, list[CallbackDone]]] = {}
        self._loaded = anyio.Event()  #: set, and made anew, when a file is loaded
        self._looked = False  #: the whole folder has been looked at
        self._room = anyio.CapacityLimiter(AT_ONCE)

    # ---- in a turn of the scheduler ---------------------------------------------------------------------------------

    def prepare(self, acts: Iterable[Act]) -> list[Write]:
        """What must be written, in the turn's own transaction, of the callbacks among its acts."""
        self._fresh = [message for act in acts if isinstance(act, CallBack) if (message := self._message(act))]
        return [
            SaveCallBack(callback_id=message.callback_id, payload=msgspec.to_builtins(message))
            for message in self._fresh
        ]

    def _message(self, act: CallBack) -> RunCallback | None:
        world = self._launcher.scheduler.world
        run = world.run(act.dag_id, act.run_id)
        if run is None:
            log.error("The %s callback of run %s of DAG %s has no run any more", act.kind, act.run_id, act.dag_id)
            return None
        info, path = None, self._logs / "callbacks" / f"{act.dag_id}.log"
        if act.task_id is not None:
            ti = world.task_instance(TaskKey(act.dag_id, act.run_id, act.task_id, act.map_index))
            if ti is not None:
                info = self._launcher.try_info(ti, run)
                path = Path(info.log_path)
        return RunCallback(
            callback_id=uuid.uuid4().hex,
            kind=act.kind,
            dag_id=act.dag_id,
            run=run_context(run),
            info=info,
            reason=act.reason,
            log_path=str(path),
            details=act.details,
        )

    def committed(self) -> None:
        """The turn's writes are on disk: its callbacks may run."""
        if self._fresh:
            self._send(self._fresh)
            self._fresh = []

    def _send(self, messages: Sequence[RunCallback]) -> None:
        self._to_send += messages
        self._woken.set()

    # ---- delivery ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what an earlier server left undone, then what comes, until cancelled."""
        pending = await self._store.list_pending_callbacks()
        self._send([msgspec.convert(row.payload, RunCallback) for row in pending if _is_readable(row.payload)])
        async with anyio.create_task_group() as tasks:
            while True:
                self._woken = anyio.Event()
                messages, self._to_send = self._to_send, []
                for message in messages:
                    tasks.start_soon(self._deliver, message)
                if not self._to_send:
                    await self._woken.wait()

    async def _deliver(self, message: RunCallback) -> None:
        """Have one callback run, however long that takes."""
        attempt = 0
        while True:
            owner = await self._find_owner(message)
            async with self._room:
                answer = await self._attempt(message, owner)
            if answer is not None and answer.ran:
                await self._note(message, answer.error)
                return
            reason = answer.error if answer is not None else "nobody has heard of it any more"
            log.warning("The %s of DAG %s did not run, it is tried again: %s", _words(message), message.dag_id, reason)
            await self._wait(attempt)
            attempt += 1

    async def _find_owner(self, message: RunCallback) -> LoadedFile:
        """The file that the DAG comes from, once there is one."""
        complained = False
        while (owner := self._owner(message.dag_id)) is None:
            if self._looked and not complained:
                log.error("The %s of DAG %s waits: no file defines the DAG", _words(message), message.dag_id)
                complained = True
            await self._loaded.wait()
        return owner

    async def _attempt(self, message: RunCallback, owner: LoadedFile) -> CallbackDone | None:
        """Send it once; None if there was no answer."""
        await self._store.callback_tried(message.callback_id)
        answered, answers = anyio.Event(), list[CallbackDone]()
        self._answers[message.callback_id] = (answered, answers)
        self._executor.run_callback(owner.file, owner.content_hash, owner.bare, message)
        with anyio.move_on_after(SILENCE):
            await answered.wait()
        del self._answers[message.callback_id]
        return answers[0] if answers else None

    async def _wait(self, attempt: int) -> None:
        """Until the next attempt: a while, or until a file has been loaded."""
        loaded = self._loaded
        if attempt >= len(DELAYS):
            await loaded.wait()
            return
        with anyio.move_on_after(DELAYS[attempt]):
            await loaded.wait()
            await anyio.sleep(DELAYS[0])  # not at once: many files may be loaded in a row

    async def _note(self, message: RunCallback, error: str | None) -> None:
        """It has run: nobody sends it any more."""
        now = self._clock.now()
        if error:
            log.error("The %s of DAG %s failed: %s", _words(message), message.dag_id, error)
        else:
            log.info("The %s of DAG %s has run", _words(message), message.dag_id)
        await self._store.callback_done(message.callback_id, now, error)
        await self._store.commit([_line(message, "failed" if error else "done", now, error)])

    # ---- what others say --------------------------------------------------------------------------------------------

    def done(self, message: CallbackDone) -> None:
        """A process has told what became of a callback."""
        waiting = self._answers.get(message.callback_id)
        if waiting is not None:
            waiting[1].append(message)
            waiting[0].set()

    def file_loaded(self, _file: LoadedFile) -> None:
        """A file is ready: what waits for it may go on."""
        loaded, self._loaded = self._loaded, anyio.Event()
        loaded.set()

    def folder_looked_at(self) -> None:
        """All files that are there are loaded."""
        self._looked = True
        loaded, self._loaded = self._loaded, anyio.Event()
        loaded.set()


def _is_readable(payload: dict[str, Any]) -> bool:
    """A payload that another version of asyncflow wrote may not be."""
    try:
        msgspec.convert(payload, RunCallback)
    except msgspec.ValidationError as error:
        log.error("A callback that is due cannot be read, it is left alone: %s", error)
        return False
    return True


def _words(message: RunCallback) -> str:
    """What a callback is called in the log."""
    if message.kind in ("sla_miss", "deadline"):
        return f"{message.kind} callback of run {message.run.run_id}"
    what, _, when = message.kind.partition("_")
    whose = f"task {message.info.task_id} in run" if message.info else "run"
    return f"on_{when}_callback of {whose if what == 'task' else 'run'} {message.run.run_id}"


def _line(message: RunCallback, how: str, now: datetime, error: str | None) -> Journal:
    info = message.info
    return Journal(
        at=now,
        event=f"callback.{how}",
        dag_id=message.dag_id,
        run_id=message.run.run_id,
        task_id=info.task_id if info else "",
        map_index=info.map_index if info else -1,
        try_number=info.try_number if info else 0,
        details={"callback_id": message.callback_id, "kind": message.kind} | ({"error": error} if error else {}),
    )
