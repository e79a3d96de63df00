"""The next run of each DAG: when it is planned, what holds it back, what is written down about it.

Uses `core.timetable` for built-in schedules; for a `CustomTimetable` it emits NeedTimetable and takes the answer later.
The rules of who may have runs (Airflow): a paused DAG plans but does not run; while max_active_runs runs are queued or
running, no further one is made, and afterwards the plan is worked out anew, so that without catchup it jumps to the
latest interval.
"""

from __future__ import annotations

from datetime import datetime

from asyncflow.core import timetable
from asyncflow.core.commands import NeedTimetable, SaveDagState
from asyncflow.core.ledger import Ledger
from asyncflow.core.live import LiveDag
from asyncflow.core.models import DagRun
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState, RunType
from asyncflow.core.timers import PlannedRun, Timers
from asyncflow.core.timetable import CustomTimetable, DagRunInfo, DataInterval

AUTOMATED = frozenset({RunType.SCHEDULED, RunType.BACKFILL})


class Calendar:
    """Plans next runs."""

    def __init__(self, ledger: Ledger, timers: Timers) -> None:
        self._ledger = ledger
        self._timers = timers

    def replan(self, dag: LiveDag, now: datetime) -> None:
        """Work out the next run from the last automated one."""
        if isinstance(dag.spec.timetable, CustomTimetable):
            self._plan(dag, None)
            if dag.spec.timetable.can_be_scheduled:
                self._ledger.act(NeedTimetable(dag_id=dag.spec.dag_id))
            return
        self._plan(dag, next_info(dag, now, catchup=dag.spec.catchup))

    def answer(self, dag: LiveDag, info: DagRunInfo | None) -> None:
        """What a custom timetable wants."""
        self._plan(dag, info)

    def _plan(self, dag: LiveDag, info: DagRunInfo | None) -> None:
        dag.next_run = info
        dag.blocked = False
        if info is not None:
            self._arm(dag)
        self.save(dag)

    def _arm(self, dag: LiveDag) -> None:
        """Set the timer of the next run, unless it has to wait for other runs to end."""
        assert dag.next_run is not None
        dag.blocked = dag.count(RunState.QUEUED, RunState.RUNNING) >= dag.spec.max_active_runs
        if dag.is_open and not dag.blocked:
            self._timers.set(dag.next_run.run_after, PlannedRun(dag.spec.dag_id, dag.next_run))

    def save(self, dag: LiveDag) -> None:
        """Write the plan down."""
        info = dag.next_run
        self._ledger.save_dag(
            SaveDagState(
                dag_id=dag.spec.dag_id,
                paused=dag.paused,
                next_logical_date=info.logical_date if info else None,
                next_interval_start=info.data_interval.start if info else None,
                next_interval_end=info.data_interval.end if info else None,
                next_run_after=info.run_after if info else None,
            )
        )

    def room(self, dag: LiveDag, now: datetime) -> None:
        """A run of the DAG has ended: go on if the plan waited for that."""
        if dag.blocked:
            self.replan(dag, now)

    def still_planned(self, dag: LiveDag | None, timer: PlannedRun) -> bool:
        """Whether a timer is about the plan as it is now."""
        return dag is not None and dag.next_run is timer.info and dag.is_open and not dag.blocked

    def made(self, dag: LiveDag, info: DagRunInfo, now: datetime) -> None:
        """The planned run exists: plan the one after it."""
        dag.last_interval = info.data_interval
        dag.taken = {date for date in dag.taken if date > info.logical_date}
        self.replan(dag, now)

    def note_run(self, dag: LiveDag, run: DagRun) -> None:
        """Remember how far scheduled and backfill runs have come."""
        start, end = run.data_interval_start or run.logical_date, run.data_interval_end or run.logical_date
        if run.run_type in AUTOMATED and start is not None and end is not None:
            self.note_interval(dag, DataInterval(start, end))

    def note_interval(self, dag: LiveDag, interval: DataInterval) -> None:
        """Remember the newest interval that has a run."""
        if dag.last_interval is None or interval.start > dag.last_interval.start:
            dag.last_interval = interval

    def skip_missed(self, dag: LiveDag, now: datetime) -> None:
        """Treat all intervals that are due as if they had run."""
        if isinstance(dag.spec.timetable, CustomTimetable):
            return
        info = next_info(dag, now, catchup=False)
        if info is not None and info.run_after <= now:
            dag.last_interval = info.data_interval
        self.replan(dag, now)


def next_info(dag: LiveDag, now: datetime, *, catchup: bool) -> DagRunInfo | None:
    """The run after the last automated one."""
    earliest, latest = restriction(dag.spec)
    return timetable.next_run(
        dag.spec.timetable, last=dag.last_interval, earliest=earliest, latest=latest, catchup=catchup, now=now
    )


def restriction(spec: DagSpec) -> tuple[datetime | None, datetime | None]:
    """From when to when runs make sense: the earliest start date and the latest end date of the DAG and its tasks.

    The tasks' end dates count only if all have one.
    """
    starts = [task.start_date for task in spec.tasks.values()] + [spec.start_date]
    ends = [task.end_date for task in spec.tasks.values()]
    if any(end is None for end in ends):
        latest = spec.end_date
    else:
        latest = max((end for end in [*ends, spec.end_date] if end is not None), default=None)
    return min((start for start in starts if start is not None), default=None), latest
