"""What the scheduler must know of runs that are over, brought from the store before it decides.

depends_on_past looks at the run before, max_consecutive_failed_dag_runs at the last few, and a schedule must not come
to a logical date that a run made ahead of time has already.
"""

from __future__ import annotations

from datetime import datetime

from asyncflow.core.models import Backfill
from asyncflow.core.past import history_wanted
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import FINISHED_RUN, RunState, RunType
from asyncflow.store.database import Store
from asyncflow.store.runs import LoadedRun

NOT_MANUAL = [run_type for run_type in RunType if run_type is not RunType.MANUAL]
ACTIVE = [RunState.QUEUED, RunState.RUNNING]
#: more runs than anyone makes by hand ahead of the schedule
AHEAD_LIMIT = 1000


async def finished_runs(store: Store, spec: DagSpec, before: datetime | None = None) -> list[LoadedRun]:
    """The finished runs that a DAG's rules look at: the newest ones, and the one before each active run.

    `before`: also the one before this logical date, at which a run is about to be made.
    """
    wanted = history_wanted(spec)
    if not wanted:
        return []
    found = {run.run_id: run for run in await store.find_runs(spec.dag_id, states=list(FINISHED_RUN), limit=wanted)}
    dates = [run.logical_date for run in await store.find_runs(spec.dag_id, states=ACTIVE, limit=-1)]
    for date in [*dates, before]:
        run = await store.run_before(spec.dag_id, date, run_types=NOT_MANUAL if spec.catchup else None)
        if run is not None and run.state in FINISHED_RUN:
            found[run.run_id] = run
    loaded = [await store.load_run(spec.dag_id, run_id) for run_id in found]
    return [run for run in loaded if run is not None]


async def dates_ahead(store: Store, spec: DagSpec, last: datetime | None) -> list[datetime]:
    """Logical dates after the last automated run that runs have already."""
    runs = await store.find_runs(spec.dag_id, run_types=[RunType.MANUAL], logical_from=last, limit=AHEAD_LIMIT)
    return [run.logical_date for run in runs if run.logical_date is not None]


async def runs_to_come(store: Store, fill: Backfill) -> list[LoadedRun]:
    """The finished runs that a backfill which is under way will take over."""
    dates = {entry.logical_date for entry in fill.dates[fill.position :]}
    if not dates:
        return []
    runs = await store.find_runs(
        fill.dag_id, states=list(FINISHED_RUN), logical_from=min(dates), logical_to=max(dates), limit=-1
    )
    loaded = [await store.load_run(fill.dag_id, run.run_id) for run in runs if run.logical_date in dates]
    return [run for run in loaded if run is not None]
