"""What people can do with DAGs: list, pause, unpause, delete; a part of `engine.actions.Actions`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import anyio.lowlevel

from asyncflow.core import timetable
from asyncflow.core.models import DagRun
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState, RunType
from asyncflow.core.timetable import CustomTimetable, DagRunInfo, DataInterval
from asyncflow.core.world import World
from asyncflow.engine.audit import actor
from asyncflow.engine.clock import Clock
from asyncflow.engine.datasets import dataset_fields
from asyncflow.engine.jsonable import iso, run_dict, struct_dict
from asyncflow.engine.lookup import Lookup
from asyncflow.engine.moments import moment
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict, NotAccepted
from asyncflow.store.database import StoredDag

#: How many missed intervals are counted or listed at most.
MISSED_LIMIT = 1000
#: Rows of a long list that are made before the event loop gets its turn.
ROWS_AT_ONCE = 50


class Planned(NamedTuple):
    """Runs that a schedule will make, as far as somebody has asked: those after the first follow from it alone."""

    version: str
    runs: list[DagRunInfo | None]  #: ends with None where the schedule ends


class DagActions(Lookup):
    """Keyword arguments and answers are JSON values."""

    _scheduler: Scheduler
    _clock: Clock
    _planned: dict[str, Planned]

    async def list_dags(self) -> list[dict[str, Any]]:
        """All DAGs that are or were in the folder, by dag_id."""
        dags = await self._store.load_dags()
        summary = await self._store.dag_summaries()
        broken = {row.file for row in await self._store.list_import_errors()}
        rows: list[dict[str, Any]] = []
        for dag in dags:
            if len(rows) % ROWS_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
            rows.append(self._dag_row(dag, summary.get(dag.spec.dag_id), broken))
        return rows

    def _dag_row(self, dag: StoredDag, summary: Any, broken: set[str]) -> dict[str, Any]:
        spec, now = dag.spec, self._clock.now()
        last = summary.last_run if summary else None
        return {
            "dag_id": spec.dag_id,
            "display_name": spec.display_name or spec.dag_id,
            "file": dag.file,
            "paused": dag.paused,
            "active": dag.active,
            "owner": spec.owner,
            "tags": list(spec.tags),
            "description": spec.description,
            "schedule": spec.schedule_text,
            "schedule_words": timetable.describe(spec.timetable),
            **dataset_fields(spec, self._scheduler.world),
            "timezone": spec.timezone,
            "next_logical_date": iso(dag.next_logical_date),
            "next_interval_start": iso(dag.next_interval_start),
            "next_interval_end": iso(dag.next_interval_end),
            "next_run_after": iso(dag.next_run_after),
            "last_run": run_dict(last, now) if last else None,
            "run_states": dict(summary.run_states) if summary else {},
            "version": dag.version,
            "import_error": dag.file in broken,
            "max_active_runs": spec.max_active_runs,
            "max_active_tasks": spec.max_active_tasks,
            "catchup": spec.catchup,
            "start_date": iso(spec.start_date),
            "end_date": iso(spec.end_date),
        }

    async def get_dag(self, dag_id: str) -> dict[str, Any]:
        """One DAG with its tasks, groups and params."""
        dag = await self._stored(dag_id)
        summary = (await self._store.dag_summaries([dag_id])).get(dag_id)
        broken = {row.file for row in await self._store.list_import_errors()}
        spec = dag.spec
        return {
            **self._dag_row(dag, summary, broken),
            "doc_md": spec.doc_md,
            "params": {name: struct_dict(param) for name, param in spec.params.items()},
            "tasks": [struct_dict(task) for task in spec.tasks.values()],
            "groups": [struct_dict(group) for group in spec.groups.values()],
            "dagrun_timeout": spec.dagrun_timeout.total_seconds() if spec.dagrun_timeout else None,
        }

    async def pause_dag(self, dag_id: str) -> dict[str, Any]:
        """Start no new scheduled runs and no new tasks of a DAG."""
        await self._live(dag_id)
        person = actor()
        await self._scheduler.do(lambda world, now: world.set_paused(dag_id, True, now, actor=person))
        return {"dag_id": dag_id, "paused": True}

    async def unpause_dag(
        self,
        dag_id: str,
        missed: Literal["none", "latest", "all", "range"] | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> dict[str, Any]:
        """Let a DAG run. `missed` says which missed intervals run first; None = what the DAG's catchup says.

        "range": those with a logical date from `start` to `end`, both included.
        """
        dag = await self._live(dag_id)
        if missed not in (None, "none", "latest", "all", "range"):
            raise NotAccepted("missed", missed, ("none", "latest", "all", "range"))
        intervals = await self._missed(dag) if missed else []
        wanted = _between(intervals, moment(start, "start"), moment(end, "end")) if missed != "latest" else []

        person = actor()

        def decide(world: World, now: datetime) -> int:
            made = 0
            if missed in ("all", "range"):
                for info in wanted:
                    if not world.has_run_at(dag_id, info.logical_date):
                        self._create_scheduled(world, dag_id, info, now)
                        made += 1
            if missed in ("none", "all", "range") and intervals:
                world.skip_missed(dag_id, now)
            world.set_paused(dag_id, False, now, actor=person)
            return made

        made = await self._scheduler.do(decide)
        return {"dag_id": dag_id, "paused": False, "missed": len(intervals), "created": made}

    def _create_scheduled(self, world: World, dag_id: str, info: DagRunInfo, now: datetime) -> None:
        world.create_run(
            dag_id,
            run_type=RunType.SCHEDULED,
            logical_date=info.logical_date,
            data_interval=info.data_interval,
            run_after=info.run_after,
            run_id=timetable.run_id(RunType.SCHEDULED, info.logical_date),
            conf={},
            triggered_by="scheduler",
            note=None,
            now=now,
        )

    async def _missed(self, dag: StoredDag) -> list[DagRunInfo]:
        """Intervals that are due and have no run, oldest first, at most MISSED_LIMIT."""
        spec, now = dag.spec, self._clock.now()
        if isinstance(spec.timetable, CustomTimetable):
            return []
        last = await self._store.last_automated_run(spec.dag_id)
        found: list[DagRunInfo] = []
        previous = _interval(last)
        while len(found) < MISSED_LIMIT:
            info = timetable.next_run(
                spec.timetable,
                last=previous,
                earliest=spec.start_date,
                latest=spec.end_date,
                catchup=True,
                now=now,
            )
            if info is None or info.run_after > now:
                break
            found.append(info)
            previous = info.data_interval
        return found

    async def missed_runs(self, dag_id: str) -> list[dict[str, Any]]:
        """What unpausing with `missed="all"` would create, oldest first."""
        return [_info_dict(info) for info in await self._missed(await self._stored(dag_id))]

    async def delete_dag(self, dag_id: str) -> dict[str, Any]:
        """Delete a DAG's history. Its file, if it is still there, brings the DAG back empty, as in Airflow."""
        await self._stored(dag_id)
        running = await self._store.find_runs(dag_id=dag_id, states=[RunState.RUNNING], limit=1)
        if running:
            raise Conflict(
                "DAG {dag!r} has a running run ({run}); mark it failed first.", dag=dag_id, run=running[0].run_id
            )
        owner = self._files.owner(dag_id)
        await self._scheduler.do(lambda world, now: world.remove_dag(dag_id, now))
        deleted = await self._store.delete_dag(dag_id)
        if owner is not None:
            self._files.reload(owner.file)
        return {"dag_id": dag_id, "deleted_runs": deleted}

    async def next_runs(self, dag_id: str, count: int = 1) -> list[dict[str, Any]]:
        """The next runs the schedule will make, soonest first; fewer when the schedule ends."""
        dag = await self._stored(dag_id)
        spec, now = dag.spec, self._clock.now()
        if isinstance(spec.timetable, CustomTimetable):
            known = _next_of(dag)
            return [_info_dict(known)] if known else []
        last = _interval(await self._store.last_automated_run(dag_id))
        first = _after(spec, last, now)
        if first is None or count < 1:
            return []
        planned = self._planned.get(dag_id)
        if planned is None or planned.version != dag.version or planned.runs[0] != first:
            planned = self._planned[dag_id] = Planned(dag.version, [first])
        wanted = min(count, MISSED_LIMIT)
        while len(planned.runs) < wanted and planned.runs[-1] is not None:
            planned.runs.append(_after(spec, planned.runs[-1].data_interval, now))
        return [_info_dict(info) for info in planned.runs[:wanted] if info is not None]

    async def list_import_errors(self) -> list[dict[str, Any]]:
        """Files that could not be loaded, by name."""
        return [struct_dict(row) for row in await self._store.list_import_errors()]


def _after(spec: DagSpec, last: DataInterval | None, now: datetime) -> DagRunInfo | None:
    return timetable.next_run(
        spec.timetable,
        last=last,
        earliest=spec.start_date,
        latest=spec.end_date,
        catchup=spec.catchup,
        now=now,
    )


def _interval(run: DagRun | None) -> DataInterval | None:
    if run is None or run.data_interval_start is None or run.data_interval_end is None:
        return None
    return DataInterval(run.data_interval_start, run.data_interval_end)


def _between(infos: Sequence[DagRunInfo], start: datetime | None, end: datetime | None) -> list[DagRunInfo]:
    return [
        info
        for info in infos
        if (start is None or info.logical_date >= start) and (end is None or info.logical_date <= end)
    ]


def _next_of(dag: StoredDag) -> DagRunInfo | None:
    if dag.next_interval_start is None or dag.next_interval_end is None or dag.next_run_after is None:
        return None
    interval = DataInterval(dag.next_interval_start, dag.next_interval_end)
    return DagRunInfo(dag.next_logical_date or interval.start, interval, dag.next_run_after)


def _info_dict(info: DagRunInfo) -> dict[str, Any]:
    return {
        "logical_date": iso(info.logical_date),
        "start": iso(info.data_interval.start),
        "end": iso(info.data_interval.end),
        "run_after": iso(info.run_after),
    }
