"""Golden: which runs a backfill makes or takes over, and how they end (`backfill.json`)."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from asyncflow.authoring.serialize import to_spec
from asyncflow.cli.backfill import backfill_options
from asyncflow.core.backfill import Plan
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import FINISHED_RUN, BackfillState, RunState, RunType, TaskState
from asyncflow.engine.backfills import options_of, scheduled_dates
from asyncflow.errors import InvalidInput
from tests.core.simulate import Game, Outcome
from tests.golden.airflow_names import airflow_names, dag_builder
from tests.golden.declared import START, Declared, Values

DATA = Path(os.environ.get("ASYNCFLOW_GOLDEN") or Path(__file__).parent / "data")
CASES = json.loads((DATA / "backfill.json").read_text())["cases"]

#: the classes of Airflow's exceptions, and what ours is
ERRORS = {
    None: BackfillState.SUCCESS,
    "BackfillUnfinished": BackfillState.FAILED,
    "AirflowException": InvalidInput,
}


@click.command()
@backfill_options
def _parser(**given: Any) -> None:
    """The options of the real command."""


def arguments(case: dict[str, Any]) -> dict[str, Any]:
    """The command line of a case, read by our own parser."""
    return dict(_parser.make_context("backfill", list(case["arguments"])).params)


class Played:
    """A case: the runs that are there, the backfill, and what the scheduler makes of it."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.declared = Declared(case["dag"])
        with airflow_names():
            self.spec: DagSpec = to_spec(dag_builder()(case["dag"]))
        # paused: nothing but the backfill starts anything
        self.game = Game(self.spec, paused=True)
        self.game.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.existing = [self._load(given) for given in case["existing"]]
        self.values, self.pokes = Values(self.declared), Counter[Any]()
        self.plan: Plan | None = None
        self.state: Any = None

    def _load(self, given: dict[str, Any]) -> str:
        date, state = datetime.fromisoformat(given["logical_date"]), RunState(given["state"])
        interval = self._interval(date)
        run = DagRun(
            dag_id=self.game.dag_id,
            run_id=given["run_id"],
            run_type=RunType(given["run_type"]),
            state=state,
            logical_date=date,
            data_interval_start=interval[0],
            data_interval_end=interval[1],
            run_after=date,
            started_at=None if state is RunState.QUEUED else date,
            ended_at=date if state in FINISHED_RUN else None,
        )
        tis = [
            TaskInstance(
                dag_id=run.dag_id,
                run_id=run.run_id,
                task_id=task_id,
                state=TaskState(state or "none"),
                try_number=1 if state in ("success", "failed") else 0,
            )
            for task_id, state in given["tis"].items()
        ]
        self.game.world.load_run(run, tis, self.game.now)
        self.game.runs[run.dag_id, run.run_id] = run.__copy__()
        self.game.rows.update({ti.key: ti.__copy__() for ti in tis})
        return run.run_id

    def _interval(self, date: datetime) -> tuple[datetime, datetime]:
        dates = scheduled_dates(self.spec, date, date)
        return (dates[0].start, dates[0].end) if dates else (date, date)

    def backfill(self, given: dict[str, Any]) -> None:
        world, dag_id, now = self.game.world, self.game.dag_id, self.game.now
        options = options_of(given)
        dates = scheduled_dates(self.spec, options.start, options.end)
        try:
            self.plan = world.backfill(
                dag_id, options, dates, backfill_id=1, task_regex=given["task_regex"], now=now, actor="test"
            )
        except InvalidInput as error:
            self.state = type(error)
            return
        self.state = BackfillState.SUCCESS  # as long as nothing says otherwise: Airflow refuses without an error
        self.game.play(dict.fromkeys(self.declared.tasks, self._outcome))
        for line in self.game.journal:
            if line.event.startswith("backfill.") and line.event != "backfill.created":
                self.state = BackfillState(line.event.removeprefix("backfill."))

    def _outcome(self, ti: TaskInstance) -> Outcome:
        run = self.game.world.run(ti.dag_id, ti.run_id)
        assert run is not None
        assert run.logical_date is not None
        return self.declared.outcome(ti, (run.logical_date - START).days, self.pokes, self.values)

    def runs(self) -> list[dict[str, Any]]:
        found = sorted(self.game.runs.values(), key=lambda run: run.logical_date or START)
        return [
            {
                "run_id": run.run_id,
                "run_type": run.run_type.value,
                "state": run.state.value,
                "logical_date": _iso(run.logical_date),
                "data_interval_start": _iso(run.data_interval_start),
                "data_interval_end": _iso(run.data_interval_end),
                "conf": run.conf,
                "tis": {
                    ti.task_id: [None if ti.state is TaskState.NONE else ti.state.value, ti.try_number]
                    for ti in self.game.rows.values()
                    if ti.run_id == run.run_id
                },
            }
            for run in found
        ]

    def order(self) -> list[str]:
        """The runs in the order in which a task of theirs was first executed, or counted as done without."""
        moved = [line.run_id for line in self.game.journal if line.event in ("task.queued", "task.success")]
        return list(dict.fromkeys(moved))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_backfill_does_as_in_airflow(case: dict[str, Any]) -> None:
    played = Played(case)
    played.backfill(arguments(case))
    expected = case["expected"]
    assert played.runs() == expected["runs"]
    assert played.order() == expected["order"]
    assert played.state == ERRORS[expected["error"]]
