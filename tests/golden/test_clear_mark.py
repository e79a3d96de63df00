"""Golden: clearing, marking, setting the state of a run (`clear_mark.json`)."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.states import FINISHED_RUN, RunState, RunType, TaskState
from tests.core.simulate import START, Game, Outcome
from tests.golden.declared import Declared, Values
from tests.golden.test_core_outcomes import everything_at_once

DATA = Path(os.environ.get("ASYNCFLOW_GOLDEN") or Path(__file__).parent / "data")
CASES = json.loads((DATA / "clear_mark.json").read_text())["cases"]


class Played:
    """A case: the runs as given, the operation, and what the scheduler makes of it."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.declared = Declared(case["dag"])
        self.game = Game(self.declared.spec())
        self.values, self.pokes = Values(self.declared), Counter[Any]()
        self.run_ids = [given["run_id"] for given in case["given"]]
        for number, given in enumerate(case["given"]):
            self._load(number, given)

    def _load(self, number: int, given: dict[str, Any]) -> None:
        date = START + timedelta(days=number)
        state = RunState(given["state"])
        run = DagRun(
            dag_id=self.game.dag_id,
            run_id=given["run_id"],
            run_type=RunType.SCHEDULED,
            state=state,
            logical_date=date,
            run_after=START,
            started_at=START,
            ended_at=START if state in FINISHED_RUN else None,
        )
        tis = [self._instance(run, name, *row) for name, row in given["tis"].items()]
        # what an instance returned depends on its arguments, so upstream ones come first
        for ti in sorted(tis, key=lambda ti: (len(self._above(ti.task_id)), ti.map_index)):
            if ti.state is TaskState.SUCCESS and ti.try_number:
                self._remember(ti, number)
        self.game.world.load_run(run, tis, START)
        self.game.runs[run.dag_id, run.run_id] = run.__copy__()
        self.game.rows.update({ti.key: ti.__copy__() for ti in tis})

    def _above(self, task_id: str) -> set[str]:
        direct = self.declared.up[task_id]
        return direct.union(*(self._above(other) for other in direct))

    def _instance(self, run: DagRun, name: str, state: str | None, try_number: int, max_tries: int) -> TaskInstance:
        task_id, _, index = name.partition("[")
        # "running" was written by hand in the recording: there is no process
        return TaskInstance(
            dag_id=run.dag_id,
            run_id=run.run_id,
            task_id=task_id,
            map_index=int(index.rstrip("]")) if index else -1,
            state=TaskState(state or "none"),
            try_number=try_number,
            max_tries=max_tries,
            token=f"given-{run.run_id}-{name}" if state == "queued" else None,
        )

    def _remember(self, ti: TaskInstance, number: int) -> None:
        """What a successful try left behind in the recording."""
        if self.declared.tasks[ti.task_id].get("kind") == "empty":
            return
        fields = dict(self.declared.outcome(ti, number, self.pokes, self.values).fields or {})
        ti.skips = fields.get("skip_tasks", ())
        ti.map_length = fields.get("map_length")
        if ti.map_index >= 0 and ti.map_length is None and fields.get("xcoms"):
            ti.map_length = 0

    def operate(self) -> None:
        operation = self.case["operation"]
        run_id = self.run_ids[operation["run"]]
        now, world, dag_id = self.game.now, self.game.world, self.game.dag_id
        runs = self._span(operation)
        relatives = {name: operation.get(name, False) for name in ("upstream", "downstream")}
        only = {name: operation.get(name, False) for name in ("only_failed", "only_running")}
        indexes = operation.get("map_indexes")
        match operation["op"]:
            case "clear":
                tasks = [operation["task_id"]]
                world.clear(dag_id, run_ids=runs, task_ids=tasks, map_indexes=indexes, now=now, **relatives, **only)
            case "clear_run":
                world.clear(dag_id, run_ids=[run_id], now=now, **only)
            case "mark" | "mark_group":
                tasks = self._tasks(operation)
                state = TaskState(operation["state"])
                world.mark(dag_id, run_ids=runs, task_ids=tasks, map_indexes=indexes, state=state, now=now, **relatives)
            case "set_run":
                world.set_run_state(dag_id, run_id, RunState(operation["state"]), now=now)

    def _tasks(self, operation: dict[str, Any]) -> list[str]:
        if operation["op"] == "mark":
            return [operation["task_id"]]
        return self.declared.members(operation["group_id"])

    def _span(self, operation: dict[str, Any]) -> list[str]:
        first = 0 if operation.get("past") else operation["run"]
        last = len(self.run_ids) if operation.get("future") else operation["run"] + 1
        return self.run_ids[first:last]

    def look(self) -> list[dict[str, Any]]:
        return [
            {
                "run_id": run_id,
                "state": self.game.runs[self.game.dag_id, run_id].state.value,
                "tis": {
                    name: [None if ti.state is TaskState.NONE else ti.state.value, ti.try_number, ti.max_tries]
                    for name in sorted(self.game.tries_of(run_id))
                    for ti in [self.game.row(name, run_id)]
                },
            }
            for run_id in self.run_ids
        ]

    def go_on(self) -> None:
        def script(ti: TaskInstance) -> Outcome:
            return self.declared.outcome(ti, self.run_ids.index(ti.run_id), self.pokes, self.values)

        self.game.play(dict.fromkeys(self.declared.tasks, script), order=everything_at_once)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_action_does_as_in_airflow(case: dict[str, Any]) -> None:
    played = Played(case)
    played.operate()
    played.game.take(played.game.world.drain())
    assert played.look() == case["after"]
    expected = case.get("finally")
    if expected is not None:
        played.go_on()
        assert played.look() == (case["after"] if expected == "unchanged" else expected)
