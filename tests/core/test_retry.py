"""Retries: whether, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.core.models import TaskInstance
from asyncflow.core.retry import may_retry, retry_delay
from tests.core.simulate import a_task

DATE = datetime(2024, 1, 1, tzinfo=UTC)


def a_ti(try_number: int = 1, max_tries: int = 1) -> TaskInstance:
    return TaskInstance(dag_id="dag", run_id="run", task_id="t", try_number=try_number, max_tries=max_tries)


@pytest.mark.parametrize(
    ("retries", "try_number", "max_tries", "retryable", "expected"),
    [
        (1, 1, 1, True, True),
        (1, 2, 1, True, False),
        (1, 1, 1, False, False),
        (0, 1, 1, True, False),  # cleared once, but without retries
        (2, 3, 4, True, True),  # cleared after two tries
    ],
)
def test_tries_are_repeated_up_to_max_tries(
    retries: int, try_number: int, max_tries: int, retryable: bool, expected: bool
) -> None:
    assert may_retry(a_task("t", retries=retries), a_ti(try_number, max_tries), retryable=retryable) is expected


def test_a_plain_delay_is_the_delay() -> None:
    task = a_task("t", retry_delay=timedelta(minutes=7))
    assert retry_delay(task, a_ti(5), DATE) == timedelta(minutes=7)


@pytest.mark.parametrize(
    ("try_number", "seconds"),
    # by Airflow 2.11.2's formula for dag "dag", task "t", 2024-01-01, a delay of 10 s
    [(1, 16), (2, 37), (3, 47), (6, 549)],
)
def test_backoff_waits_as_long_as_in_airflow(try_number: int, seconds: int) -> None:
    task = a_task("t", retry_delay=timedelta(seconds=10), retry_exponential_backoff=2.0)
    assert retry_delay(task, a_ti(try_number), DATE) == timedelta(seconds=seconds)


@given(st.integers(1, 5000), st.floats(0, 1e6), st.sampled_from([1.5, 2.0, 10.0]))
def test_backoff_is_at_least_the_power_and_at_most_twice_it(try_number: int, base: float, factor: float) -> None:
    task = a_task("t", retry_delay=timedelta(seconds=base), retry_exponential_backoff=factor)
    delay = retry_delay(task, a_ti(try_number), DATE)
    assert timedelta(seconds=1) <= delay <= timedelta(days=1)
    if try_number < 10:
        power = base * factor ** (try_number - 1)
        assert min(power, 86400) <= delay.total_seconds() <= 2 * max(1, power) + 2


def test_backoff_stops_at_the_cap() -> None:
    task = a_task("t", retry_delay=timedelta(hours=5), retry_exponential_backoff=2.0)
    assert retry_delay(task, a_ti(9), DATE, timedelta(hours=6)) == timedelta(hours=6)


def test_the_tasks_own_limit_comes_last() -> None:
    task = a_task(
        "t", retry_delay=timedelta(hours=1), retry_exponential_backoff=2.0, max_retry_delay=timedelta(minutes=90)
    )
    assert retry_delay(task, a_ti(4), DATE) == timedelta(minutes=90)
    assert retry_delay(task, a_ti(1), DATE) <= timedelta(minutes=90)
