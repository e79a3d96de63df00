"""The scheduler's machinery: every move of an instance or run goes through here, with all that follows from it.

`Machine` owns the live DAGs and runs, the slots, the timers and the ledger. `settle` looks again at what has changed
until nothing moves any more. What the moves should be is decided elsewhere (`planner`, `retry`, `slots`, `ending`), and
what people want comes from `clearing` and `marking`. Mapped tasks become instances in `expansion`; slots are handed out
in `launching`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from asyncflow.core import asking, deferral, expansion, launching, mapping, planner
from asyncflow.core.calendar import Calendar
from asyncflow.core.commands import (
    CallBack,
    ClearXComs,
    EndTry,
    Journal,
    RunEnded,
    StartTrigger,
    StopTrigger,
)
from asyncflow.core.datasets import Board
from asyncflow.core.ending import failed_in_a_row, outcome
from asyncflow.core.instances import goes_on_waiting, refresh
from asyncflow.core.ledger import Ledger
from asyncflow.core.live import LiveDag, LiveRun, RunKey
from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.slots import Slots, on_loop
from asyncflow.core.states import FINISHED, SCHEDULABLE, Event, RunState, TaskState, move
from asyncflow.core.timers import RunDue, RunTimeout, Timers, TriggerTimeout
from asyncflow.core.trigger_rules import Verdict

if TYPE_CHECKING:
    from asyncflow.core.backfill import LiveBackfill
    from asyncflow.core.watching import Watching

#: how much longer than execution_timeout a try may take to end itself before the server ends it
TIMEOUT_GRACE = timedelta(seconds=30)

_BY_RULE = {
    Verdict.SKIPPED: Event.RULE_SKIP,
    Verdict.UPSTREAM_FAILED: Event.RULE_FAIL,
    Verdict.REMOVED: Event.REMOVE,
}
_AFRESH = frozenset({Event.CLEAR, Event.RESTORE, Event.RESTARTED})
_PAST_MATTERS = frozenset({TaskState.SUCCESS, TaskState.SKIPPED})


#: how many waiting sensors one turn looks at: thousands that wait for the same are woken over a few turns
LOOKS = 1_500
#: how many instances one turn decides about: a mapped task with thousands of copies is scheduled over a few turns
DECISIONS = 1_000

#: more decisions than any turn could have to make
_NO_LIMIT = 1 << 30


class _Look(NamedTuple):
    """One look at what is dirty in a run."""

    now: datetime
    held: list[TaskInstance]  #: may start, but the DAG is paused
    fitted: set[str]  #: mapped tasks whose number of instances has been checked


class Machine:
    """Live state and the moves over it; synchronous, no I/O, time comes in as `now`."""

    def __init__(
        self,
        *,
        parallelism: int,
        async_concurrency: int,
        new_token: Callable[[], str],
        keep_ended: timedelta | None,
        max_retry_delay: timedelta,
    ) -> None:
        self.parallelism = parallelism
        self.async_concurrency = async_concurrency
        self.new_token = new_token
        self.keep_ended = keep_ended
        self.max_retry_delay = max_retry_delay
        self.dags: dict[str, LiveDag] = {}
        self.ledger = Ledger()
        self.slots = Slots()
        self.timers = Timers()
        self.calendar = Calendar(self.ledger, self.timers)
        self.datasets = Board(self.ledger)
        self.tokens: dict[str, tuple[TaskKey, int]] = {}  #: tries whose processes may exist -> instance, try number
        self.told: set[tuple[RunKey, datetime]] = set()  #: missed SLAs and deadlines of active runs
        self.backfills: dict[int, LiveBackfill] = {}  #: those under way
        self.last_backfill = 0  #: the highest number given
        self.on_loop: set[str] = set()  #: those of `tokens` that have no process of their own
        self.resting: set[str] = set()  #: those of `tokens` whose process sleeps between two pokes
        self.triggers: dict[str, TaskKey] = {}  #: triggers that wait -> instance
        self.asking: dict[str, TaskKey] = {}  #: those of them that wait for a person
        self.lost: dict[TaskKey, int] = {}  #: how often in a row an instance was lost before its start
        self._dirty: dict[RunKey, LiveRun] = {}
        self._ended: dict[RunKey, LiveRun] = {}
        self.watching: Watching  #: set by `World`: it needs this object to act on
        self._run_seq = 0
        self._decisions = DECISIONS  #: how many are left to this turn
        self._to_start: dict[str, None] = {}  #: DAGs whose queued runs may be started

    @property
    def processes(self) -> int:
        """How many processes of tries may be at work."""
        return len(self.tokens) - len(self.on_loop) - len(self.resting)

    # ---- access -----------------------------------------------------------------------------------------------------

    def find_run(self, key: RunKey) -> LiveRun | None:
        dag = self.dags.get(key[0])
        return dag.runs.get(key[1]) if dag else None

    def find(self, key: TaskKey) -> tuple[LiveRun, TaskInstance] | None:
        live = self.find_run((key.dag_id, key.run_id))
        ti = live.get(key.task_id, key.map_index) if live else None
        return (live, ti) if live and ti else None

    def add_run(self, dag: LiveDag, live: LiveRun) -> None:
        """Take a run with its instances into memory."""
        dag.runs[live.run.run_id] = live
        if live.run.logical_date is not None:
            dag.by_date[live.run.logical_date] = live
        for ti in live.instances():
            self.slots.count(ti, ti.state, 1)
        self.watching.run_appeared(live)

    def next_seq(self) -> int:
        self._run_seq += 1
        return self._run_seq

    # ---- instances --------------------------------------------------------------------------------------------------

    def move(
        self, live: LiveRun, ti: TaskInstance, event: Event, now: datetime, *, actor: str = "scheduler", **details: Any
    ) -> None:
        """Move an instance, and note everything that must be written or looked at because of it."""
        before = ti.state
        after = move(before, event)
        self.ledger.touch_task(ti, before)
        if after is before:
            return
        if before is TaskState.SCHEDULED:
            self.slots.withdraw(ti.key)
        if before is TaskState.DEFERRED:
            self._stop_trigger(ti)
        if before is TaskState.RUNNING:
            self.set_resting(ti, False)
        if before is TaskState.UP_FOR_RESCHEDULE:
            self.watching.forget(ti.key)
        ti.state = after
        if event in _AFRESH:
            ti.ended_at = None
        if after in FINISHED:
            ti.ended_at = now if event not in (Event.SUCCEED, Event.FAIL, Event.SKIP) else ti.ended_at
        live.shift(ti, before)
        self.slots.count(ti, before, -1)
        self.slots.count(ti, after, 1)
        self.ledger.journal_task(ti, f"task.{after.value}", now, before.value, actor, details)
        if after in FINISHED or before in FINISHED:
            live.mark_dependents(ti.task_id, ti.map_index)
        self.look_again(live)
        self.watching.task_moved(live, ti)
        if after in _PAST_MATTERS:
            self._mark_later_runs(live, ti.task_id)

    def look_again(self, live: LiveRun) -> None:
        """Have `settle` look at what is dirty in a run, and whether it has ended."""
        self._dirty[live.key] = live

    def _mark_later_runs(self, live: LiveRun, task_id: str) -> None:
        graph = live.dag.graph
        past = {task_id} & graph.depends_on_past
        past |= graph.waits_for_downstream.intersection(graph.upstream.get(task_id, ()))
        date = live.run.logical_date
        if not past or date is None:
            return
        for other in live.dag.runs.values():
            later = other.run.logical_date is not None and other.run.logical_date > date
            if later and not other.is_finished:
                for past_id in past:
                    other.mark(past_id)
                self.look_again(other)

    def add_instance(self, live: LiveRun, ti: TaskInstance) -> None:
        """A new instance in a live run."""
        live.add(ti)
        self.ledger.new_task(ti)
        live.mark(ti.task_id, ti.map_index)

    def kill(self, ti: TaskInstance, reason: str) -> None:
        """End the process of an instance's try, if there may be one.

        A try that has only been queued gives its executor slot back at once (its process may never come to be);
        one that runs, when its end is reported.
        """
        token = ti.token
        if token is None or token not in self.tokens:
            return
        self.ledger.act(EndTry(key=ti.key, token=token, reason=reason))
        if ti.state is TaskState.QUEUED:
            self.forget_token(token)

    def remember_token(self, live: LiveRun, ti: TaskInstance) -> None:
        """The current try of an instance may have a process from now on, or a place on an event loop."""
        assert ti.token is not None
        self.tokens[ti.token] = (ti.key, ti.try_number)
        task = live.dag.graph.tasks.get(ti.task_id)
        if task is not None and on_loop(ti, task):
            self.on_loop.add(ti.token)

    def forget_token(self, token: str) -> tuple[TaskKey, int] | None:
        """A try has ended, or never will begin: its instance and try number, if it was known."""
        self.on_loop.discard(token)
        self.resting.discard(token)
        return self.tokens.pop(token, None)

    def set_resting(self, ti: TaskInstance, resting: bool) -> None:
        """The process of a running try only sleeps, or is awake again: its slots, but for those of its pool.

        One that wakes up takes them back at once, even if others have them: a poke is short.
        """
        assert ti.token is not None
        if resting is (ti.token in self.resting):
            return
        (self.resting.add if resting else self.resting.discard)(ti.token)
        self.slots.rest(ti, resting)

    def start_trigger(self, ti: TaskInstance) -> None:
        """Have the trigger of a deferred instance wait, and watch its time."""
        assert ti.token is not None
        self.triggers[ti.token] = ti.key
        if asking.question_of(ti) is not None:
            self.asking[ti.token] = ti.key
        self.ledger.act(StartTrigger(key=ti.key, token=ti.token))
        if ti.trigger_timeout is not None:
            self.timers.set(ti.trigger_timeout, TriggerTimeout(ti.key, ti.token))

    def _stop_trigger(self, ti: TaskInstance) -> None:
        assert ti.token is not None
        self.triggers.pop(ti.token, None)
        self.asking.pop(ti.token, None)
        self.ledger.act(StopTrigger(token=ti.token))
        ti.trigger = ti.trigger_timeout = None

    # ---- looking again ----------------------------------------------------------------------------------------------

    def settle(self, now: datetime) -> None:
        """Start queued runs and look again at what has changed, until nothing moves.

        Thousands of instances are looked at over several turns: `has_more` says that the next one is due at once.
        """
        budget, self._decisions = LOOKS, DECISIONS
        while self._dirty or self._to_start or (self.watching.is_woken and budget):
            budget -= self.watching.look(now, budget)
            for dag_id in list(self._to_start):
                del self._to_start[dag_id]
                self._start_runs(self.dags[dag_id], now)
            if not self._dirty:
                return
            live = self._dirty.pop(next(iter(self._dirty)))
            if live.dag.active and live.run.state is RunState.RUNNING:
                if not self._look_at(live, now):
                    self.look_again(live)
                    return
                self._end_if_over(live, now)

    @property
    def has_more(self) -> bool:
        """Whether the last `settle` has left something for the next one."""
        return self._decisions <= 0 or self.watching.is_woken

    def _look_at(self, live: LiveRun, now: datetime) -> bool:
        """Decide about what is dirty in a run; False: as much as one turn may, and there is more.

        What is held because the DAG is paused stays dirty, so that all of it is looked at in one go.
        """
        look = _Look(now, [], set())
        limit = self._decisions if live.is_open else _NO_LIMIT
        while live.dirty and limit > 0:
            task_id = next(iter(live.dirty))
            indexes = live.dirty.pop(task_id)
            if task_id not in live.dag.graph.tasks or (indexes is None and planner.all_wait(live, task_id)):
                continue
            by_index = live.tis[task_id]
            wanted = list(by_index) if indexes is None else sorted(indexes & by_index.keys())
            for map_index in wanted[limit:]:
                live.mark(task_id, map_index)
            for map_index in wanted[:limit]:
                ti = by_index.get(map_index)  # an expansion may have replaced it meanwhile
                if ti is not None and ti.state in SCHEDULABLE:
                    self._decide(live, ti, look)
            limit -= len(wanted)
            self._decisions -= len(wanted)
        is_done = not live.dirty
        for ti in look.held:
            live.mark(ti.task_id, ti.map_index)
        return is_done

    def _decide(self, live: LiveRun, ti: TaskInstance, look: _Look) -> None:
        verdict = planner.decide(live, ti, look.now)
        if verdict is Verdict.WAIT:
            return
        if verdict is not Verdict.RUN:
            self.move(live, ti, _BY_RULE[verdict], look.now)
        elif not live.is_open:
            look.held.append(ti)
        elif ti.task_id not in live.dag.graph.expands:
            self.schedule(live, ti, look.now)
        elif ti.map_index < 0:
            expansion.expand(self, live, ti, look.now)
        else:
            if ti.task_id not in look.fitted:
                look.fitted.add(ti.task_id)
                expansion.fit(self, live, ti.task_id, mapping.map_length(live, ti.task_id), look.now)
            if ti.state in SCHEDULABLE:
                self.schedule(live, ti, look.now)

    def schedule(self, live: LiveRun, ti: TaskInstance, now: datetime) -> None:
        """The dependencies of an instance are met: into the slot queue, or, with nothing to run, to its end."""
        task = live.dag.graph.tasks[ti.task_id]
        if ti.state not in (TaskState.UP_FOR_RESCHEDULE, TaskState.DEFERRED):
            ti.try_number += 1
            ti.first_poke_at = ti.first_poke_at if goes_on_waiting(task, ti) else None
            ti.poke_count = 0
            ti.map_length = None
            ti.next_method = ti.next_kwargs = None
        ti.not_before = None
        ti.scheduled_at = now
        ti.ended_at = None
        if task.is_empty or (live.orders is not None and live.orders.options.mark_success):
            ti.started_at = now
            self.move(live, ti, Event.PASS, now)
            return
        refresh(ti, live)
        if self.watching.take(live, ti, now):
            return
        if task.start_trigger is not None and ti.state is not TaskState.DEFERRED:
            ti.started_at = now
            if ti.try_number > 1:
                self.ledger.write(ClearXComs(key=ti.key))
            deferral.defer(self, live, ti, task.start_trigger, now)
            return
        self.move(live, ti, Event.READY, now)
        launching.enqueue(self, live, ti)

    # ---- runs -------------------------------------------------------------------------------------------------------

    def _start_runs(self, dag: LiveDag, now: datetime) -> None:
        """Start queued runs of a DAG as far as max_active_runs allows, earliest logical date first.

        Backfills start theirs themselves; one that was cleared later on starts like any other.
        """
        if not dag.is_open:
            return
        room = dag.spec.max_active_runs - dag.count(RunState.RUNNING)
        queued = [live for live in dag.runs.values() if live.run.state is RunState.QUEUED]
        queued.sort(key=lambda live: (live.run.logical_date or live.run.run_after, live.seq))
        for live in queued:
            if room <= 0:
                return
            if live.run.run_after > now:
                self.timers.set(live.run.run_after, RunDue(live.key))
                continue
            room -= 1
            self.start_run(live, now)

    def start_run(self, live: LiveRun, now: datetime) -> None:
        """Have a run begin."""
        self.set_run_state(live, RunState.RUNNING, now)
        live.run.started_at = live.run.started_at or now
        self.watch_run(live)
        live.mark_all()
        self.look_again(live)

    def watch_run(self, live: LiveRun) -> None:
        """Set the timer of dagrun_timeout."""
        limit, started = live.dag.spec.dagrun_timeout, live.run.started_at
        if limit is not None and started is not None:
            self.timers.set(started + limit, RunTimeout(live.key, started))

    def set_run_state(
        self, live: LiveRun, state: RunState, now: datetime, *, actor: str = "scheduler", **details: Any
    ) -> None:
        """Move a run; its ends, timestamps and journal."""
        run, before = live.run, live.run.state
        self.ledger.touch_run(run, before)
        if state is before:
            return
        run.state = state
        self.watching.run_moved(live)
        run.ended_at = now if live.is_finished else None
        if not live.is_finished:
            live.dag.ended.pop(run.run_id, None)
        if state is RunState.QUEUED:
            run.queued_at = now
            run.started_at = None
            self.want_start(live.dag)
        self.ledger.journal_run(run, f"run.{state.value}", now, before.value, actor, details)
        if live.is_finished:
            self.rest(live, now)
            self.ledger.act(RunEnded(dag_id=run.dag_id, run_id=run.run_id, state=state))
            self.calendar.room(live.dag, now)
            self.datasets.look_again(run.dag_id)
            self.want_start(live.dag)

    def rest(self, live: LiveRun, now: datetime) -> None:
        """Note that a finished run is in memory only for a while."""
        live.touched_at = now
        live.dag.note_end(live.run)
        self._ended[live.key] = live

    def _end_if_over(self, live: LiveRun, now: datetime) -> None:
        result = outcome(live)
        if result is None:
            return
        state, reason = result
        self.end_run(live, state, reason, now)

    def end_run(self, live: LiveRun, state: RunState, reason: str, now: datetime) -> None:
        """A run has come to its end: state, callbacks, and what follows for its DAG."""
        self.set_run_state(live, state, now, reason=reason)
        word = "success" if state is RunState.SUCCESS else "failure"
        if word in live.dag.spec.callbacks:
            self.ledger.act(CallBack(kind=f"dag_{word}", dag_id=live.run.dag_id, run_id=live.run.run_id, reason=reason))
        limit = live.dag.spec.max_consecutive_failed_dag_runs
        if state is RunState.FAILED and limit and failed_in_a_row(live.dag) >= limit:
            reason = f"the last {limit} runs have failed (max_consecutive_failed_dag_runs)"
            self.set_paused(live.dag, True, now, reason=reason)

    def set_paused(
        self, dag: LiveDag, paused: bool, now: datetime, *, actor: str = "scheduler", **details: Any
    ) -> None:
        """Pause: what runs goes on, nothing new starts. Unpause: take up again what was held."""
        if dag.paused == paused:
            return
        dag.paused = paused
        word = "paused" if paused else "unpaused"
        self.ledger.write(Journal(at=now, event=f"dag.{word}", dag_id=dag.spec.dag_id, actor=actor, details=details))
        self.calendar.replan(dag, now)
        self.datasets.set_paused(dag.spec.dag_id, paused)
        self.reconsider(dag)

    def reconsider(self, dag: LiveDag) -> None:
        """Look again at everything in a DAG."""
        self.want_start(dag)
        for live in dag.runs.values():
            if live.run.state is RunState.RUNNING:
                live.mark_all()
                self.look_again(live)

    def want_start(self, dag: LiveDag) -> None:
        """Have `settle` see which queued runs of a DAG can start."""
        self._to_start[dag.spec.dag_id] = None

    def forget_ended(self, now: datetime) -> None:
        """Drop finished runs that nobody has looked at for a while, unless a later run may depend on them."""
        if self.keep_ended is None:
            return
        for key, live in list(self._ended.items()):
            if not live.is_finished:
                del self._ended[key]
            elif live.touched_at is None or now - live.touched_at <= self.keep_ended:
                continue
            elif not live.may_be_looked_at and not self._is_awaited(live):
                self.forget_run(live)
                live.dag.keep_date(live.run.logical_date)

    def forget_run(self, live: LiveRun) -> None:
        """Take a run in which nothing is under way out of memory."""
        self._ended.pop(live.key, None)
        self._dirty.pop(live.key, None)
        live.dag.runs.pop(live.run.run_id, None)
        if live.run.logical_date is not None:
            live.dag.by_date.pop(live.run.logical_date, None)
        self.told = {entry for entry in self.told if entry[0] != live.key}

    def _is_awaited(self, live: LiveRun) -> bool:
        """A backfill that is under way has not come to this run yet."""
        date = live.run.logical_date
        return any(fill.row.dag_id == live.run.dag_id and fill.is_about(date) for fill in self.backfills.values())
