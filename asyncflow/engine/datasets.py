"""What people can do with datasets (assets): a part of `engine.actions.Actions`."""

from __future__ import annotations

from typing import Any

from asyncflow.core.datasets import names, words
from asyncflow.core.specs import DagSpec
from asyncflow.core.world import World
from asyncflow.engine.jsonable import iso, struct_dict
from asyncflow.engine.lookup import Lookup
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import InvalidInput, NotFound
from asyncflow.store.database import StoredDag

_LONGEST_URI = 3000


def dataset_fields(spec: DagSpec, world: World) -> dict[str, Any]:
    """What the row of a DAG says of the datasets in its schedule.

    `dataset_condition`: in words, None if there are none. `datasets`: by URI, since when an update is queued for the
    next run, None while it is awaited.
    """
    if spec.dataset_expression is None:
        return {"dataset_condition": None, "datasets": {}}
    queue = world.dataset_queue(spec.dag_id)
    return {
        "dataset_condition": words(spec.dataset_expression),
        "datasets": {uri: iso(at) for uri, at in queue.items()},
    }


class DatasetActions(Lookup):
    """Datasets, their events, what waits for them. Keyword arguments and answers are JSON values."""

    _scheduler: Scheduler

    async def list_datasets(self) -> list[dict[str, Any]]:
        """All datasets that a DAG in the folder names, or that were ever updated, by URI."""
        rows: dict[str, dict[str, Any]] = {}
        for dag in await self._store.load_dags(active_only=True):
            _note_dag(rows, dag)
        for stored in await self._store.list_datasets():
            row = _row(rows, stored.uri)
            row["name"] = stored.name or row["name"]
            row["events"], row["last_update"] = stored.events, iso(stored.last_at)
        return [rows[uri] for uri in sorted(rows)]

    async def get_dataset(self, uri: str) -> dict[str, Any]:
        """One dataset, by URI or name, with its last events."""
        rows = await self.list_datasets()
        found = next((row for row in rows if uri in (row["uri"], row["name"])), None)
        if found is None:
            raise NotFound("dataset", uri, [row["uri"] for row in rows])
        return {**found, "last_events": await self.list_dataset_events(uri=found["uri"], limit=10)}

    async def list_dataset_events(
        self, uri: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[dict[str, Any]]:
        """Updates, newest first, each with the runs that were made for it."""
        events = await self._store.dataset_events(uri=uri, newest_first=True, limit=limit, offset=offset)
        rows = []
        for event in events:
            runs = await self._store.runs_of_event(event.event_id)
            made = [{"dag_id": dag_id, "run_id": run_id} for dag_id, run_id in runs]
            rows.append({**struct_dict(event), "created_runs": made})
        return rows

    async def update_dataset(
        self, uri: str, extra: dict[str, Any] | None = None, triggered_by: str = "cli"
    ) -> dict[str, Any]:
        """Say that a dataset was updated by something outside: DAGs that wait for it go on."""
        if not uri.strip() or len(uri) > _LONGEST_URI or not uri.isascii():
            raise InvalidInput(
                "The URI of a dataset is plain ASCII of 1 to {most} characters, not {uri}.",
                most=_LONGEST_URI,
                uri=f"{uri!r:.80}",
            )
        if extra is not None and not isinstance(extra, dict):
            raise InvalidInput("extra={extra}: a JSON object is accepted.", extra=f"{extra!r:.80}")
        known = next((row["uri"] for row in await self.list_datasets() if uri in (row["uri"], row["name"])), uri)
        event = await self._scheduler.do(
            lambda world, now: world.update_dataset(known, extra=extra or {}, now=now, actor=triggered_by)
        )
        waiting = [row["consumers"] for row in await self.list_datasets() if row["uri"] == known]
        return {
            "event_id": event.event_id,
            "uri": known,
            "at": iso(event.at),
            "extra": event.extra,
            "consumers": waiting[0] if waiting else [],
        }

    async def clear_dataset_queue(self, dag_id: str, uri: str | None = None) -> dict[str, Any]:
        """Have a DAG wait anew for one dataset (or all) that was updated since its last run."""
        await self._stored(dag_id)
        cleared = await self._scheduler.do(lambda world, now: world.forget_dataset_queue(dag_id, uri))
        return {"dag_id": dag_id, "cleared": cleared}


def _row(rows: dict[str, dict[str, Any]], uri: str) -> dict[str, Any]:
    empty = {"uri": uri, "name": "", "events": 0, "last_update": None, "producers": [], "consumers": []}
    return rows.setdefault(uri, empty)


def _note_dag(rows: dict[str, dict[str, Any]], dag: StoredDag) -> None:
    """Note what a DAG produces and what it waits for."""
    dag_id = dag.spec.dag_id
    for task in dag.spec.tasks.values():
        for outlet in task.outlets:
            if "uri" in outlet:
                row = _row(rows, outlet["uri"])
                row["name"] = outlet.get("name", row["name"])
                row["producers"].append({"dag_id": dag_id, "task_id": task.task_id})
    if dag.spec.dataset_expression is not None:
        for uri in names(dag.spec.dataset_expression)[0]:
            _row(rows, uri)["consumers"].append(dag_id)
