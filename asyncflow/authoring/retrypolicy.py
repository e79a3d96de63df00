"""Airflow 3's retry policies: what a failure is decides whether, and when, the task is tried again."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class RetryAction(enum.Enum):
    """What is done about a failure."""

    RETRY = "retry"
    FAIL = "fail"
    DEFAULT = "default"  #: as the task's own `retries` and `retry_delay` say


@dataclass(frozen=True)
class RetryDecision:
    """What a policy answers. Without `retry_delay` the task's own counts."""

    action: RetryAction = RetryAction.DEFAULT
    retry_delay: dt.timedelta | None = None
    reason: str | None = None


class RetryPolicy:
    """Subclasses define `evaluate`."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """What to do about the failure of try `try_number`."""
        raise NotImplementedError(f"{type(self).__name__} does not define evaluate().")


@dataclass(frozen=True, kw_only=True)
class RetryRule:
    """What is done about one kind of exception: a class, or its full name, which is not imported."""

    exception: type[BaseException] | str
    action: RetryAction = RetryAction.RETRY
    retry_delay: dt.timedelta | None = None
    reason: str | None = None
    match_subclasses: bool = True

    def matches(self, exception: BaseException) -> bool:
        """Is it the rule's kind?"""
        kinds = type(exception).__mro__ if self.match_subclasses else (type(exception),)
        if isinstance(self.exception, str):
            return any(
                self.exception in (f"{kind.__module__}.{kind.__qualname__}", kind.__qualname__) for kind in kinds
            )
        return self.exception in kinds


class ExceptionRetryPolicy(RetryPolicy):
    """The first rule that matches counts, else `default`."""

    def __init__(self, rules: Sequence[RetryRule], default: RetryAction = RetryAction.DEFAULT) -> None:
        self.rules = list(rules)
        self.default = default

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        for rule in self.rules:
            if rule.matches(exception):
                return RetryDecision(rule.action, rule.retry_delay, rule.reason)
        return RetryDecision(self.default)
