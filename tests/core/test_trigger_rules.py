"""What the golden table of trigger rules does not hold (see tests/golden/test_trigger_rules.py for the rest)."""

from __future__ import annotations

import pytest

from asyncflow.core.states import TaskState, TriggerRule
from asyncflow.core.trigger_rules import Tally, Verdict, evaluate

STATES = {"S": TaskState.SUCCESS, "F": TaskState.FAILED, "K": TaskState.SKIPPED, "r": TaskState.RUNNING}


def tally(letters: str) -> Tally:
    made = Tally(len(letters))
    for letter in letters:
        made.count(STATES[letter])
    return made


@pytest.mark.parametrize(
    ("upstream", "verdict"),
    [("Sr", "wait"), ("SF", "run"), ("KK", "skipped"), ("KF", "upstream_failed"), ("SK", "run")],
)
def test_all_done_min_one_success_waits_for_all_and_needs_one(upstream: str, verdict: str) -> None:
    assert evaluate(TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, tally(upstream)) is Verdict(verdict)


def test_always_does_not_look() -> None:
    assert evaluate(TriggerRule.ALWAYS, tally("rrF")) is Verdict.RUN


def test_a_tally_says_what_it_counted() -> None:
    assert repr(tally("SSF")) == "<2 success, 1 failed of 3>"
    assert repr(tally("r")) == "<none finished of 1>"


def test_adding_as_setups_counts_them_apart() -> None:
    sum_ = Tally()
    sum_.add(tally("SK"), setup=True)
    sum_.add(tally("F"))
    assert (sum_.total, sum_.setups, sum_.setups_succeeded, sum_.setups_skipped, sum_.failed) == (3, 2, 1, 1, 1)
