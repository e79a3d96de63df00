"""Retry policies decide by what failed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from asyncflow.authoring.dag import DAG
from asyncflow.authoring.retrypolicy import ExceptionRetryPolicy, RetryAction, RetryPolicy, RetryRule
from asyncflow.operators.python import PythonOperator
from asyncflow.testing.player import play

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception="builtins.FileNotFoundError", action=RetryAction.FAIL, reason="gone"),
        RetryRule(exception=OSError, retry_delay=dt.timedelta(seconds=30)),
        RetryRule(exception="KeyError", action=RetryAction.FAIL, match_subclasses=False),
    ],
)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (FileNotFoundError(), RetryAction.FAIL),
        (PermissionError(), RetryAction.RETRY),
        (KeyError(), RetryAction.FAIL),
        (type("Special", (KeyError,), {})(), RetryAction.DEFAULT),
        (ValueError(), RetryAction.DEFAULT),
    ],
)
def test_the_first_rule_that_matches_counts(error: Exception, action: RetryAction) -> None:
    assert POLICY.evaluate(error, 1, 3).action is action


class Broken(RetryPolicy):
    """Has no evaluate()."""


@pytest.mark.parametrize(
    ("policy", "error", "tries"),
    [(POLICY, KeyError, 1), (POLICY, ValueError, 3), (Broken(), KeyError, 3), (None, KeyError, 3)],
)
def test_a_policy_can_end_the_retries(policy: Any, error: type[Exception], tries: int) -> None:
    def fail() -> None:
        raise error("no")

    with DAG("d", start_date=START, schedule=None) as dag:
        PythonOperator(task_id="t", python_callable=fail, retries=2, retry_policy=policy)
    result = play(dag, START, logs=False)
    assert (result.state, result.tries) == ("failed", {"t": tries})
