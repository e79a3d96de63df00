"""When the tasks of a run will have ended, and which of them decide it. Pure.

A task takes as long as it usually does (the median of earlier runs); it begins when the last task before it has ended.
Slots and retries are not foreseen: it is the soonest end that experience speaks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncflow.core.models import DagRun
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import FINISHED, FINISHED_RUN
from asyncflow.web.dag_tree import Line, order_of
from asyncflow.web.grid_view import Part

_OVER = frozenset(state.value for state in FINISHED)
_AT_WORK = frozenset({"running", "restarting", "deferred", "up_for_reschedule"})


@dataclass(frozen=True, slots=True)
class Span:
    """When a task began and ended, or will have."""

    start: datetime
    end: datetime
    predicted: bool  #: its end is still to come


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is to be expected of a run, or of a run that would start now."""

    spans: Mapping[str, Span]  #: by task id; not those that will not run
    path: tuple[str, ...]  #: the chain of tasks that decides when the run ends, in their order
    end: datetime | None  #: of a run that has not ended: when it will have; None when nothing is known

    def links(self) -> frozenset[tuple[str, str]]:
        """The arrows of the path."""
        return frozenset(zip(self.path, self.path[1:], strict=False))


NOTHING = Forecast(spans={}, path=(), end=None)


def forecast(
    spec: DagSpec, usual: Mapping[str, float], run: DagRun | None, parts: Mapping[str, Sequence[Part]], now: datetime
) -> Forecast:
    """`usual`: seconds by task id. `parts`: what each task came to in `run`; empty for a run that would start now."""
    if not usual and run is None:
        return NOTHING
    over = run is not None and run.state in FINISHED_RUN
    begin = (run.started_at if run else None) or now
    spans: dict[str, Span] = {}
    for task_id in order_of(spec):
        after = [spans[name].end for name in spec.tasks[task_id].upstream if name in spans]
        ready = max(after, default=begin)
        span = _span(parts.get(task_id, ()), timedelta(seconds=usual.get(task_id, 0.0)), ready, now)
        if span is not None and not (over and span.predicted):
            spans[task_id] = span
    path = _path(spec, spans)
    known = any(task_id in usual for task_id in path)
    end = max((span.end for span in spans.values()), default=None) if known and not over and run is not None else None
    return Forecast(spans=spans, path=path, end=end)


def _span(parts: Sequence[Part], usual: timedelta, ready: datetime, now: datetime) -> Span | None:
    """A task's time; None for one that ended without having run."""
    starts = [part.started_at for part in parts if part.started_at]
    if parts and all(part.state in _OVER for part in parts):
        ends = [part.ended_at for part in parts if part.ended_at]
        return Span(min(starts), max(ends), predicted=False) if starts and ends else None
    if starts and any(part.state in _AT_WORK for part in parts):
        return Span(min(starts), max(now, min(starts) + usual), predicted=True)
    start = max(ready, now)
    return Span(start, start + usual, predicted=True)


def _path(spec: DagSpec, spans: Mapping[str, Span]) -> tuple[str, ...]:
    """Back from what ends last, each time to the one before it that ended last."""
    if not spans:
        return ()
    last: str | None = max(spans, key=lambda name: spans[name].end)
    found: list[str] = []
    while last is not None:
        found.append(last)
        before = [name for name in spec.tasks[last].upstream if name in spans]
        last = max(before, key=lambda name: spans[name].end, default=None)
    return tuple(reversed(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """A forecast for what a page shows: tasks, and groups that are folded, each by its id."""

    usual: Mapping[str, float]  #: seconds
    ends: Mapping[str, datetime]  #: when what has not ended will have
    path: frozenset[str]
    links: frozenset[tuple[str, str]]  #: as `graph_layout` names the ends of its arrows


def insight(lines: Sequence[Line], plan: Forecast, usual: Mapping[str, float], found: Forecast) -> Insight:
    """`plan`: the forecast of a run that would start now, from which groups have their durations."""
    shown = {task_id: line.id for line in lines if not line.is_open for task_id in line.task_ids}
    seconds = {name: spent for name, spent in usual.items() if shown.get(name) == name}
    ends: dict[str, datetime] = {}
    for line in lines:
        if line.is_open:
            continue
        spans = [plan.spans[name] for name in line.task_ids if name in usual and name in plan.spans]
        if line.is_group and spans:
            seconds[line.id] = (max(span.end for span in spans) - min(span.start for span in spans)).total_seconds()
        coming = [found.spans[name] for name in line.task_ids if name in found.spans]
        if any(span.predicted for span in coming) and line.id in seconds:
            ends[line.id] = max(span.end for span in coming)
    steps = {(shown[a], shown[b]) for a, b in found.links() if a in shown and b in shown}
    trails = _trails(lines)
    return Insight(
        usual=seconds,
        ends=ends,
        path=frozenset(shown[name] for name in found.path if name in shown and len(found.path) > 1),
        links=frozenset(piece for a, b in steps if a != b for piece in _pieces(trails[a], trails[b])),
    )


def _trails(lines: Sequence[Line]) -> dict[str, tuple[str, ...]]:
    """Each line with the groups around it, outermost first."""
    found: dict[str, tuple[str, ...]] = {}
    above: list[str] = []
    for line in lines:
        del above[line.depth :]
        above.append(line.id)
        found[line.id] = tuple(above)
    return found


def _pieces(a: tuple[str, ...], b: tuple[str, ...]) -> list[tuple[str, str]]:
    """The parts in which the arrow from `a` to `b` is drawn: out of its groups, across, and into others."""
    same = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
    out = [(a[n + 1], a[n]) for n in range(same, len(a) - 1)]
    into = [(b[n], b[n + 1]) for n in range(same, len(b) - 1)]
    return [*out, (a[same], b[same]), *into]
