"""Actions over hand-written rows, in the shapes of `engine.actions`: for commands without a server."""

from __future__ import annotations

from typing import Any

from asyncflow.errors import Conflict, InvalidInput, NotFound

Row = dict[str, Any]

RUN = "scheduled__2026-01-01T00:00:00+00:00"


def a_run(dag_id: str = "etl", run_id: str = RUN, **changed: Any) -> Row:
    """A run that succeeded, unless `changed` says else."""
    return {
        "dag_id": dag_id,
        "run_id": run_id,
        "run_type": "scheduled",
        "state": "success",
        "logical_date": "2026-01-01T00:00:00+00:00",
        "data_interval_start": "2026-01-01T00:00:00+00:00",
        "data_interval_end": "2026-01-02T00:00:00+00:00",
        "run_after": "2026-01-02T00:00:00+00:00",
        "queued_at": "2026-01-02T00:00:00+00:00",
        "started_at": "2026-01-02T00:00:01+00:00",
        "ended_at": "2026-01-02T00:00:05+00:00",
        "duration": 4.0,
        "conf": {},
        "external_trigger": False,
        "version": "abc",
        "triggered_by": "scheduler",
        "note": None,
        **changed,
    }


def a_dag(dag_id: str = "etl", **changed: Any) -> Row:
    """A DAG that runs daily, with the tasks extract >> load."""
    return {
        "dag_id": dag_id,
        "display_name": dag_id,
        "file": f"{dag_id}.py",
        "paused": False,
        "active": True,
        "owner": "data",
        "tags": ["nightly"],
        "description": "Moves <things>",
        "schedule": "0 0 * * *",
        "schedule_words": "every day at 00:00",
        "dataset_condition": None,
        "datasets": {},
        "timezone": "UTC",
        "next_logical_date": "2026-01-02T00:00:00+00:00",
        "next_interval_start": "2026-01-02T00:00:00+00:00",
        "next_interval_end": "2026-01-03T00:00:00+00:00",
        "next_run_after": "2026-01-03T00:00:00+00:00",
        "last_run": a_run(dag_id),
        "run_states": {"success": 3, "failed": 1},
        "version": "abc",
        "import_error": False,
        "max_active_runs": 16,
        "max_active_tasks": 16,
        "catchup": False,
        "start_date": "2025-01-01T00:00:00+00:00",
        "end_date": None,
        "doc_md": None,
        "params": {},
        "groups": [],
        "tasks": [
            a_task("extract", downstream=["load"]),
            a_task("load", upstream=["extract"]),
        ],
        **changed,
    }


def a_task(task_id: str, **changed: Any) -> Row:
    """A task of a DAG."""
    return {
        "task_id": task_id,
        "operator": "BashOperator",
        "owner": "data",
        "trigger_rule": "all_success",
        "retries": 0,
        "pool": "default_pool",
        "upstream": [],
        "downstream": [],
        "depends_on_past": False,
        **changed,
    }


def an_instance(task_id: str, dag_id: str = "etl", run_id: str = RUN, **changed: Any) -> Row:
    """A task instance that succeeded in its first try."""
    return {
        "dag_id": dag_id,
        "run_id": run_id,
        "task_id": task_id,
        "map_index": -1,
        "state": "success",
        "try_number": 1,
        "max_tries": 0,
        "started_at": "2026-01-02T00:00:01+00:00",
        "ended_at": "2026-01-02T00:00:03+00:00",
        "duration": 2.0,
        "operator": "BashOperator",
        "pool": "default_pool",
        "rendered_map_index": None,
        "note": None,
        **changed,
    }


def a_dataset(uri: str = "s3://orders", **changed: Any) -> Row:
    """A dataset that etl makes and report waits for."""
    return {
        "uri": uri,
        "name": "orders",
        "events": 1,
        "last_update": "2026-01-02T00:00:03+00:00",
        "producers": [{"dag_id": "etl", "task_id": "load"}],
        "consumers": ["report"],
        **changed,
    }


def an_event(**changed: Any) -> Row:
    """An update of that dataset."""
    return {
        "event_id": 1,
        "uri": "s3://orders",
        "at": "2026-01-02T00:00:03+00:00",
        "extra": {"rows": 3},
        "aliases": [],
        "source_dag_id": "etl",
        "source_run_id": RUN,
        "source_task_id": "load",
        "source_map_index": -1,
        "created_runs": [{"dag_id": "report", "run_id": "dataset_triggered__1"}],
        **changed,
    }


class FakeActions:
    """Every action over the rows in its attributes; `calls` records what was asked for, in order."""

    def __init__(self) -> None:
        self.dags: dict[str, Row] = {"etl": a_dag("etl"), "report": a_dag("report", paused=True, last_run=None)}
        self.runs: list[Row] = [a_run()]
        self.instances: list[Row] = [an_instance("extract"), an_instance("load", state="failed", try_number=2)]
        self.errors: list[Row] = []
        self.logs: dict[tuple[str, int], str] = {("extract", 1): "hello\n", ("load", 1): "one\n", ("load", 2): "two\n"}
        self.why = ""
        self.datasets: list[Row] = [a_dataset()]
        self.events: list[Row] = [an_event()]
        self.audit: list[Row] = []
        self.questions: list[Row] = []
        self.refused: list[str] = []
        self.calls: list[tuple[str, Row]] = []

    async def list_audit(self, **wanted: Any) -> list[Row]:
        self.calls.append(("list_audit", wanted))
        return self.audit

    async def list_questions(self) -> list[Row]:
        return self.questions

    async def answer_task(self, **given: Any) -> Row:
        self.calls.append(("answer_task", given))
        return given

    async def change_runs(self, action: str, runs: list[list[str]], dry_run: bool) -> Row:
        assert dry_run
        return {"count": len(runs), "tasks": [], "runs": runs, "refused": self.refused}

    async def delete_run(self, dag_id: str, run_id: str) -> Row:
        self.calls.append(("delete_run", {"dag_id": dag_id, "run_id": run_id}))
        return {"dag_id": dag_id, "run_id": run_id}

    async def list_datasets(self) -> list[Row]:
        return self.datasets

    async def get_dataset(self, uri: str) -> Row:
        found = [row for row in self.datasets if uri in (row["uri"], row["name"])]
        if not found:
            raise NotFound("dataset", uri, [row["uri"] for row in self.datasets])
        return {**found[0], "last_events": self.events}

    async def list_dataset_events(self, uri: str | None = None, limit: int = 100, offset: int = 0) -> list[Row]:
        self.calls.append(("list_dataset_events", {"uri": uri, "limit": limit}))
        return self.events

    async def update_dataset(self, uri: str, extra: Row | None = None, triggered_by: str = "cli") -> Row:
        self.calls.append(("update_dataset", {"uri": uri, "extra": extra}))
        return {"event_id": 7, "uri": uri, "at": "2026-01-02T00:00:00+00:00", "extra": extra or {}, "consumers": []}

    async def clear_dataset_queue(self, dag_id: str, uri: str | None = None) -> Row:
        return {"dag_id": dag_id, "cleared": [uri] if uri else []}

    def _dag(self, dag_id: str) -> Row:
        if dag_id not in self.dags:
            raise NotFound("DAG", dag_id, self.dags)
        return self.dags[dag_id]

    async def list_dags(self) -> list[Row]:
        return list(self.dags.values())

    async def get_dag(self, dag_id: str) -> Row:
        return self._dag(dag_id)

    async def pause_dag(self, dag_id: str) -> Row:
        self.calls.append(("pause_dag", {"dag_id": dag_id}))
        self._dag(dag_id)["paused"] = True
        return {"dag_id": dag_id, "paused": True}

    async def unpause_dag(self, dag_id: str, missed: str | None = None) -> Row:
        self.calls.append(("unpause_dag", {"dag_id": dag_id, "missed": missed}))
        self._dag(dag_id)["paused"] = False
        return {"dag_id": dag_id, "paused": False, "missed": 0, "created": 0}

    async def delete_dag(self, dag_id: str) -> Row:
        self._dag(dag_id)
        if any(run["dag_id"] == dag_id and run["state"] == "running" for run in self.runs):
            raise Conflict(f"DAG {dag_id!r} has a running run.")
        del self.dags[dag_id]
        return {"dag_id": dag_id, "deleted_runs": 1}

    async def trigger_dag(self, dag_id: str, **params: Any) -> Row:
        self._dag(dag_id)
        self.calls.append(("trigger_dag", {"dag_id": dag_id, **params}))
        conf = params.get("conf")
        if isinstance(conf, str) and conf.strip() and not conf.strip().startswith("{"):
            raise InvalidInput("conf is not JSON: here.")
        run_id = params.get("run_id") or "manual__2026-01-05T00:00:00+00:00"
        if any(run["run_id"] == run_id for run in self.runs):
            raise Conflict(f"DAG {dag_id!r} already has the run {run_id!r}.")
        run = a_run(dag_id, run_id, run_type="manual", state="queued", ended_at=None, started_at=None, duration=None)
        run["conf"] = conf if isinstance(conf, dict) else {}
        self.runs.insert(0, run)
        return run

    async def list_runs(
        self,
        dag_id: str | None = None,
        state: str | None = None,
        run_type: str | None = None,
        start: str | None = None,
        end: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Row]:
        if dag_id is not None:
            self._dag(dag_id)
        found = [
            run
            for run in self.runs
            if (dag_id is None or run["dag_id"] == dag_id)
            and (state is None or run["state"] == state)
            and (run_type is None or run["run_type"] == run_type)
            and (start is None or run["logical_date"] >= start)
            and (end is None or run["logical_date"] <= end)
        ]
        return found[offset : offset + limit]

    async def get_run(self, dag_id: str, run_id: str) -> Row:
        self._dag(dag_id)
        for run in self.runs:
            if run["run_id"] == run_id:
                tasks = [{**ti, "why": self.why} for ti in self.instances if ti["run_id"] == run_id]
                return {**run, "tasks": tasks}
        raise NotFound(f"run of DAG {dag_id!r} named", run_id, [run["run_id"] for run in self.runs])

    async def list_import_errors(self) -> list[Row]:
        return self.errors

    async def next_runs(self, dag_id: str, count: int = 1) -> list[Row]:
        if self._dag(dag_id)["dataset_condition"] is not None:
            return []
        day = "2026-01-{:02}T00:00:00+00:00"
        return [
            {
                "logical_date": day.format(n),
                "start": day.format(n),
                "end": day.format(n + 1),
                "run_after": day.format(n + 1),
            }
            for n in range(2, 2 + count)
        ]

    async def get_task_instance(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Row:
        await self.get_run(dag_id, run_id)
        for ti in self.instances:
            if (ti["task_id"], ti["map_index"]) == (task_id, map_index):
                tries = [{"try_number": n + 1, "state": "failed"} for n in range(ti["try_number"])]
                return {**ti, "tries": tries, "why": self.why}
        raise NotFound("task instance", task_id, [ti["task_id"] for ti in self.instances])

    async def read_log(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        map_index: int = -1,
        try_number: int | None = None,
        offset: int = 0,
        limit: int = 1_000_000,
    ) -> Row:
        ti = await self.get_task_instance(dag_id, run_id, task_id, map_index)
        number = try_number or max(1, ti["try_number"])
        text = self.logs.get((task_id, number), "")
        start = max(0, len(text) + offset) if offset < 0 else min(offset, len(text))
        return {
            "text": text[start : start + limit],
            "size": len(text),
            "offset": start,
            "path": f"/logs/{task_id}/{number}.log",
            "try_number": number,
            "tries": list(range(1, ti["try_number"] + 1)),
        }

    async def clear_tasks(self, dag_id: str, **params: Any) -> Row:
        self._dag(dag_id)
        self.calls.append(("clear_tasks", {"dag_id": dag_id, **params}))
        keys = [
            [dag_id, ti["run_id"], ti["task_id"], ti["map_index"]] for ti in self.instances if ti["dag_id"] == dag_id
        ]
        return {"count": len(keys), "tasks": keys}

    async def health(self) -> Row:
        return {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "healthy"}}

    async def version(self) -> str:
        return "0.1.0"
