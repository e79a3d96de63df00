"""What people can do and ask: the one door for the web pages, the API and the CLI.

Every public coroutine takes keyword arguments that are JSON values and returns JSON values (times as ISO text).
Errors are `errors.NotFound`, `errors.Conflict` and `errors.InvalidInput`, each a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.lowlevel
import msgspec

from asyncflow import __version__
from asyncflow.core import timetable
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.core.timetable import CustomTimetable, DagRunInfo, DataInterval
from asyncflow.core.world import World
from asyncflow.engine.amends import AmendActions
from asyncflow.engine.backfills import BackfillActions
from asyncflow.engine.changes import Changes
from asyncflow.engine.clearing import ClearingActions
from asyncflow.engine.clock import Clock
from asyncflow.engine.credentials import CredentialActions
from asyncflow.engine.dag_pages import DagPages
from asyncflow.engine.datasets import DatasetActions, dataset_fields
from asyncflow.engine.files import DagFiles
from asyncflow.engine.history import finished_runs
from asyncflow.engine.jsonable import iso, run_dict, struct_dict, task_dict
from asyncflow.engine.launcher import Launcher
from asyncflow.engine.moments import moment
from asyncflow.engine.monitor import Monitor
from asyncflow.engine.pages import Pages
from asyncflow.engine.paths import log_path
from asyncflow.engine.records import RecordActions
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict, InvalidInput, NotFound
from asyncflow.store.database import Store, StoredDag

#: Airflow's `allowed_run_id_pattern`, which also keeps run ids harmless in paths and addresses
RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")
#: How many missed intervals are counted or listed at most.
MISSED_LIMIT = 1000
#: Rows of a long list that are made before the event loop gets its turn.
ROWS_AT_ONCE = 50


class Actions(CredentialActions, DatasetActions, BackfillActions, ClearingActions, RecordActions, AmendActions):
    """Reads from the store, changes through the scheduler."""

    def __init__(
        self,
        *,
        store: Store,
        scheduler: Scheduler,
        files: DagFiles,
        launcher: Launcher,
        clock: Clock,
        monitor: Monitor,
        logs: Path,
        validate_conf: Callable[[DagSpec, dict[str, Any]], None],
        variable_changed: Callable[[str], None],
        connection_changed: Callable[[str], None],
        changes: Changes,
        folder: Path,
    ) -> None:
        #: what the pages of one DAG read
        self.dag_pages = DagPages(store, clock, lambda spec: dataset_fields(spec, scheduler.world))
        #: what the others read
        self.pages = Pages(store=store, scheduler=scheduler, clock=clock, changes=changes, logs=logs, folder=folder)
        self._store = store
        self._scheduler = scheduler
        self._files = files
        self._launcher = launcher
        self._clock = clock
        self._monitor = monitor
        self._logs = logs
        self._validate_conf = validate_conf
        self._variable_changed = variable_changed
        self._connection_changed = connection_changed

    # ---- DAGs -------------------------------------------------------------------------------------------------------

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

    async def _stored(self, dag_id: str) -> StoredDag:
        dag = await self._store.load_dag(dag_id)
        if dag is None:
            raise NotFound("DAG", dag_id, [d.spec.dag_id for d in await self._store.load_dags()])
        return dag

    async def _live(self, dag_id: str) -> StoredDag:
        """A DAG that is to be changed or run: the scheduler knows it, unless its file is gone."""
        dag = await self._stored(dag_id)
        if dag.active:
            await self._files.ready(dag_id)
        return dag

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
        await self._scheduler.do(lambda world, now: world.set_paused(dag_id, True, now))
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
            raise InvalidInput(f"missed={missed!r}: accepted are none, latest, all and range.")
        intervals = await self._missed(dag) if missed else []
        wanted = _between(intervals, moment(start, "start"), moment(end, "end")) if missed != "latest" else []

        def decide(world: World, now: datetime) -> int:
            made = 0
            if missed in ("all", "range"):
                for info in wanted:
                    if not world.has_run_at(dag_id, info.logical_date):
                        self._create_scheduled(world, dag_id, info, now)
                        made += 1
            if missed in ("none", "all", "range") and intervals:
                world.skip_missed(dag_id, now)
            world.set_paused(dag_id, False, now)
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
            raise Conflict(f"DAG {dag_id!r} has a running run ({running[0].run_id}); mark it failed first.")
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
        last = await self._store.last_automated_run(dag_id)
        previous, runs = _interval(last), []
        for _ in range(max(0, min(count, MISSED_LIMIT))):
            info = timetable.next_run(
                spec.timetable,
                last=previous,
                earliest=spec.start_date,
                latest=spec.end_date,
                catchup=spec.catchup,
                now=now,
            )
            if info is None:
                break
            runs.append(_info_dict(info))
            previous = info.data_interval
        return runs

    async def list_import_errors(self) -> list[dict[str, Any]]:
        """Files that could not be loaded, by name."""
        return [struct_dict(row) for row in await self._store.list_import_errors()]

    # ---- runs -------------------------------------------------------------------------------------------------------

    async def trigger_dag(
        self,
        dag_id: str,
        run_id: str | None = None,
        logical_date: str | None = None,
        conf: dict[str, Any] | str | None = None,
        note: str | None = None,
        triggered_by: str = "cli",
    ) -> dict[str, Any]:
        """Make a manual run; it starts at once unless the DAG is paused or full."""
        dag = await self._live(dag_id)
        if not dag.active:
            raise Conflict(f"DAG {dag_id!r} is not in the DAG folder any more, so it cannot run.")
        values = _conf(conf)
        self._validate_conf(dag.spec, values)
        date = moment(logical_date, "logical_date")
        run = await self.create_manual_run(
            dag.spec, run_id=run_id, logical_date=date, conf=values, note=note, triggered_by=triggered_by
        )
        return run_dict(run, self._clock.now())

    async def create_manual_run(
        self,
        spec: DagSpec,
        *,
        run_id: str | None,
        logical_date: datetime | None,
        conf: dict[str, Any],
        note: str | None,
        triggered_by: str,
    ) -> DagRun:
        """Make a run of type manual. Raises Conflict if the run id or the logical date is taken."""
        now = self._clock.now()
        date = logical_date or now
        interval = await self._manual_interval(spec, date)
        name = run_id or timetable.run_id(RunType.MANUAL, date)
        if not RUN_ID.fullmatch(name):
            raise InvalidInput(f"run_id={name!r}: letters, digits and _ . ~ : + - are accepted, at most 250.")
        taken = await self._store.run_exists(spec.dag_id, name, date)
        if taken is not None:
            raise Conflict(f"DAG {spec.dag_id!r} already has the run {taken!r} with this run id or logical date.")
        past = await finished_runs(self._store, spec, before=date)

        def decide(world: World, when: datetime) -> DagRun:
            for run, tis in past:
                world.load_run(run, tis, when, history=True)
            return world.create_run(
                spec.dag_id,
                run_type=RunType.MANUAL,
                logical_date=date,
                data_interval=interval,
                run_after=date,
                run_id=name,
                conf=conf,
                triggered_by=triggered_by,
                note=note,
                now=when,
            )

        return await self._scheduler.do(decide)

    async def _manual_interval(self, spec: DagSpec, date: datetime) -> DataInterval:
        if not isinstance(spec.timetable, CustomTimetable):
            return timetable.manual_interval(spec.timetable, date)
        owner = self._files.owner(spec.dag_id)
        if owner is not None:
            info = await self._launcher.ask_manual(owner, spec.dag_id, date)
            if info is not None:
                return info.data_interval
        return DataInterval(date, date)

    async def list_runs(
        self,
        dag_id: str | None = None,
        state: str | None = None,
        run_type: str | None = None,
        start: str | None = None,
        end: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Dag runs, latest logical date first."""
        if dag_id is not None:
            await self._stored(dag_id)
        runs = await self._store.find_runs(
            dag_id=dag_id,
            states=[_choice(RunState, state, "state")] if state else None,
            run_types=[_choice(RunType, run_type, "run_type")] if run_type else None,
            logical_from=moment(start, "start"),
            logical_to=moment(end, "end"),
            limit=limit,
            offset=offset,
        )
        now = self._clock.now()
        return [run_dict(run, now) for run in runs]

    async def _run(self, dag_id: str, run_id: str) -> tuple[DagRun, list[TaskInstance]]:
        found = await self._store.load_run(dag_id, run_id)
        if found is None:
            await self._stored(dag_id)
            known = [run.run_id for run in await self._store.find_runs(dag_id=dag_id, limit=200)]
            raise NotFound(f"run of DAG {dag_id!r} named", run_id, known)
        return found

    async def get_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """A run with its task instances, in the DAG's order."""
        run, tis = await self._run(dag_id, run_id)
        now = self._clock.now()
        dag = await self._store.load_dag(dag_id)
        places = {task_id: place for place, task_id in enumerate(dag.spec.tasks if dag else ())}
        rows = []
        for ti in sorted(tis, key=lambda ti: (places.get(ti.task_id, len(places)), ti.task_id, ti.map_index)):
            row = task_dict(ti, now)
            if ti.state in (TaskState.NONE, TaskState.SCHEDULED, TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE):
                row["why"] = self._scheduler.world.why(ti.key, now)
            rows.append(row)
        return {**run_dict(run, now), "tasks": rows}

    # ---- task instances ---------------------------------------------------------------------------------------------

    async def get_task_instance(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """A task instance with its tries and, while it waits, the reason."""
        _, tis = await self._run(dag_id, run_id)
        key = TaskKey(dag_id, run_id, task_id, map_index)
        ti = next((ti for ti in tis if ti.key == key), None)
        if ti is None:
            raise NotFound(
                f"task instance in run {run_id!r} of DAG {dag_id!r} named", task_id, {t.task_id for t in tis}
            )
        now = self._clock.now()
        tries = [
            {k: v for k, v in struct_dict(row).items() if k != "token"} for row in await self._store.list_tries(key)
        ]
        return {**task_dict(ti, now), "tries": tries, "why": self._scheduler.world.why(key, now)}

    async def read_log(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        map_index: int = -1,
        try_number: int | None = None,
        offset: int = 0,
        limit: int = 1_000_000,
    ) -> dict[str, Any]:
        """Part of a try's log; `try_number` None = the last try. Negative offset counts from the end."""
        info = await self.get_task_instance(dag_id, run_id, task_id, map_index)
        tries = sorted({row["try_number"] for row in info["tries"]})
        number = try_number if try_number is not None else (tries[-1] if tries else max(1, info["try_number"]))
        path = log_path(self._logs, dag_id, run_id, task_id, map_index, number)
        text, size, start = await anyio.to_thread.run_sync(_read_part, path, offset, limit)
        return {"text": text, "size": size, "offset": start, "path": str(path), "try_number": number, "tries": tries}

    # ---- the rest ---------------------------------------------------------------------------------------------------

    async def health(self) -> dict[str, Any]:
        """Airflow's /health shape, and what we know beyond it."""
        health = self._monitor.health(self._clock.now())
        return {**health, "asyncflow": {**health["asyncflow"], **await self._what_waits()}}

    async def _what_waits(self) -> dict[str, int]:
        """What asks for someone's attention, or is under way beside the runs."""
        return {
            "callbacks_due": len(await self._store.list_pending_callbacks()),
            "active_runs_late": len({(row.dag_id, row.run_id) for row in await self._store.active_sla_misses()}),
            "backfills_active": len(await self._store.active_backfills()),
        }

    async def version(self) -> str:
        """The server's version."""
        return __version__


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


def _conf(conf: dict[str, Any] | str | None) -> dict[str, Any]:
    if isinstance(conf, str):
        try:
            conf = msgspec.json.decode(conf) if conf.strip() else None
        except msgspec.DecodeError as error:
            raise InvalidInput(f"conf is not JSON: {error}.") from None
    if conf is not None and not isinstance(conf, dict):
        raise InvalidInput('conf must be a JSON object, like {"key": "value"}.')
    return conf or {}


def _choice(kind: type[RunState] | type[RunType], text: str, field: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise InvalidInput(f"{field}={text!r}: accepted are {', '.join(kind)}.") from None


def _read_part(path: Path, offset: int, limit: int) -> tuple[str, int, int]:
    """(text, size of the file, where the text starts); a missing file is empty."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size + offset) if offset < 0 else min(offset, size)
            file.seek(start)
            return file.read(max(0, limit)).decode("utf-8", "replace"), size, start
    except FileNotFoundError:
        return "", 0, 0
