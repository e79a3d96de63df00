"""Trigger rules: what the states of the upstream instances mean for a task instance.

Pure. Source: Airflow 2.11, checked against `tests/golden/data/trigger_rules.json` (all rules, all mixes of up to three
upstreams). Two things look odd and are meant: most rules decide as soon as one upstream settles the matter, without
waiting for the rest; and `removed` upstreams are forgiven to a mapped instance only (gotcha 13).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from asyncflow.core.states import TaskState, TriggerRule


class Verdict(StrEnum):
    """What to do with an instance that has not been started."""

    RUN = "run"
    WAIT = "wait"
    SKIPPED = "skipped"
    UPSTREAM_FAILED = "upstream_failed"
    REMOVED = "removed"


#: finished states have a place in a tally; everything else only counts in `total`
_PLACE = {
    TaskState.SUCCESS: 0,
    TaskState.FAILED: 1,
    TaskState.SKIPPED: 2,
    TaskState.UPSTREAM_FAILED: 3,
    TaskState.REMOVED: 4,
}


class Tally:
    """How many upstream instances there are (`total`), and how many are in each finished state; setups also apart."""

    __slots__ = ("_counts", "_setup_counts", "setups", "total")

    def __init__(self, total: int = 0, setups: int = 0) -> None:
        self.total = total
        self.setups = setups
        self._counts = [0] * 5
        self._setup_counts = [0] * 5

    def count(self, state: TaskState, number: int = 1, *, setup: bool = False) -> None:
        """Add `number` (may be negative) instances in `state`; unfinished ones are not kept apart."""
        place = _PLACE.get(state)
        if place is not None:
            self._counts[place] += number
            if setup:
                self._setup_counts[place] += number

    def add(self, other: Tally, *, setup: bool = False) -> None:
        """Add all of another tally, as setups if `setup`."""
        self.total += other.total
        if setup:
            self.setups += other.total
        for place in range(5):
            self._counts[place] += other._counts[place]
            if setup:
                self._setup_counts[place] += other._counts[place]

    @property
    def success(self) -> int:
        return self._counts[0]

    @property
    def failed(self) -> int:
        return self._counts[1]

    @property
    def skipped(self) -> int:
        return self._counts[2]

    @property
    def removed(self) -> int:
        return self._counts[4]

    @property
    def broken(self) -> int:
        return self._counts[1] + self._counts[3]

    @property
    def done(self) -> int:
        return sum(self._counts)

    @property
    def is_done(self) -> bool:
        return self.done >= self.total

    @property
    def setups_succeeded(self) -> int:
        return self._setup_counts[0]

    @property
    def setups_skipped(self) -> int:
        return self._setup_counts[2]

    def forgiven(self, map_index: int) -> int:
        """Removed instances that a mapped instance does not wait for."""
        return self.removed if map_index >= 0 else 0

    def __repr__(self) -> str:
        names = ("success", "failed", "skipped", "upstream_failed", "removed")
        counts = ", ".join(f"{n} {name}" for n, name in zip(self._counts, names, strict=True) if n)
        return f"<{counts or 'none finished'} of {self.total}>"


def evaluate(rule: TriggerRule, upstream: Tally, map_index: int = -1) -> Verdict:
    """The verdict for an instance with at least one upstream task; `map_index` is its own, -1 if not mapped."""
    return _RULES[rule](upstream, map_index)


def _run_if(condition: bool) -> Verdict:
    return Verdict.RUN if condition else Verdict.WAIT


def all_success(up: Tally, map_index: int = -1) -> Verdict:
    """Also the rule of the setups further up (see planner)."""
    if up.broken:
        return Verdict.UPSTREAM_FAILED
    if up.skipped:
        return Verdict.SKIPPED
    if map_index >= 0 and up.removed and up.success and map_index >= up.success:
        return Verdict.REMOVED
    return _run_if(up.success + up.forgiven(map_index) >= up.total)


def _all_failed(up: Tally, map_index: int) -> Verdict:
    if up.success or up.skipped:
        return Verdict.SKIPPED
    return _run_if(up.broken + up.forgiven(map_index) >= up.total)


def _all_done(up: Tally, map_index: int) -> Verdict:
    return _run_if(up.is_done)


def _all_done_setup_success(up: Tally, map_index: int) -> Verdict:
    if not up.is_done:
        return Verdict.WAIT
    if up.setups and up.setups_skipped >= up.setups:
        return Verdict.SKIPPED
    if up.setups and not up.setups_succeeded:
        return Verdict.UPSTREAM_FAILED
    return Verdict.RUN


def _all_done_min_one_success(up: Tally, map_index: int) -> Verdict:
    """Airflow 3's rule: as all_done, but something must have succeeded."""
    if not up.is_done:
        return Verdict.WAIT
    if up.skipped == up.total:
        return Verdict.SKIPPED
    return Verdict.RUN if up.success else Verdict.UPSTREAM_FAILED


def _all_skipped(up: Tally, map_index: int) -> Verdict:
    if up.success or up.broken:
        return Verdict.SKIPPED
    return _run_if(up.skipped >= up.total)


def _one_success(up: Tally, map_index: int) -> Verdict:
    if up.is_done and up.done == up.skipped:
        return Verdict.SKIPPED
    if up.is_done and not up.success:
        return Verdict.UPSTREAM_FAILED
    return _run_if(up.success > 0)


def _one_failed(up: Tally, map_index: int) -> Verdict:
    if up.is_done and not up.broken:
        return Verdict.SKIPPED
    return _run_if(up.broken > 0)


def _one_done(up: Tally, map_index: int) -> Verdict:
    if up.is_done and not (up.failed or up.success):
        return Verdict.SKIPPED
    return _run_if(up.success + up.failed > 0)


def _none_failed(up: Tally, map_index: int) -> Verdict:
    if up.broken:
        return Verdict.UPSTREAM_FAILED
    return _run_if(up.success + up.skipped + up.forgiven(map_index) >= up.total)


def _none_failed_min_one_success(up: Tally, map_index: int) -> Verdict:
    if not up.broken and up.skipped == up.total:
        return Verdict.SKIPPED
    return _none_failed(up, map_index)


def _none_skipped(up: Tally, map_index: int) -> Verdict:
    return Verdict.SKIPPED if up.skipped else _run_if(up.is_done)


def _always(up: Tally, map_index: int) -> Verdict:
    return Verdict.RUN


_RULES: dict[TriggerRule, Callable[[Tally, int], Verdict]] = {
    TriggerRule.ALL_SUCCESS: all_success,
    TriggerRule.ALL_FAILED: _all_failed,
    TriggerRule.ALL_DONE: _all_done,
    TriggerRule.ALL_DONE_SETUP_SUCCESS: _all_done_setup_success,
    TriggerRule.ALL_DONE_MIN_ONE_SUCCESS: _all_done_min_one_success,
    TriggerRule.ALL_SKIPPED: _all_skipped,
    TriggerRule.ONE_SUCCESS: _one_success,
    TriggerRule.ONE_FAILED: _one_failed,
    TriggerRule.ONE_DONE: _one_done,
    TriggerRule.NONE_FAILED: _none_failed,
    TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS: _none_failed_min_one_success,
    TriggerRule.NONE_SKIPPED: _none_skipped,
    TriggerRule.ALWAYS: _always,
}
