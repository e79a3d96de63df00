"""What people can do with dag runs, and ask of them and their task instances; a part of `engine.actions.Actions`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import msgspec

from asyncflow.core import timetable
from asyncflow.core.models import DagRun, TaskKey
from asyncflow.core.sentence import Sentence, told
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.core.timetable import CustomTimetable, DataInterval
from asyncflow.core.world import World
from asyncflow.engine.clock import Clock
from asyncflow.engine.history import finished_runs
from asyncflow.engine.jsonable import run_dict, struct_dict, task_dict
from asyncflow.engine.launcher import Launcher
from asyncflow.engine.lookup import Lookup
from asyncflow.engine.moments import moment
from asyncflow.engine.paths import log_path
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict, InvalidInput, NotAccepted, NotFound

#: Airflow's `allowed_run_id_pattern`, which also keeps run ids harmless in paths and addresses
RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")


def check_run_id(name: str) -> None:
    """Raise InvalidInput if a run cannot be called so; "" is left to us."""
    if name and not RUN_ID.fullmatch(name):
        raise InvalidInput("run_id={name!r}: letters, digits and _ . ~ : + - are accepted, at most 250.", name=name)


class RunActions(Lookup):
    """Keyword arguments and answers are JSON values."""

    _scheduler: Scheduler
    _launcher: Launcher
    _clock: Clock
    _logs: Path
    _validate_conf: Callable[[DagSpec, dict[str, Any]], None]

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
            raise Conflict("DAG {dag!r} is not in the DAG folder any more, so it cannot run.", dag=dag_id)
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
        check_run_id(name)
        taken = await self._store.run_exists(spec.dag_id, name, date)
        if taken is not None:
            raise Conflict(
                "DAG {dag!r} already has the run {run!r} with this run id or logical date.",
                dag=spec.dag_id,
                run=taken,
            )
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

    async def get_task_instance(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """A task instance with its tries and, while it waits, the reason."""
        _, tis = await self._run(dag_id, run_id)
        key = TaskKey(dag_id, run_id, task_id, map_index)
        ti = next((ti for ti in tis if ti.key == key), None)
        if ti is None:
            raise NotFound(
                Sentence("task instance in run {run!r} of DAG {dag!r} named", run=run_id, dag=dag_id),
                task_id,
                {t.task_id for t in tis},
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


def _conf(conf: dict[str, Any] | str | None) -> dict[str, Any]:
    if isinstance(conf, str):
        try:
            conf = msgspec.json.decode(conf) if conf.strip() else None
        except msgspec.DecodeError as error:
            raise InvalidInput("conf is not JSON: {error}.", error=told(error)) from None
    if conf is not None and not isinstance(conf, dict):
        raise InvalidInput('conf must be a JSON object, like {"key": "value"}.')
    return conf or {}


def _choice(kind: type[RunState] | type[RunType], text: str, field: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise NotAccepted(field, text, kind) from None


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
