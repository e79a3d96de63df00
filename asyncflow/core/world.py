"""The scheduler as one pure object: facts and people's wishes go in, `Effects` come out.

`World` is the only door to the core for the engine and for tests. It is synchronous and does no I/O; time is the `now`
of each call, tokens come from `new_token`. What a call changes is collected until `drain()`.

    world.try_ended(fact); world.clear(...)      facts and wishes, any number
    world.poll(now)                              what is due, what follows, who gets a slot
    effects = world.drain()                      commit the writes, then carry out the acts
    world.next_wakeup()                          when to poll next if nothing happens before

Decisions live in the modules beside it: `planner` (dependencies), `trigger_rules`, `mapping`, `past`, `slots`, `retry`,
`ending`, `calendar` (next runs). What people wish for is in `wishes`, looking without touching in `sight`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncflow.core import alarms, backfill, deferral, integrity, lateness, launching, tries
from asyncflow.core.calendar import restriction
from asyncflow.core.commands import Effects, Journal, SaveDatasetEvent, TriggerEndedFact, TryEndedFact, TryStartedFact
from asyncflow.core.live import LiveDag, LiveRun
from asyncflow.core.machine import Machine
from asyncflow.core.messages import AskTimetable
from asyncflow.core.models import (
    Backfill,
    DagRun,
    DatasetState,
    Pool,
    TaskInstance,
    TaskKey,
)
from asyncflow.core.retry import DEFAULT_CAP
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.core.timers import InstanceDue, PlannedRun
from asyncflow.core.timetable import CustomTimetable, DagRunInfo, DataInterval, NullTimetable, run_id
from asyncflow.core.watching import Watching
from asyncflow.core.wishes import Wishes
from asyncflow.errors import Conflict

#: how long a finished run stays in memory after it was last needed
KEEP_ENDED = timedelta(minutes=1)
#: how often a turn looks at backfills, each time making as many runs as may be active
BACKFILLS_PER_TURN = 4
ASYNC_CONCURRENCY = 1_000
AT_ONCE = datetime.min.replace(tzinfo=UTC)


class World(Wishes):
    """All active DAGs, runs and task instances, and the rules that move them."""

    def __init__(
        self,
        *,
        parallelism: int,
        async_concurrency: int = ASYNC_CONCURRENCY,
        new_token: Callable[[], str],
        keep_ended: timedelta | None = KEEP_ENDED,
        max_retry_delay: timedelta = DEFAULT_CAP,
    ) -> None:
        """`parallelism`: processes at once; `async_concurrency`: async tasks, which have none.

        `keep_ended` None: finished runs are never forgotten.
        """
        self._go_on: datetime | None = None  #: the last turn has left something to do
        self._machine = Machine(
            parallelism=parallelism,
            async_concurrency=async_concurrency,
            new_token=new_token,
            keep_ended=keep_ended,
            max_retry_delay=max_retry_delay,
        )

        self._machine.watching = Watching(self._machine)

    # ---- DAGs and pools ---------------------------------------------------------------------------------------------

    def put_dag(
        self,
        spec: DagSpec,
        version: str,
        *,
        paused: bool,
        now: datetime,
        last_run: DagRun | None = None,
        taken: Collection[datetime] = (),
        active: bool = True,
    ) -> None:
        """A new DAG or a new version of one; active runs follow it. Not `active`: no file defines it any more.

        `last_run`: the newest scheduled or backfill run in the store, from which the next one is planned. `taken`:
        logical dates after it that runs in the store have already (manual ones made ahead of time).
        """
        machine = self._machine
        dag = machine.dags.get(spec.dag_id)
        if dag is None:
            dag = machine.dags[spec.dag_id] = LiveDag(spec, version, paused=paused)
            machine.watching.dag_changed(dag)
        else:
            changed = dag.version != version
            dag.replace(spec, version)
            dag.paused = paused
            if changed:
                machine.watching.dag_changed(dag)
            for live in dag.runs.values():
                if live.is_finished:
                    live.index(list(live.instances()))
                else:
                    integrity.bring_into_line(machine, live, now)
                    machine.watch_run(live)
                    lateness.watch(machine, live)
        dag.active = active
        if last_run is not None:
            machine.calendar.note_run(dag, last_run)
        dag.taken.update(taken)
        machine.calendar.replan(dag, now)
        machine.datasets.put(spec.dag_id, spec.dataset_expression, paused=paused or not active, now=now)
        machine.reconsider(dag)

    def remove_dag(self, dag_id: str, now: datetime) -> None:
        """No file defines the DAG any more: nothing of it is started; what runs may end."""
        dag = self._machine.dags.get(dag_id)
        if dag is not None:
            dag.active = False
            self._machine.datasets.set_paused(dag_id, True)
            self._machine.ledger.write(Journal(at=now, event="dag.removed", dag_id=dag_id))

    def set_paused(self, dag_id: str, paused: bool, now: datetime, *, actor: str = "user") -> None:
        """Pause or unpause. Raises NotFound."""
        self._machine.set_paused(self._dag(dag_id), paused, now, actor=actor)

    def set_next_run(self, dag_id: str, info: DagRunInfo | None, now: datetime) -> None:
        """The answer to NeedTimetable."""
        dag = self._machine.dags.get(dag_id)
        if dag is not None and isinstance(dag.spec.timetable, CustomTimetable):
            self._machine.calendar.answer(dag, info)

    def timetable_question(self, dag_id: str, now: datetime) -> AskTimetable | None:
        """What to ask the host of a DAG with a custom timetable for its next run; None if there is nothing to ask."""
        dag = self._machine.dags.get(dag_id)
        if dag is None or not isinstance(dag.spec.timetable, CustomTimetable):
            return None
        earliest, latest = restriction(dag.spec)
        return AskTimetable(
            request_id=self._machine.new_token(),
            dag_id=dag_id,
            question="next",
            last_start=dag.last_interval.start if dag.last_interval else None,
            last_end=dag.last_interval.end if dag.last_interval else None,
            earliest=earliest,
            latest=latest,
            catchup=dag.spec.catchup,
            now=now,
        )

    def skip_missed(self, dag_id: str, now: datetime) -> None:
        """Let the schedule go on after now: intervals that are due already get no run."""
        self._machine.calendar.skip_missed(self._dag(dag_id), now)

    def put_pool(self, pool: Pool) -> None:
        """A new pool, or new slots for one; running tasks keep theirs."""
        self._machine.slots.pools[pool.name] = pool

    def remove_pool(self, name: str) -> None:
        """Tasks that name the pool wait until it is there again."""
        self._machine.slots.pools.pop(name, None)

    # ---- runs -------------------------------------------------------------------------------------------------------

    def load_run(self, run: DagRun, tis: Iterable[TaskInstance], now: datetime, *, history: bool = False) -> None:
        """Take a run from the store: an active one at the start, or a finished one that an action is about.

        `history`: it is only consulted (depends_on_past, runs failed in a row). Nothing is written. A run that is in
        memory already is left alone. The DAG may come later, by `put_dag`.
        """
        machine = self._machine
        dag = machine.dags.get(run.dag_id)
        if dag is None:
            nothing = DagSpec(dag_id=run.dag_id, timetable=NullTimetable())
            dag = machine.dags[run.dag_id] = LiveDag(nothing, "", paused=False)
            dag.active = False
        if run.run_id in dag.runs:
            return
        live = LiveRun(dag, run, machine.next_seq())
        live.index(tis)
        machine.add_run(dag, live)
        machine.calendar.note_run(dag, run)
        backfill.adopt(machine, live)
        if live.is_finished:
            machine.rest(live, now)
        elif not history:
            self._resume(live)

    def _resume(self, live: LiveRun) -> None:
        """Set the timers and queues of an active run that comes from the store."""
        machine = self._machine
        for ti in live.instances():
            if ti.state is TaskState.SCHEDULED and ti.task_id in live.dag.graph.tasks:
                launching.enqueue(machine, live, ti)
            machine.watching.resume(live, ti)
            if ti.state in (TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE) and ti.not_before is not None:
                machine.timers.set(ti.not_before, InstanceDue(ti.key, ti.not_before))
            if ti.token and ti.state in (TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING):
                machine.remember_token(live, ti)
                tries.watch(machine, live, ti)
            if ti.state is TaskState.DEFERRED:
                machine.start_trigger(ti)
        if live.run.state is RunState.RUNNING:
            machine.watch_run(live)
        lateness.watch(machine, live)
        live.mark_all()
        machine.look_again(live)
        machine.want_start(live.dag)

    def create_run(
        self,
        dag_id: str,
        *,
        run_type: RunType,
        logical_date: datetime | None,
        data_interval: DataInterval | None,
        run_after: datetime,
        run_id: str,
        conf: dict[str, Any] | None = None,
        triggered_by: str = "scheduler",
        note: str | None = None,
        external_trigger: bool | None = None,
        now: datetime,
    ) -> DagRun:
        """Make a run with its task instances, queued. Raises NotFound, and Conflict if its id or date is taken.

        Only runs in memory are compared; the engine asks the store before. Without `external_trigger`, what is made by
        hand counts as triggered from outside.
        """
        dag = self._dag(dag_id)
        for live in dag.runs.values():
            if live.run.run_id == run_id or (logical_date is not None and live.run.logical_date == logical_date):
                raise Conflict(
                    "DAG {dag!r} already has the run {run!r} with this run id or logical date.",
                    dag=dag_id,
                    run=live.run.run_id,
                )
        run = DagRun(
            dag_id=dag_id,
            run_id=run_id,
            run_type=run_type,
            logical_date=logical_date,
            data_interval_start=data_interval.start if data_interval else None,
            data_interval_end=data_interval.end if data_interval else None,
            run_after=run_after,
            queued_at=now,
            conf=conf or {},
            external_trigger=run_type is RunType.MANUAL if external_trigger is None else external_trigger,
            version=dag.version,
            triggered_by=triggered_by,
            note=note,
        )
        machine = self._machine
        integrity.make_run(machine, LiveRun(dag, run, machine.next_seq()), now, {"conf": run.conf} if run.conf else {})
        return run

    # ---- datasets ---------------------------------------------------------------------------------------------------

    def load_datasets(self, state: DatasetState) -> None:
        """Take over what the store knows of datasets: before any update, and before their DAGs' files are loaded."""
        self._machine.datasets.load(state)

    def update_dataset(self, uri: str, *, extra: dict[str, Any], now: datetime, actor: str) -> SaveDatasetEvent:
        """A dataset was updated from outside: runs of the DAGs that wait for it follow at the next poll."""
        return self._machine.datasets.updated(uri, extra=extra, now=now, actor=actor)

    def forget_dataset_queue(self, dag_id: str, uri: str | None = None) -> list[str]:
        """Have a DAG wait anew for one dataset, or for all; returns those that were updated already."""
        return self._machine.datasets.forget_queue(dag_id, uri)

    def _make_dataset_runs(self, now: datetime) -> bool:
        """Make the runs of DAGs that have all datasets they wait for; False if there was none to make."""
        made = False
        for dag_id in self._machine.datasets.ripe():
            dag = self._machine.dags.get(dag_id)
            # One that is not loaded yet, paused or full is looked at again when that changes.
            if dag is not None and dag.is_open and self._has_room(dag):
                self._make_dataset_run(dag_id, now)
                made = True
        return made

    def _has_room(self, dag: LiveDag) -> bool:
        return dag.count(RunState.QUEUED, RunState.RUNNING) < dag.spec.max_active_runs

    def _make_dataset_run(self, dag_id: str, now: datetime) -> None:
        date, interval = self._machine.datasets.trigger(dag_id)
        while self.has_run_at(dag_id, date):
            date += timedelta(microseconds=1)
        name = run_id(RunType.DATASET_TRIGGERED, date)
        self.create_run(
            dag_id,
            run_type=RunType.DATASET_TRIGGERED,
            logical_date=date,
            data_interval=interval,
            run_after=min(date, now),
            run_id=name,
            triggered_by="dataset",
            now=now,
        )
        self._machine.datasets.take(dag_id, name)

    # ---- tries ------------------------------------------------------------------------------------------------------

    def try_started(self, fact: TryStartedFact) -> None:
        """A try's process is up; a token nobody knows is refused, and the process told to end."""
        tries.started(self._machine, fact)

    def try_ended(self, fact: TryEndedFact) -> None:
        """A try's process has ended; a token nobody knows is refused."""
        tries.ended(self._machine, fact)

    def trigger_ended(self, fact: TriggerEndedFact) -> None:
        """The trigger of a deferred instance has fired or failed; a token nobody knows is refused."""
        deferral.ended(self._machine, fact)

    def try_rests(self, token: str, resting: bool) -> None:
        """A running try says that it sleeps until its next poke, or is awake again."""
        known = self._machine.tokens.get(token)
        found = self._machine.find(known[0]) if known else None
        if found is not None and found[1].token == token and found[1].state is TaskState.RUNNING:
            self._machine.set_resting(found[1], resting)

    # ---- sensors without a process ----------------------------------------------------------------------------------

    def run_looked_up(
        self,
        dag_id: str,
        logical_date: datetime,
        found: tuple[DagRun, list[TaskInstance]] | None,
        *,
        near: Sequence[DagRun] = (),
        now: datetime,
    ) -> None:
        """The answer to LookUpRun: the run, or, when there is none, the runs with the next dates on either side."""
        if found is not None:
            self.load_run(*found, now, history=True)
        self._machine.watching.looked_up(dag_id, logical_date, None if found is not None else tuple(near), now)

    def file_looked_for(self, key: TaskKey, token: str, path: str | None, now: datetime) -> None:
        """The answer to LookForFile: the first path that matches, if any."""
        self._machine.watching.looked_for(key, token, path, now)

    def load_missed(self, missed: Iterable[tuple[str, str, datetime]]) -> None:
        """SLAs and deadlines (dag_id, run_id, when) that the store knows as missed: they are not told again."""
        self._machine.told.update(((dag_id, run_id), at) for dag_id, run_id, at in missed)

    def load_backfill(self, row: Backfill) -> None:
        """Go on with a backfill from the store; to be called before its runs are loaded."""
        backfill.resume(self._machine, row)

    # ---- time -------------------------------------------------------------------------------------------------------

    def poll(self, now: datetime) -> None:
        """Do everything that is due, follow all consequences, hand out slots."""
        machine = self._machine
        for timer in machine.timers.due(now):
            if isinstance(timer, PlannedRun):
                self._make_planned(timer, now)
            else:
                alarms.fire(machine, timer, now)
        machine.settle(now)
        while self._make_dataset_runs(now):
            machine.settle(now)
        self._go_on = None
        for _ in range(BACKFILLS_PER_TURN):
            if not backfill.advance(machine, now):
                break
            machine.settle(now)
        else:
            self._go_on = now  # runs with nothing to do end at once: a year of them is no matter of one turn
        launching.launch(machine, now)
        machine.forget_ended(now)

    def _make_planned(self, timer: PlannedRun, now: datetime) -> None:
        machine = self._machine
        dag = machine.dags.get(timer.dag_id)
        if dag is None or not machine.calendar.still_planned(dag, timer):
            return
        if dag.count(RunState.QUEUED, RunState.RUNNING) >= dag.spec.max_active_runs:
            dag.blocked = True
            return
        info = timer.info
        if not self.has_run_at(timer.dag_id, info.logical_date):  # never two runs for one logical date (gotcha 7)
            self.create_run(
                timer.dag_id,
                run_type=RunType.SCHEDULED,
                logical_date=info.logical_date,
                data_interval=info.data_interval,
                run_after=info.run_after,
                run_id=run_id(RunType.SCHEDULED, info.logical_date),
                now=now,
            )
        machine.calendar.made(dag, info, now)

    def next_wakeup(self) -> datetime | None:
        """When to poll if nothing happens before; may lie in the past; None: only a fact changes anything."""
        if self._go_on is not None:
            return self._go_on
        if self._machine.has_more:
            return AT_ONCE
        return self._machine.timers.next(lambda timer: alarms.matters(self._machine, timer))

    def drain(self) -> Effects:
        """Everything since the last drain."""
        return self._machine.ledger.drain()
