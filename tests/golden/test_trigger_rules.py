"""Golden: what each trigger rule decides (`trigger_rules.json`).

One test per rule and kind rather than one per case: there are ten thousand.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from asyncflow.core.states import TaskState, TriggerRule
from asyncflow.core.trigger_rules import Tally, evaluate

DATA = Path(os.environ.get("ASYNCFLOW_GOLDEN") or Path(__file__).parent / "data")
GOLDEN = json.loads((DATA / "trigger_rules.json").read_text())
STATES = {letter: TaskState(state or "none") for letter, state in GOLDEN["about"]["fields"]["letters"].items()}


def _grouped() -> dict[tuple[str, str], list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for case in GOLDEN["cases"]:
        groups[case["rule"], case["kind"]].append(case)
    return groups


def _verdict(case: dict[str, Any]) -> str:
    if not case["upstream"]:
        return "run"  # a task without upstream tasks is not asked
    setups = case.get("setups") or [False] * len(case["upstream"])
    tally = Tally(total=len(case["upstream"]), setups=sum(map(bool, setups)))
    for letter, is_setup in zip(case["upstream"], setups, strict=True):
        tally.count(STATES[letter], setup=bool(is_setup))
    return evaluate(TriggerRule(case["rule"]), tally, case.get("map_index", -1))


@pytest.mark.parametrize(("rule", "kind"), sorted(_grouped()))
def test_rule_decides_as_airflow(rule: str, kind: str) -> None:
    wrong = {
        case["id"]: (case["upstream"], case["outcome"], _verdict(case))
        for case in _grouped()[rule, kind]
        if _verdict(case) != case["outcome"]
    }
    assert wrong == {}
