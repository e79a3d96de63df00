"""Whole random DAGs, played to their end in Airflow 2.11: final states and tries of every task instance and run."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest

from asyncflow.core.states import RunType
from asyncflow.testing.player import Player
from tests.golden.airflow_names import dag_builder
from tests.golden.not_yet import NOT_YET

GOLDEN = Path(os.environ.get("ASYNCFLOW_GOLDEN", Path(__file__).parent / "data"))
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
#: cases marked `order_risk` that end as recorded in another order of execution than "together" (README of the data)
ORDERS = {
    # fail_stop: t7 and t3 may run at the same time here; in Airflow the empty t2 costs a round, so t7 is through before
    "o-dag-0183": "newest",
}


def cases() -> list[Any]:
    found = json.loads((GOLDEN / "dag_outcomes.json").read_text())["cases"]
    return [
        pytest.param(
            case,
            id=case["id"],
            marks=[pytest.mark.xfail(reason=NOT_YET[case["id"]])] if case["id"] in NOT_YET else [],
        )
        for case in found
    ]


def played(case: dict[str, Any]) -> list[dict[str, Any]]:
    """All runs of a case exist from the start; how they end, as the recording writes it."""
    dag = dag_builder()(case["dag"])
    player = Player(dag, jump_pokes=True, logs=False, order=ORDERS.get(case["id"], "together"))
    run_ids = [
        player.add_run(START + dt.timedelta(days=number), run_type=RunType.SCHEDULED)
        for number in range(case["dag"].get("runs", 1))
    ]
    player.play()
    ends = []
    for run_id in run_ids:
        result = player.result(run_id)
        states = {name: None if state == "none" else state for name, state in result.tasks.items()}
        ends.append({"run_id": run_id, "state": result.state, "tis": states, "tries": result.tries})
    return ends


@pytest.mark.parametrize("case", cases())
def test_ends_as_in_airflow(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDEN_COUNTERS", str(tmp_path))
    assert played(case) == case["expected"]
