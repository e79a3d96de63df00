"""Backfill: the runs of a stretch of time, made or taken over one after the other beside the schedule.

Pure, as Airflow's `dags backfill`. A backfill holds the dates it is about; as long as fewer of its runs than its limit
are active it goes on to the next one, and ends when the last has ended. Its runs are of type `backfill` whatever they
were before, start although the DAG is paused, do not count against the DAG's max_active_runs, and their tasks come
after all others in the slot queue, so that fresh runs win.

A task that failed ends the backfill once its active runs are over, unless it is to go on after failures. When nothing
of it can move any more (a dependency on a past that failed, runs after the DAG's end date) it ends as deadlocked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from asyncflow.core.clearing import Doing, Selection, clear
from asyncflow.core.commands import Journal, SaveBackfill, SaveBackfillProgress
from asyncflow.core.graph import DagGraph, closure
from asyncflow.core.integrity import bring_into_line, make_run
from asyncflow.core.live import LiveDag, LiveRun, Orders
from asyncflow.core.machine import Machine
from asyncflow.core.models import Backfill, BackfillDate, BackfillOptions, DagRun, TaskKey
from asyncflow.core.past import run_before
from asyncflow.core.sentence import Sentence, told
from asyncflow.core.states import FINISHED, BackfillState, Event, Reprocess, RunState, RunType, TaskState
from asyncflow.core.timetable import run_id
from asyncflow.errors import InvalidInput

_BROKEN = frozenset({TaskState.FAILED, TaskState.UPSTREAM_FAILED})
#: the states of runs that run again
AGAIN = {
    Reprocess.NONE: frozenset[RunState](),
    Reprocess.FAILED: frozenset({RunState.FAILED}),
    Reprocess.COMPLETED: frozenset({RunState.FAILED, RunState.SUCCESS}),
}
_FINAL = {BackfillState.FAILING: BackfillState.FAILED, BackfillState.CANCELLING: BackfillState.CANCELLED}


class LiveBackfill:
    """A backfill under way."""

    def __init__(self, row: Backfill) -> None:
        self.row = row
        self.active: set[str] = set()  #: run ids of its runs that have not ended
        self.first = min(entry.logical_date for entry in row.dates)
        self._to_come = {entry.logical_date for entry in row.dates[row.position :]}

    @property
    def is_waiting(self) -> bool:
        """Whether there are dates that have not had their turn."""
        return self.row.position < len(self.row.dates)

    @property
    def may_start(self) -> bool:
        """Whether the next date may have its turn."""
        return self.row.state is BackfillState.RUNNING and self.is_waiting and not self.row.paused

    @property
    def is_held(self) -> bool:
        """Whether it would go on were it not paused."""
        return self.row.state is BackfillState.RUNNING and self.is_waiting and self.row.paused

    def is_about(self, date: datetime | None) -> bool:
        """Whether a run of this date may still be needed."""
        return date in self._to_come

    def take(self) -> BackfillDate:
        """The date whose turn it is; there must be one."""
        entry = self.row.dates[self.row.position]
        self.row.position += 1
        self._to_come.discard(entry.logical_date)
        return entry


class Plan(NamedTuple):
    """What a backfill would do."""

    dates: tuple[BackfillDate, ...]  #: in the order of their turns
    existing: dict[datetime, DagRun]  #: runs that it would take over
    cleared: list[TaskKey]  #: what it resets first
    tasks: tuple[str, ...]  #: that it would run
    refused: str = ""  #: why it does nothing
    left: tuple[DagRun, ...] = ()  #: runs of the range that it leaves alone


def chosen_tasks(graph: DagGraph, regex: str, *, upstream: bool) -> tuple[str, ...]:
    """The tasks whose id the pattern matches, with all that is before them (`upstream`) and their setups and teardowns.

    Raises InvalidInput for no pattern, or one that matches nothing.
    """
    try:
        pattern = re.compile(regex)
    except re.error as error:
        raise InvalidInput(
            "task_regex={regex!r} is not a regular expression: {error}.", regex=regex, error=told(error)
        ) from None
    matched = [task_id for task_id in graph.tasks if pattern.search(task_id)]
    if not matched:
        raise InvalidInput("No task of the DAG matches {regex!r}.", regex=regex)
    found = set(matched) | (closure(matched, graph.upstream) if upstream else set())
    for task_id in matched:
        setups = graph.relevant_setups(task_id)
        found.update(setups, *(graph.teardowns_of(setup) for setup in setups))
    return tuple(task_id for task_id in graph.tasks if task_id in found)


def plan(
    doing: Doing,
    dag: LiveDag,
    options: BackfillOptions,
    dates: Sequence[BackfillDate],
    known: Sequence[DagRun] = (),
) -> Plan:
    """Look at the runs that are there. Unless it is a dry run, those of the range are cleared if `reset` says so.

    `known`: runs that need not be in memory, as `options.reprocess` leaves them alone.

    Raises InvalidInput when it is to go backwards over tasks that depend on the past.
    """
    past = [task_id for task_id, task in dag.graph.tasks.items() if task.depends_on_past]
    if options.run_backwards and past:
        raise InvalidInput(
            "A backfill cannot go backwards over tasks that depend on the past: {names}.", names=tuple(past)
        )
    tasks = tuple(dag.graph.tasks) if options.tasks is None else options.tasks
    ordered = tuple(reversed(dates)) if options.run_backwards else tuple(dates)
    existing = {live.run.logical_date: live.run for live in dag.runs.values() if live.run.logical_date is not None}
    if options.reprocess is not None:
        there = {run.logical_date: run for run in known if run.logical_date is not None} | existing
        return _plan_again(doing, dag, Plan(ordered, there, [], tasks), AGAIN[options.reprocess])
    inside = [live for live in dag.runs.values() if _in_range(live, options)]
    cleared = []
    if options.reset:
        cleared = clear(doing, dag, Selection([live.run.run_id for live in inside], tasks), states=None)
    taken = {d.logical_date: existing[d.logical_date] for d in ordered if d.logical_date in existing}
    plan = Plan(ordered, taken, cleared, tasks)
    if not dates:
        return plan._replace(refused=_NO_DATES)
    running = [live.run.run_id for live in inside if _is_running(live)]
    if running:
        return plan._replace(
            refused=Sentence(
                "Runs in this range are running now ({names}): wait for them or choose other dates.",
                names=tuple(running[:3]),
            )
        )
    return plan._replace(refused=_busy(doing.machine, dag, ordered))


_NO_DATES = Sentence("The schedule has no run between these dates.")
_ALL_THERE = Sentence("All runs between these dates are there already, and none of them is to run again.")


def _plan_again(doing: Doing, dag: LiveDag, plan: Plan, again: frozenset[RunState]) -> Plan:
    """Airflow 3's way: of the runs that are there, those in a state of `again` run again as a whole."""
    there = plan.existing
    found = (there.get(entry.logical_date) for entry in plan.dates)
    left = tuple(run for run in found if run is not None and run.state not in again)
    kept = {run.logical_date for run in left}
    dates = tuple(entry for entry in plan.dates if entry.logical_date not in kept)
    taken = {d.logical_date: there[d.logical_date] for d in dates if d.logical_date in there}
    refused = _busy(doing.machine, dag, dates)
    if not dates:
        refused = _ALL_THERE
    if not plan.dates:
        refused = _NO_DATES
    cleared = []
    if taken and not refused:
        cleared = clear(doing, dag, Selection([run.run_id for run in taken.values()], plan.tasks), states=None)
    return Plan(dates, taken, cleared, plan.tasks, refused, left)


def _busy(machine: Machine, dag: LiveDag, dates: Sequence[BackfillDate]) -> str:
    """Why another backfill is in the way; "" if none is."""
    busy = [fill.row.backfill_id for fill in machine.backfills.values() if _overlap(fill, dag, dates)]
    if not busy:
        return ""
    return Sentence("Backfill {n} is about some of these dates, too: wait for it or cancel it.", n=busy[0])


def _in_range(live: LiveRun, options: BackfillOptions) -> bool:
    date = live.run.logical_date
    return date is not None and options.start <= date <= options.end


def _is_running(live: LiveRun) -> bool:
    return live.run.state is RunState.RUNNING and live.run.run_type is not RunType.BACKFILL


def _overlap(fill: LiveBackfill, dag: LiveDag, dates: Sequence[BackfillDate]) -> bool:
    return fill.row.dag_id == dag.spec.dag_id and any(fill.is_about(entry.logical_date) for entry in dates)


def begin(machine: Machine, row: Backfill) -> None:
    """Take up a backfill; its first runs are made at the next look."""
    machine.backfills[row.backfill_id] = LiveBackfill(row)
    machine.last_backfill = row.backfill_id
    machine.ledger.write(SaveBackfill(backfill=row))
    _journal(machine, row, "backfill.created", row.created_at, row.triggered_by)


def resume(machine: Machine, row: Backfill) -> None:
    """A backfill that was under way when the server ended; its runs are loaded after it."""
    machine.backfills[row.backfill_id] = LiveBackfill(row)


def adopt(machine: Machine, live: LiveRun) -> None:
    """A run that comes from the store: it may belong to a backfill that is under way."""
    fill = machine.backfills.get(live.run.backfill_id or 0)
    if fill is not None and not live.is_finished:
        fill.active.add(live.run.run_id)
        _attach(fill, live)


def cancel(machine: Machine, backfill_id: int, now: datetime, actor: str) -> bool:
    """Start no further runs; those that run go on. False if it is not under way."""
    fill = machine.backfills.get(backfill_id)
    if fill is None:
        return False
    _journal(machine, fill.row, "backfill.cancelled", now, actor)
    _stop(machine, fill, BackfillState.CANCELLING, f"cancelled by {actor}")
    return True


def pause(machine: Machine, backfill_id: int, paused: bool, now: datetime, actor: str) -> bool:
    """Let further dates wait, or go on with them; runs that are active go on. False if it starts none any more."""
    fill = machine.backfills.get(backfill_id)
    if fill is None or fill.row.state is not BackfillState.RUNNING:
        return False
    if fill.row.paused is not paused:
        fill.row.paused = paused
        machine.ledger.backfill_progress(_progress(fill.row))
        _journal(machine, fill.row, "backfill.paused" if paused else "backfill.resumed", now, actor)
    return True


def advance(machine: Machine, now: datetime) -> bool:
    """Look at all backfills: note what has ended, start what may start. True if anything changed."""
    return any(_look(machine, fill, now) for fill in list(machine.backfills.values()))


def _look(machine: Machine, fill: LiveBackfill, now: datetime) -> bool:
    dag = machine.dags.get(fill.row.dag_id)
    if dag is None or not dag.active:
        return False
    for name in sorted(fill.active):
        _note_end(machine, fill, dag, name)
    started = False
    limit = fill.row.options.max_active_runs or dag.spec.max_active_runs
    while fill.may_start and len(fill.active) < limit:
        _next(machine, fill, dag, now)
        started = True
    if started:
        return True
    if not fill.active and fill.is_held:
        return False
    if not fill.active:
        _end(machine, fill, _FINAL.get(fill.row.state, BackfillState.SUCCESS), fill.row.reason, now)
    elif all(_is_stuck(dag.runs[name]) for name in fill.active) and not _others_may_help(fill, dag):
        names = ", ".join(sorted(fill.active)[:3])
        _end(machine, fill, BackfillState.FAILED, f"deadlocked: nothing can start in {names}", now)
    return False


def _note_end(machine: Machine, fill: LiveBackfill, dag: LiveDag, name: str) -> None:
    """A run that is over, or gone, is no longer active; a failed task in it may end the backfill."""
    live = dag.runs.get(name)
    if live is not None and not live.is_finished:
        return
    fill.active.discard(name)
    if live is None:
        return
    live.orders = None
    broken = [ti.task_id for ti in live.instances() if ti.state in _BROKEN]
    if broken and not fill.row.options.continue_on_failures and fill.row.state is BackfillState.RUNNING:
        _stop(machine, fill, BackfillState.FAILING, f"{broken[0]} failed in {name}")


def _next(machine: Machine, fill: LiveBackfill, dag: LiveDag, now: datetime) -> None:
    """The next date has its turn: its run is taken over, or made."""
    row, entry = fill.row, fill.take()
    machine.ledger.backfill_progress(_progress(row))
    live = dag.by_date.get(entry.logical_date)
    if live is None:
        live = _made(machine, fill, dag, entry, now)
    elif row.options.reprocess is Reprocess.NONE:
        return  # the schedule, or somebody, has made it meanwhile
    elif live.run.state is not RunState.RUNNING:
        _take_over(machine, fill, live, now)
    fill.active.add(live.run.run_id)  # one that the schedule has started meanwhile is only waited for
    if live.run.backfill_id == row.backfill_id:
        machine.start_run(live, now)


def _attach(fill: LiveBackfill, live: LiveRun) -> None:
    live.orders = Orders(fill.row.options, is_first=live.run.logical_date == fill.first)


def _made(machine: Machine, fill: LiveBackfill, dag: LiveDag, entry: BackfillDate, now: datetime) -> LiveRun:
    row = fill.row
    run = DagRun(
        dag_id=row.dag_id,
        run_id=run_id(RunType.BACKFILL, entry.logical_date),
        run_type=RunType.BACKFILL,
        logical_date=entry.logical_date,
        data_interval_start=entry.start,
        data_interval_end=entry.end,
        run_after=min(entry.end, now),
        queued_at=now,
        conf=row.options.conf,
        version=dag.version,
        triggered_by=row.triggered_by,
        backfill_id=row.backfill_id,
    )
    live = LiveRun(dag, run, machine.next_seq())
    _attach(fill, live)
    make_run(machine, live, now)
    return live


def _take_over(machine: Machine, fill: LiveBackfill, live: LiveRun, now: datetime) -> None:
    """A run that was there before: what succeeded in it stays."""
    run = live.run
    machine.ledger.touch_run(run, run.state)
    run.run_type = RunType.BACKFILL
    run.backfill_id = fill.row.backfill_id
    run.conf = fill.row.options.conf
    run.started_at = None
    _attach(fill, live)
    bring_into_line(machine, live, now)
    if fill.row.options.rerun_failed_tasks:
        for ti in list(live.instances()):
            if ti.state in _BROKEN:
                ti.max_tries = ti.try_number + live.dag.graph.tasks[ti.task_id].retries
                machine.move(live, ti, Event.CLEAR, now, actor=fill.row.triggered_by)
                live.mark(ti.task_id, ti.map_index)


def _is_stuck(live: LiveRun) -> bool:
    """Nothing is under way in a run, and all that is left waits for something outside of it, or for ever."""
    if live.run.state is not RunState.RUNNING or live.orders is None:
        return False
    if live.unfinished == live.waiting:
        return True
    left = [ti for ti in live.instances() if ti.state not in FINISHED and ti.state is not TaskState.NONE]
    return all(ti.state is TaskState.SCHEDULED and live.is_beyond_end(ti.task_id) for ti in left)


def _others_may_help(fill: LiveBackfill, dag: LiveDag) -> bool:
    """Whether a run outside of the backfill is under way whose end its runs may wait for."""
    for name in fill.active:
        before = run_before(dag.runs[name])
        if before is not None and not before.is_finished and before.run.run_id not in fill.active:
            return True
    return False


def _stop(machine: Machine, fill: LiveBackfill, state: BackfillState, reason: str) -> None:
    fill.row.state, fill.row.reason = state, reason
    machine.ledger.backfill_progress(_progress(fill.row))


def _end(machine: Machine, fill: LiveBackfill, state: BackfillState, reason: str, now: datetime) -> None:
    row = fill.row
    row.state, row.reason, row.ended_at, row.paused = state, reason, now, False
    del machine.backfills[row.backfill_id]
    machine.ledger.backfill_progress(_progress(row))
    _journal(machine, row, f"backfill.{state.value}", now, "scheduler")


def _progress(row: Backfill) -> SaveBackfillProgress:
    return SaveBackfillProgress(
        backfill_id=row.backfill_id,
        state=row.state,
        position=row.position,
        ended_at=row.ended_at,
        reason=row.reason,
        paused=row.paused,
    )


def _journal(machine: Machine, row: Backfill, event: str, at: datetime, actor: str) -> None:
    details = {"backfill_id": row.backfill_id, "runs": len(row.dates), "reason": row.reason}
    machine.ledger.write(Journal(at=at, event=event, dag_id=row.dag_id, actor=actor, details=details))
