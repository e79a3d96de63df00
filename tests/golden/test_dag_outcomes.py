"""Whole random DAGs, played to their end in Airflow 2.11: final states and tries of every task instance and run."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from asyncflow.core.states import RunType
from asyncflow.testing.player import Order, Player
from tests.golden.airflow_names import dag_builder
from tests.golden.not_yet import NOT_YET

GOLDEN = Path(os.environ.get("ASYNCFLOW_GOLDEN", Path(__file__).parent / "data"))
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
#: cases marked `order_risk` that are known to end as recorded in another order of execution only, and why
ORDERS: dict[str, Order] = {
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


def orders(case: dict[str, Any]) -> Iterator[Order]:
    """The orders of execution in one of which a case must end as recorded: README of the data, `order_risk`."""
    first = ORDERS.get(case["id"], "together")
    yield first
    if case.get("order_risk"):
        yield from (order for order in get_args(Order) if order != first)


def played(case: dict[str, Any], order: Order) -> list[dict[str, Any]]:
    """All runs of a case exist from the start; how they end, as the recording writes it."""
    dag = dag_builder()(case["dag"])
    player = Player(dag, jump_pokes=True, logs=False, order=order)
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
    ends = []
    for order in orders(case):
        monkeypatch.setenv("GOLDEN_COUNTERS", str(tmp_path / order))
        ends.append(played(case, order))
        if ends[-1] == case["expected"]:
            return
    assert ends[0] == case["expected"]
