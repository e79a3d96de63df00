"""Carries out what the scheduler decided: starts and ends tries, asks hosts about timetables.

Also the way back: messages of children become facts. Knows the executor and the loaded files, decides nothing.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec

from asyncflow.core.commands import (
    Act,
    EndTry,
    LaunchTry,
    LogLines,
    LookForFile,
    LookUpRun,
    NeedTimetable,
    StartTrigger,
    StopTrigger,
    TriggerEndedFact,
    TryEndedFact,
    TryStartedFact,
)
from asyncflow.core.messages import (
    AskTimetable,
    CallbackDone,
    RunContext,
    RunTrigger,
    TriggerEnded,
    TryFinished,
    TryInfo,
    TryStarted,
)
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.timetable import DagRunInfo, DataInterval
from asyncflow.core.world import World
from asyncflow.engine.clock import Clock
from asyncflow.engine.files import DagFiles, LoadedFile
from asyncflow.engine.lookout import Lookout
from asyncflow.engine.paths import log_path
from asyncflow.engine.scheduler import Scheduler
from asyncflow.executors.base import Executor, HostAdopted, HostLost

log = logging.getLogger(__name__)


def run_context(run: DagRun) -> RunContext:
    """A dag run as its tasks see it."""
    return RunContext(
        dag_id=run.dag_id,
        run_id=run.run_id,
        run_type=run.run_type,
        logical_date=run.logical_date,
        data_interval_start=run.data_interval_start,
        data_interval_end=run.data_interval_end,
        run_after=run.run_after,
        queued_at=run.queued_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        note=run.note,
        conf=run.conf,
        external_trigger=run.external_trigger,
        state=run.state,
        triggered_by=run.triggered_by,
        clear_number=run.clear_number,
    )


class Launcher:
    """The edge between the scheduler's commands and the executor."""

    def __init__(
        self, *, executor: Executor, logs: Path, clock: Clock, hostname: str, grace: float, spawn: Callable[..., None]
    ) -> None:
        self.scheduler: Scheduler
        self.files: DagFiles
        self.callback_done: Callable[[CallbackDone], None]
        self.lookout: Lookout
        #: seconds that the last tries took from getting their slots to their process
        self.starts: deque[float] = deque(maxlen=1000)
        self._executor = executor
        self._logs = logs
        self._clock = clock
        self._hostname = hostname
        self._grace = grace
        self._spawn = spawn  #: starts a coroutine function in the server's task group
        #: launches that wait for the first load of their file (after a start), by dag_id
        self._waiting: dict[str, list[LaunchTry | StartTrigger]] = defaultdict(list)
        #: tries of an earlier server that no host has spoken of yet, and what is set when there are none left
        self._awaited: set[str] = set()
        self._all_back = anyio.Event()

    # ---- commands ---------------------------------------------------------------------------------------------------

    def carry_out(self, act: Act) -> None:
        """Do what the scheduler decided; called after the commit, never blocks."""
        match act:
            case LaunchTry() | StartTrigger():
                self._launch(act)
            case StopTrigger():
                self._executor.stop_trigger(act.token)
            case EndTry():
                self._executor.kill_try(act.token, act.reason, self._grace)
            case NeedTimetable():
                self._spawn(self._ask_timetable, act.dag_id)
            case LookUpRun() | LookForFile() | LogLines():
                self.lookout.carry_out(act)
            case _:
                pass

    def _launch(self, act: LaunchTry | StartTrigger) -> None:
        owner = self.files.owner(act.key.dag_id)
        if owner is None:
            self._waiting[act.key.dag_id].append(act)
            return
        world = self.scheduler.world
        ti, run = world.task_instance(act.key), world.run(act.key.dag_id, act.key.run_id)
        if ti is None or run is None or ti.token != act.token:
            return  # cleared or marked in the meantime
        info = self.try_info(ti, run)
        if isinstance(act, StartTrigger):
            self._start_trigger(owner, ti, info)
            return
        if act.on_loop:
            info = msgspec.structs.replace(info, is_async=True)
        self._executor.start_try(owner.file, owner.content_hash, owner.bare, info)

    def _start_trigger(self, owner: LoadedFile, ti: TaskInstance, info: TryInfo) -> None:
        trigger = ti.trigger or {}
        message = RunTrigger(token=info.token, classpath=trigger["classpath"], kwargs=trigger["kwargs"], info=info)
        beside = (owner.file, owner.content_hash) if trigger.get("local") else ("", "")
        self._executor.run_trigger(*beside, message)

    def file_loaded(self, file: LoadedFile) -> None:
        """A file is ready: start what has waited for it."""
        for dag_id in file.dag_ids:
            for act in self._waiting.pop(dag_id, ()):
                self._launch(act)

    def give_up_waiting(self) -> None:
        """The whole folder has been looked at: what still waits for a file will never get one."""
        waiting, self._waiting = self._waiting, defaultdict(list)
        for acts in waiting.values():
            for act in acts:
                reason = f"The file of DAG {act.key.dag_id!r} is gone or cannot be imported."
                if isinstance(act, StartTrigger):
                    self._trigger_ended(TriggerEnded(token=act.token, at=self._clock.now(), error=reason))
                else:
                    fact = TryEndedFact(token=act.token, at=self._clock.now(), reason=reason)
                    self.scheduler.tell(partial(_ended, fact))

    def try_info(self, ti: TaskInstance, run: DagRun) -> TryInfo:
        """What the task process of an instance's current try must know."""
        path = log_path(self._logs, ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number)
        return TryInfo(
            token=ti.token or "",
            dag_id=ti.dag_id,
            task_id=ti.task_id,
            map_index=ti.map_index,
            try_number=ti.try_number,
            max_tries=ti.max_tries,
            run=run_context(run),
            log_path=str(path),
            queued_at=ti.queued_at,
            first_poke_at=ti.first_poke_at,
            poke_count=ti.poke_count,
            watches=True,
            pool=ti.pool,
            priority_weight=ti.priority_weight,
            hostname=self._hostname,
            next_method=ti.next_method,
            next_kwargs=ti.next_kwargs,
        )

    async def _ask_timetable(self, dag_id: str) -> None:
        owner = self.files.owner(dag_id)
        question = self.scheduler.world.timetable_question(dag_id, self._clock.now())
        if owner is None or question is None:
            return
        info = await self.ask(owner, question)
        await self.scheduler.do(lambda world, now: world.set_next_run(dag_id, info, now))

    async def ask_manual(self, owner: LoadedFile, dag_id: str, date: datetime) -> DagRunInfo | None:
        """The data interval a custom timetable gives a run triggered by hand."""
        question = AskTimetable(request_id=uuid.uuid4().hex, dag_id=dag_id, question="manual", now=date)
        return await self.ask(owner, question)

    async def ask(self, owner: LoadedFile, question: AskTimetable) -> DagRunInfo | None:
        """A custom timetable's answer; None when it wants no run, or failed (the log says why)."""
        answer = await self._executor.ask_timetable(owner.file, owner.content_hash, question)
        if answer.error is not None:
            log.error("The timetable of DAG %s failed: %s", question.dag_id, answer.error)
            return None
        if answer.start is None or answer.end is None or answer.run_after is None:
            return None
        return DagRunInfo(answer.logical_date or answer.start, DataInterval(answer.start, answer.end), answer.run_after)

    # ---- messages ---------------------------------------------------------------------------------------------------

    def on_message(self, message: Any) -> None:
        """A child said something; becomes a fact of the next turn."""
        match message:
            case TryStarted():
                self._note_start(message)
                self.scheduler.tell(partial(_started, message))
            case TryFinished():
                self.finished(message)
            case TriggerEnded():
                self._trigger_ended(message)
            case HostLost():
                for token in message.tokens:
                    self.lost(token, message.reason)
            case HostAdopted():
                for token, process in message.tries.items():
                    self._is_back(token)
                    started = TryStarted(token=token, process=process, at=self._clock.now())
                    self.scheduler.tell(partial(_started, started))
            case CallbackDone():
                self.callback_done(message)
            case _:
                pass

    def _note_start(self, message: TryStarted) -> None:
        world = self.scheduler.world
        key = world.instance_of(message.token)
        ti = world.task_instance(key) if key is not None else None
        if ti is not None and ti.queued_at is not None:
            self.starts.append(max(0.0, (message.at - ti.queued_at).total_seconds()))

    def finished(self, message: TryFinished) -> None:
        """A try's process has exited; acknowledged once that is committed."""
        self._is_back(message.token)
        fact = TryEndedFact(
            token=message.token,
            at=message.ended_at,
            result=message.result,
            exit_code=message.exit_code,
            signal=message.signal,
            reason=message.how_it_died(),
            cpu_seconds=message.cpu_seconds,
            peak_rss_kb=message.peak_rss_kb,
        )
        self.scheduler.tell(partial(_ended, fact), partial(self._executor.ack, message.token))

    def _trigger_ended(self, message: TriggerEnded) -> None:
        fact = TriggerEndedFact(
            token=message.token,
            at=message.at,
            event=message.event,
            error=message.error,
            end=message.end,
            xcoms=message.xcoms,
        )
        self.scheduler.tell(lambda world, _now: world.trigger_ended(fact))

    def expect(self, tokens: Iterable[str]) -> None:
        """These tries were left behind by an earlier server; to be called before hosts can connect."""
        self._awaited |= set(tokens)

    async def all_back(self) -> None:
        """Wait until hosts have spoken of all expected tries, as running or as finished."""
        if self._awaited:
            await self._all_back.wait()

    def is_awaited(self, token: str) -> bool:
        """True while no host has spoken of this try."""
        return token in self._awaited

    def _is_back(self, token: str) -> None:
        self._awaited.discard(token)
        if not self._awaited:
            self._all_back.set()

    def lost(self, token: str, reason: str) -> None:
        """Nobody knows what became of a try."""
        self._is_back(token)
        self.scheduler.tell(partial(_ended, TryEndedFact(token=token, at=self._clock.now(), reason=reason, lost=True)))


def _started(message: TryStarted, world: World, _now: datetime) -> None:
    process = message.process
    world.try_started(TryStartedFact(token=message.token, at=message.at, pid=process.pid, pid_started=process.started))


def _ended(fact: TryEndedFact, world: World, _now: datetime) -> None:
    world.try_ended(fact)
