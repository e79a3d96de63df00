"""When a failed try is tried again.

Pure and deterministic: the jitter of the exponential back-off is a hash of the instance and try, as in Airflow, so
the same failure waits equally long after a restart.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta

from asyncflow.core.models import TaskInstance
from asyncflow.core.specs import TaskSpec

#: cap of the back-off where the task gives none (Airflow: core.max_task_retry_delay)
DEFAULT_CAP = timedelta(days=1)


def may_retry(task: TaskSpec, ti: TaskInstance, *, retryable: bool) -> bool:
    """Whether a try that has just failed is followed by another."""
    return retryable and task.retries > 0 and ti.try_number <= ti.max_tries


def retry_delay(
    task: TaskSpec, ti: TaskInstance, logical_date: datetime | None, cap: timedelta = DEFAULT_CAP
) -> timedelta:
    """How long to wait after the end of the failed try `ti.try_number`.

    With back-off: between one and two times `retry_delay * factor ** (try - 1)` (at least 1 s), at most `cap`, and at
    most the task's own max_retry_delay.
    """
    if not task.retry_exponential_backoff:
        return task.retry_delay
    seconds = _least_wait(task.retry_delay.total_seconds(), task.retry_exponential_backoff, ti.try_number, cap)
    name = f"{ti.dag_id}#{ti.task_id}#{logical_date}#{ti.try_number}"
    jitter = int(hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest(), 16) % seconds
    delay = min(timedelta(seconds=min(seconds + jitter, int(cap.total_seconds()))), cap)
    return min(task.max_retry_delay, delay) if task.max_retry_delay else delay


def _least_wait(base: float, factor: float, try_number: int, cap: timedelta) -> int:
    """Whole seconds, at least 1. A power too large for a float is far beyond the cap: the cap stands for it."""
    try:
        return max(1, math.ceil(base * factor ** (try_number - 1)))
    except OverflowError:
        return max(1, int(cap.total_seconds()))
