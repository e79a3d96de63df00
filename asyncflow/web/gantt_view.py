"""One run on a time axis: for each task instance and try, how long it waited and how long it ran. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.states import TaskState
from asyncflow.web import views
from asyncflow.web.address import run_path, segment

#: the drawing's width and the height of one line, in pixels
WIDTH, LINE = 900, 22
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_TICKS = 8


class Try(Protocol):
    """When one try waited and ran (`store.grid.TryBar`)."""

    @property
    def task_id(self) -> str: ...
    @property
    def map_index(self) -> int: ...
    @property
    def try_number(self) -> int: ...
    @property
    def state(self) -> TaskState: ...
    @property
    def queued_at(self) -> datetime | None: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One stretch of time on a line."""

    x: float
    width: float
    kind: str  #: waited (for a slot, then for its process) or ran
    state: str
    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One task instance."""

    name: str
    bars: list[Bar]
    waited: str
    ran: str
    open_end: bool  #: runs now


@dataclass(frozen=True, slots=True, kw_only=True)
class Gantt:
    """The drawing."""

    rows: list[Row]
    ticks: list[tuple[float, str]]
    start: datetime
    end: datetime


class _Scale:
    """Moments as pixels."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start = start
        self.seconds = max((end - start).total_seconds(), 1.0)

    def x(self, moment: datetime) -> float:
        return round(WIDTH * (moment - self.start).total_seconds() / self.seconds, 1)


def gantt(
    run: DagRun, instances: Sequence[TaskInstance], tries: Sequence[Try], places: Mapping[str, int], now: datetime
) -> Gantt | None:
    """The drawing of a run, in the order in which the instances began; None before any was queued."""
    by_instance: dict[tuple[str, int], list[Try]] = {}
    for bar in tries:
        by_instance.setdefault((bar.task_id, bar.map_index), []).append(bar)
    moments = [m for bar in tries for m in (bar.queued_at, bar.started_at, bar.ended_at) if m is not None]
    moments += [ti.scheduled_at for ti in instances if ti.scheduled_at and (ti.task_id, ti.map_index) in by_instance]
    if not moments:
        return None
    live = any(bar.started_at is not None and bar.ended_at is None for bar in tries) and run.ended_at is None
    start = min([*moments, *([run.started_at] if run.started_at else [])])
    end = max([*moments, *([now] if live else [])])
    scale = _Scale(start, end)
    known = {(ti.task_id, ti.map_index): ti for ti in instances}

    def began(key: tuple[str, int]) -> tuple[datetime, int, int]:
        first = by_instance[key][0]
        return first.queued_at or first.started_at or end, places.get(key[0], len(places)), key[1]

    rows = [_row(run, key, known.get(key), by_instance[key], scale, end) for key in sorted(by_instance, key=began)]
    return Gantt(rows=rows, ticks=_ticks(scale), start=start, end=end)


def _row(
    run: DagRun, key: tuple[str, int], ti: TaskInstance | None, tries: Sequence[Try], scale: _Scale, end: datetime
) -> Row:
    name = views.instance_name(*key, ti.rendered_map_index if ti else None)
    copy = f"&map_index={key[1]}" if key[1] >= 0 else ""
    bars: list[Bar] = []
    waited, ran = timedelta(), timedelta()
    for bar in tries:
        href = f"{run_path(run.dag_id, run.run_id)}/tasks/{segment(key[0])}?try={bar.try_number}{copy}"
        until = bar.started_at or bar.ended_at or end
        stretches = []
        if bar.queued_at is not None:
            ready = ti.scheduled_at if ti is not None and bar is tries[-1] else None
            stretches += [("scheduled", ready, bar.queued_at), ("queued", bar.queued_at, until)]
        stretches.append((bar.state.value, bar.started_at, bar.ended_at or end))
        for state, start, stop in stretches:
            if start is None or (state in ("scheduled", "queued") and stop <= start):
                continue
            kind = "waited" if state in ("scheduled", "queued") else "ran"
            waited, ran = (waited + (stop - start), ran) if kind == "waited" else (waited, ran + (stop - start))
            bars.append(_bar(scale, bar.try_number, kind, state, (start, stop), href))
    return Row(
        name=name,
        bars=bars,
        waited=views.duration_text(waited.total_seconds()),
        ran=views.duration_text(ran.total_seconds()),
        open_end=tries[-1].ended_at is None and run.ended_at is None,
    )


def _bar(scale: _Scale, number: int, kind: str, state: str, span: tuple[datetime, datetime], href: str) -> Bar:
    x = scale.x(span[0])
    words = {"scheduled": "waited for a slot", "queued": "waited for its process"}.get(state, f"ran, {state}")
    lasted = views.duration_text((span[1] - span[0]).total_seconds())
    return Bar(
        x=x,
        width=max(round(scale.x(span[1]) - x, 1), 1.5),
        kind=kind,
        state=state,
        title=f"try {number} {words.replace('_', ' ')} · {lasted} · {span[0]:%H:%M:%S} to {span[1]:%H:%M:%S} UTC",
        href=href,
    )


def _ticks(scale: _Scale) -> list[tuple[float, str]]:
    """Round moments of the axis, at most nine."""
    step = next((step for step in _STEPS if scale.seconds / step <= _TICKS), 86400 * (int(scale.seconds) // 604800 + 1))
    first = scale.start.replace(minute=0, second=0, microsecond=0)
    first += timedelta(seconds=step * -(-(scale.start - first).total_seconds() // step))
    text = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86400 else "%d %b"
    found = []
    moment = first
    while scale.x(moment) <= WIDTH:
        found.append((scale.x(moment), f"{moment:{text}}"))
        moment += timedelta(seconds=step)
    return found
