"""What pages show, worked out from the actions' answers: labels, durations, badges. Pure; `now` comes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncflow.web import signs

_ACTIVE_RUN = ("queued", "running")
_ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A state as it is shown."""

    state: str
    glyph: str  #: path of its sign, see signs.py
    label: str
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLine:
    """A dataset that the next run of a DAG waits for."""

    uri: str
    updated_at: str | None  #: since when its update waits for the others; None: it is awaited


def badge(state: str | None, count: int | None = None) -> Badge:
    """The badge of a task or run state."""
    name = state or "none"
    return Badge(
        state=name, glyph=signs.sign(state), label=name.replace("_", " ") if state else "no status", count=count
    )


def datasets_words(condition: str | None, datasets: Sequence[DatasetLine]) -> str:
    """How far a DAG that is scheduled by datasets has come."""
    if condition is None:
        return ""
    updated = sum(line.updated_at is not None for line in datasets)
    if len(datasets) <= 1:
        return f"when {condition} is updated"
    return f"{updated} of {len(datasets)} datasets updated"


def instance_name(task_id: str, map_index: int, rendered: str | None = None) -> str:
    """`task`, or `task[3]`, or `task[its label]` for a copy of a mapped task."""
    return task_id if map_index < 0 else f"{task_id}[{rendered or map_index}]"


def is_active(state: str | None) -> bool:
    """Whether a run in this state may still change by itself, so that its page must look again."""
    return state in _ACTIVE_RUN


def has_ended(state: str | None) -> bool:
    """Whether a task instance in this state writes no more log."""
    return state in _ENDED


def duration_text(seconds: float | None) -> str:
    """`0.42 s`, `12.3 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; "" for none."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{max(seconds, 0):.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, big, rest, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            tail = whole % size // rest
            return f"{whole // size} {big}" + (f" {tail} {small}" if tail else "")
    return f"{whole} s"


class SoFar(float):
    """Seconds since `since` of something that goes on: a page counts them on by itself, and is not made anew for it."""

    since: datetime

    def __new__(cls, since: datetime, now: datetime) -> SoFar:
        made = super().__new__(cls, (now - since).total_seconds())
        made.since = since
        return made

    def __repr__(self) -> str:
        """The same however much time goes by: for `fingerprint`."""
        return f"SoFar({self.since!r})"


def lasted(start: datetime | None, end: datetime | None, now: datetime) -> float | None:
    """Seconds from start to end, or until now (`SoFar`) while it has not ended; None before the start."""
    if start is None:
        return None
    return SoFar(start, now) if end is None else (end - start).total_seconds()
