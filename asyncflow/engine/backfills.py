"""What people do with backfills: start, list, cancel. Part of `engine.actions`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import anyio.to_thread

from asyncflow.core import timetable
from asyncflow.core.backfill import AGAIN, Plan
from asyncflow.core.messages import AskTimetable
from asyncflow.core.models import Backfill, BackfillDate, BackfillOptions, DagRun
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import BackfillState, Reprocess, RunType
from asyncflow.core.timetable import ContinuousTimetable, CustomTimetable, DataInterval, DatasetOrTimeTimetable, run_id
from asyncflow.core.world import World
from asyncflow.engine.clock import Clock
from asyncflow.engine.files import DagFiles
from asyncflow.engine.jsonable import iso, struct_dict
from asyncflow.engine.launcher import Launcher
from asyncflow.engine.moments import moment
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict, InvalidInput, NotAccepted, NotFound
from asyncflow.store.database import Store, StoredDag
from asyncflow.store.runs import LoadedRun

_UNDER_WAY = (BackfillState.RUNNING, BackfillState.FAILING, BackfillState.CANCELLING)
#: more dates than anyone means: 20 years of hours
MAX_DATES = 200_000
#: runs that are read at once
_AT_ONCE = 100


def scheduled_dates(spec: DagSpec, start: datetime, end: datetime, most: int = MAX_DATES) -> list[BackfillDate]:
    """The runs that the schedule has between two moments, both inclusive; the DAG's own dates do not matter.

    Raises OnlyHostKnows for a custom timetable, InvalidInput for too many runs.
    """
    found: list[BackfillDate] = []
    inner = spec.timetable.inner if isinstance(spec.timetable, DatasetOrTimeTimetable) else spec.timetable
    last: DataInterval | None = None
    earliest: datetime | None = start
    while True:
        info = timetable.next_run(spec.timetable, last=last, earliest=earliest, latest=end, catchup=True, now=end)
        if info is None or not start <= info.logical_date <= end:
            return found
        if found and info.logical_date <= found[-1].logical_date:
            return found  # a continuous schedule has no ticks to go on to
        found.append(BackfillDate(info.logical_date, info.data_interval.start, info.data_interval.end))
        if len(found) > most:
            raise InvalidInput("There are more than {most} runs between these dates: choose fewer.", most=most)
        last = info.data_interval
        if not isinstance(inner, ContinuousTimetable):
            earliest = None  # every later one is: looking for the first tick again costs as much as the next run


def options_of(given: Mapping[str, Any]) -> BackfillOptions:
    """The options of an action's parameters. One date alone is both. Raises InvalidInput."""
    start, end = moment(given.get("start_date"), "start_date"), moment(given.get("end_date"), "end_date")
    if start is None and end is None:
        raise InvalidInput("A backfill needs a start date and/or an end date.")
    first, last = start or end, end or start
    assert first is not None
    assert last is not None
    if first > last:
        raise InvalidInput("The start date {first} is after the end date {last}.", first=iso(first), last=iso(last))
    limit = given.get("max_active_runs")
    if limit is not None and limit < 1:
        raise InvalidInput("max_active_runs={limit}: at least one run must be able to run.", limit=limit)
    return BackfillOptions(
        start=first,
        end=last,
        conf=given.get("conf") or {},
        run_backwards=bool(given.get("run_backwards")),
        rerun_failed_tasks=bool(given.get("rerun_failed_tasks")),
        reset=bool(given.get("reset_dagruns")),
        continue_on_failures=bool(given.get("continue_on_failures")),
        disable_retry=bool(given.get("disable_retry")),
        mark_success=bool(given.get("mark_success")),
        ignore_dependencies=bool(given.get("ignore_dependencies")),
        pool=given.get("pool"),
        max_active_runs=limit,
        reprocess=_reprocess(given.get("reprocess")),
    )


def _reprocess(text: str | None) -> Reprocess | None:
    try:
        return Reprocess(text) if text else None
    except ValueError:
        raise NotAccepted("reprocess", text, Reprocess) from None


class BackfillActions:
    """Backfills: a part of `engine.actions.Actions`. Arguments and answers are JSON values."""

    _store: Store
    _scheduler: Scheduler
    _files: DagFiles
    _launcher: Launcher
    _clock: Clock

    async def backfill_dag(
        self,
        dag_id: str,
        start_date: str | None = None,
        end_date: str | None = None,
        *,
        task_regex: str | None = None,
        dry_run: bool = False,
        most: int = MAX_DATES,
        triggered_by: str = "cli",
        **how: Any,
    ) -> dict[str, Any]:
        """Have a DAG run for the dates of its schedule between two moments, both inclusive.

        `how`: the fields of `core.models.BackfillOptions`, as the command line names them. Returns the backfill_id
        (None: nothing was begun, `refused` says why) and the runs; `dry_run` only tells. Raises InvalidInput for more
        than `most` runs.
        """
        unknown = sorted(how.keys() - _OPTIONS)
        if unknown:
            raise InvalidInput("backfill_dag: no such option: {names}.", names=tuple(unknown))
        dag = await self._backfillable(dag_id)
        options = options_of({"start_date": start_date, "end_date": end_date, **how})
        dates = await self._dates(dag, options, min(most, MAX_DATES))
        found, known = await self._runs_between(dag_id, options, dates)
        backfill_id = await self._store.last_backfill() + 1

        def decide(world: World, now: datetime) -> tuple[int, Plan]:
            for run, tis in found:
                world.load_run(run, tis, now)
            number = max(backfill_id, world.last_backfill + 1)
            return number, world.backfill(
                dag_id,
                options,
                dates,
                backfill_id=number,
                task_regex=task_regex,
                known=known,
                dry_run=dry_run,
                now=now,
                actor=triggered_by,
            )

        number, plan = await self._scheduler.do(decide)
        begun = not (dry_run or plan.refused)
        return {
            "dag_id": dag_id,
            "backfill_id": number if begun else None,
            "refused": plan.refused,
            "runs": [_planned(entry, plan) for entry in plan.dates],
            "cleared": [list(key) for key in plan.cleared],
            "tasks": list(plan.tasks),
            "left": [{"run_id": run.run_id, "state": run.state.value} for run in plan.left],
            "paused": dag.paused,
        }

    async def _backfillable(self, dag_id: str) -> StoredDag:
        dag = await self._store.load_dag(dag_id)
        if dag is None:
            raise NotFound("DAG", dag_id, [d.spec.dag_id for d in await self._store.load_dags()])
        if not dag.active:
            raise Conflict("DAG {dag!r} is not in the DAG folder any more, so it cannot run.", dag=dag_id)
        await self._files.ready(dag_id)
        return dag

    async def _dates(self, dag: StoredDag, options: BackfillOptions, most: int) -> list[BackfillDate]:
        if isinstance(dag.spec.timetable, CustomTimetable):
            return await self._asked_dates(dag.spec.dag_id, options, most)
        # Years of hours take seconds to work out.
        return await anyio.to_thread.run_sync(scheduled_dates, dag.spec, options.start, options.end, most)

    async def _asked_dates(self, dag_id: str, options: BackfillOptions, most: int) -> list[BackfillDate]:
        """The dates of a schedule that only the DAG's own code knows."""
        owner = self._files.owner(dag_id)
        if owner is None:
            raise Conflict("The file of DAG {dag!r} is not loaded yet, and only it knows the schedule.", dag=dag_id)
        found: list[BackfillDate] = []
        while len(found) <= most:
            question = AskTimetable(
                request_id=uuid.uuid4().hex,
                dag_id=dag_id,
                question="next",
                last_start=found[-1].start if found else None,
                last_end=found[-1].end if found else None,
                earliest=options.start,
                latest=options.end,
                catchup=True,
                now=self._clock.now(),
            )
            info = await self._launcher.ask(owner, question)
            if info is None or not options.start <= info.logical_date <= options.end:
                break
            if found and info.logical_date <= found[-1].logical_date:
                break  # a timetable that does not advance
            found.append(BackfillDate(info.logical_date, info.data_interval.start, info.data_interval.end))
        return found

    async def _runs_between(
        self, dag_id: str, options: BackfillOptions, dates: list[BackfillDate]
    ) -> tuple[list[LoadedRun], list[DagRun]]:
        """The runs of the range that it may take over and the one before, which a task may depend on; the others."""
        runs = await self._store.find_runs(dag_id, logical_from=options.start, logical_to=options.end, limit=-1)
        before = await self._store.run_before(dag_id, dates[0].logical_date if dates else None)
        wanted, left = runs, []
        if options.reprocess is not None:
            wanted = [run for run in runs if run.state in AGAIN[options.reprocess]]
            left = [run for run in runs if run.state not in AGAIN[options.reprocess]]
        names = [(dag_id, run.run_id) for run in [*wanted, *([before] if before else [])]]
        missing = [name for name in names if self._scheduler.world.run(*name) is None]
        loaded: list[LoadedRun] = []
        for at in range(0, len(missing), _AT_ONCE):
            loaded += await self._store.load_runs(missing[at : at + _AT_ONCE])
        return loaded, left

    async def list_backfills(self, dag_id: str | None = None, active: bool = False) -> list[dict[str, Any]]:
        """Backfills, newest first."""
        rows = await self._store.list_backfills(dag_id)
        return [_backfill_dict(row) for row in rows if row.state in _UNDER_WAY or not active]

    async def get_backfill(self, backfill_id: int) -> dict[str, Any]:
        """One backfill, with what it was asked for; `scheduling` is false when no server carries it out."""
        row = await self._stored_backfill(backfill_id)
        options = struct_dict(row.options)
        return {**_backfill_dict(row), "options": options, "scheduling": self._scheduler.scheduling}

    async def _stored_backfill(self, backfill_id: int) -> Backfill:
        row = await self._store.load_backfill(backfill_id)
        if row is None:
            raise NotFound(
                "backfill", str(backfill_id), [str(r.backfill_id) for r in await self._store.list_backfills()]
            )
        return row

    async def cancel_backfill(self, backfill_id: int, actor: str = "user") -> dict[str, Any]:
        """Make no further runs of it; those that are active go on."""
        row = await self._stored_backfill(backfill_id)
        done = await self._scheduler.do(lambda world, now: world.cancel_backfill(backfill_id, now=now, actor=actor))
        if not done:
            raise Conflict("Backfill {n} has ended already ({state}).", n=backfill_id, state=row.state)
        return _backfill_dict(await self._stored_backfill(backfill_id))

    async def pause_backfill(self, backfill_id: int, actor: str = "user") -> dict[str, Any]:
        """Let its further dates wait; runs that are active go on."""
        return await self._hold_backfill(backfill_id, True, actor)

    async def resume_backfill(self, backfill_id: int, actor: str = "user") -> dict[str, Any]:
        """Go on with the dates of a backfill that was paused."""
        return await self._hold_backfill(backfill_id, False, actor)

    async def _hold_backfill(self, backfill_id: int, paused: bool, actor: str) -> dict[str, Any]:
        row = await self._stored_backfill(backfill_id)
        if not await self._scheduler.do(
            lambda world, now: world.pause_backfill(backfill_id, paused, now=now, actor=actor)
        ):
            raise Conflict(
                "Backfill {n} makes no further runs ({state}).",
                backfill_id=backfill_id,
                state=row.state,
            )
        return _backfill_dict(await self._stored_backfill(backfill_id))


_OPTIONS = frozenset({*BackfillOptions.__struct_fields__, "reset_dagruns"}) - {"start", "end", "tasks", "reset"}


def _planned(entry: BackfillDate, plan: Plan) -> dict[str, Any]:
    run = plan.existing.get(entry.logical_date)
    return {
        "run_id": run.run_id if run else run_id(RunType.BACKFILL, entry.logical_date),
        "logical_date": iso(entry.logical_date),
        "start": iso(entry.start),
        "end": iso(entry.end),
        "state": run.state.value if run else None,
    }


def _backfill_dict(row: Backfill) -> dict[str, Any]:
    return {
        "backfill_id": row.backfill_id,
        "dag_id": row.dag_id,
        "state": row.state.value,
        "paused": row.paused,
        "runs": len(row.dates),
        "done": row.position,
        "first_date": iso(min((entry.logical_date for entry in row.dates), default=None)),
        "last_date": iso(max((entry.logical_date for entry in row.dates), default=None)),
        "created_at": iso(row.created_at),
        "ended_at": iso(row.ended_at),
        "triggered_by": row.triggered_by,
        "reason": row.reason,
    }
