"""Golden: what becomes of whole DAGs (`dag_outcomes.json`), played on the scheduler's core alone."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from asyncflow.core.models import TaskInstance
from tests.core.simulate import Game, Outcome
from tests.golden.declared import Declared, Values

DATA = Path(os.environ.get("ASYNCFLOW_GOLDEN") or Path(__file__).parent / "data")
CASES = json.loads((DATA / "dag_outcomes.json").read_text())["cases"]


def everything_at_once(launched: Sequence[str]) -> Sequence[str]:
    return launched


def youngest_first(launched: Sequence[str]) -> Sequence[str]:
    return launched[-1:]


#: Cases whose recorded end needs an order of execution of its own, with the reason.
ORDERS = {
    # fail_stop: t7 must have ended before t3 fails. An empty task's successor starts here in the same turn, in Airflow
    # one loop later, so t3 and t7 are on their way together.
    "o-dag-0183": youngest_first,
}


def play(case: dict[str, Any]) -> list[dict[str, Any]]:
    declared = Declared(case["dag"])
    game = Game(declared.spec())
    run_ids = [expected["run_id"] for expected in case["expected"]]
    for number, run_id in enumerate(run_ids):
        game.trigger(number, run_id=run_id)
    values, pokes = Values(declared), Counter[Any]()

    def script(ti: TaskInstance) -> Outcome:
        return declared.outcome(ti, run_ids.index(ti.run_id), pokes, values)

    order = ORDERS.get(case["id"], everything_at_once)
    game.play(dict.fromkeys(declared.tasks, script), order=order)
    return [
        {
            "run_id": run_id,
            "state": game.run_state(run_id),
            "tis": {name: None if state == "none" else state for name, state in game.states(run_id).items()},
            "tries": game.tries_of(run_id),
        }
        for run_id in run_ids
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_dag_ends_as_in_airflow(case: dict[str, Any]) -> None:
    assert play(case) == case["expected"]
