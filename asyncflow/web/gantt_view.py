"""One run on a time axis: for each task instance and try, how long it waited and how long it ran. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from asyncflow.core.models import DagRun
from asyncflow.core.states import TaskState
from asyncflow.web import views
from asyncflow.web.address import run_path, segment
from asyncflow.web.forecast import Span
from asyncflow.web.i18n import ENGLISH, Language

#: the drawing's width and the height of one line, in pixels
WIDTH, LINE = 900, 22
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_TICKS = 8


class Instance(Protocol):
    """Since when a task instance could have begun (`store.grid.Readiness`)."""

    @property
    def task_id(self) -> str: ...
    @property
    def map_index(self) -> int: ...
    @property
    def rendered_map_index(self) -> str | None: ...
    @property
    def scheduled_at(self) -> datetime | None: ...


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
    kind: str  #: waited (for a slot, then for its process), ran, or rest (what is foreseen)
    state: str
    title: str
    href: str
    live: bool = False  #: grows with the time


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

    rows: list[Row]  #: those of one page
    first: int  #: how many are on the pages before
    count: int  #: on all pages together
    ticks: list[tuple[float, str]]
    start: datetime
    end: datetime
    seconds: float  #: from one end of the axis to the other
    now: datetime
    now_x: float | None  #: where now is, while the run goes on


class _Scale:
    """Moments as pixels."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start, self.end = start, end
        self.seconds = max((end - start).total_seconds(), 1.0)

    def x(self, moment: datetime) -> float:
        return round(WIDTH * (moment - self.start).total_seconds() / self.seconds, 1)


def gantt(
    run: DagRun,
    instances: Sequence[Instance],
    tries: Sequence[Try],
    places: Mapping[str, int],
    now: datetime,
    foreseen: Mapping[str, Span] = MappingProxyType({}),
    words: Language = ENGLISH,
    page: tuple[int, int] = (0, 1_000_000),
) -> Gantt | None:
    """The drawing of a run, in the order in which the instances began; None before any was queued.

    `foreseen`: by task id, when what has not ended will have; what has not begun comes last.
    `page`: a row of the page that is drawn, and how many rows a page has.
    """
    by_instance: dict[tuple[str, int], list[Try]] = {}
    for bar in tries:
        by_instance.setdefault((bar.task_id, bar.map_index), []).append(bar)
    moments = _moments(instances, tries)
    if not moments:
        return None
    live = run.ended_at is None and (
        bool(foreseen) or any(bar.started_at is not None and bar.ended_at is None for bar in tries)
    )
    coming = {name: span for name, span in foreseen.items() if span.predicted} if live else {}
    scale = _axis(run, moments, coming.values(), now if live else None)
    until = now if live else max(moments)
    known = {(ti.task_id, ti.map_index): ti for ti in instances}

    def began(key: tuple[str, int]) -> tuple[datetime, int, int]:
        first = by_instance[key][0]
        return first.queued_at or first.started_at or scale.end, places.get(key[0], len(places)), key[1]

    keys = sorted(by_instance, key=began)
    begun = {task_id for task_id, _ in by_instance}
    later = sorted((span.start, places.get(name, 0), name) for name, span in coming.items() if name not in begun)
    there = {task_id for task_id, _ in known}
    count, many = len(keys) + len(later), page[1]
    first = min(page[0], max(count - 1, 0)) // many * many
    rows = [
        _row(run, key, known.get(key), by_instance[key], scale, until, coming.get(key[0]), words)
        for key in keys[first : first + many]
    ]
    rest = later[max(first - len(keys), 0) : max(first + many - len(keys), 0)]
    rows += [_expected(run if name in there else None, name, coming[name], scale, words) for _, _, name in rest]
    return Gantt(
        rows=rows,
        first=first,
        count=count,
        ticks=_ticks(scale, words),
        start=scale.start,
        end=scale.end,
        seconds=scale.seconds,
        now=now,
        now_x=scale.x(now) if live else None,
    )


def _axis(run: DagRun, moments: Sequence[datetime], coming: Iterable[Span], now: datetime | None) -> _Scale:
    """From the first to the last moment; of a run that goes on (`now`) as far as it is expected to go, and further."""
    start = min([*moments, *([run.started_at] if run.started_at else [])])
    last = max([*moments, *([now] if now else [])])
    # room for what goes on longer than foreseen, so that the page need not be drawn anew each second
    room = (last - start) / 10 if now else timedelta()
    return _Scale(start, max([last + room, *(span.end for span in coming)]))


def _moments(instances: Sequence[Instance], tries: Sequence[Try]) -> list[datetime]:
    """All that the axis must reach."""
    begun = {(bar.task_id, bar.map_index) for bar in tries}
    found = [m for bar in tries for m in (bar.queued_at, bar.started_at, bar.ended_at) if m is not None]
    return found + [ti.scheduled_at for ti in instances if ti.scheduled_at and (ti.task_id, ti.map_index) in begun]


def _expected(run: DagRun | None, task_id: str, span: Span, scale: _Scale, _: Language) -> Row:
    """A task that has not begun; without a run when that has no instance of it yet."""
    name = segment(task_id)
    href = f"{run_path(run.dag_id, run.run_id)}/tasks/{name}" if run else f"tasks/{name}"
    return Row(name=task_id, bars=[_rest(scale, span, href, _)], waited="", ran="", open_end=False)


def _rest(scale: _Scale, span: Span, href: str, _: Language) -> Bar:
    """What is foreseen, from its start to its end."""
    x = scale.x(span.start)
    lasts = _.duration((span.end - span.start).total_seconds())
    return Bar(
        x=x,
        width=max(round(scale.x(span.end) - x, 1), 0.0),
        kind="rest",
        state="none",
        title=f"{_('expected')} · {lasts} · {_clock(span.start, span.end, _)}",
        href=href,
    )


def _row(
    run: DagRun,
    key: tuple[str, int],
    ti: Instance | None,
    tries: Sequence[Try],
    scale: _Scale,
    end: datetime,
    coming: Span | None,
    _: Language,
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
            live = bar.ended_at is None and run.ended_at is None and bar is tries[-1]
            bars.append(_bar(scale, bar.try_number, kind, state, (start, stop), href, _, live=live and kind == "ran"))
    if coming is not None and bars and tries[-1].ended_at is None and coming.end > end:
        bars.append(_rest(scale, Span(end, coming.end, predicted=True), bars[-1].href, _))
    return Row(
        name=name,
        bars=bars,
        waited=_.duration(waited.total_seconds()),
        ran=_.duration(ran.total_seconds()),
        open_end=tries[-1].ended_at is None and run.ended_at is None,
    )


def _bar(
    scale: _Scale,
    number: int,
    kind: str,
    state: str,
    span: tuple[datetime, datetime],
    href: str,
    _: Language,
    *,
    live: bool = False,
) -> Bar:
    x = scale.x(span[0])
    waited = {"scheduled": _("waited for a slot"), "queued": _("waited for its process")}
    what = waited.get(state) or _("ran, {state}", state=_.state(state))
    lasted = _.duration((span[1] - span[0]).total_seconds())
    return Bar(
        x=x,
        width=max(round(scale.x(span[1]) - x, 1), 1.5),
        kind=kind,
        state=state,
        title=f"{_('try {n}', n=number)} {what} · {lasted} · {_clock(*span, _)}",
        href=href,
        live=live,
    )


def _clock(start: datetime, end: datetime, _: Language) -> str:
    return _("{first} to {last}", first=f"{_.there(start):%H:%M:%S}", last=f"{_.there(end):%H:%M:%S %Z}")


def _ticks(scale: _Scale, _: Language) -> list[tuple[float, str]]:
    """Round moments of the axis, at most nine."""
    step = next((step for step in _STEPS if scale.seconds / step <= _TICKS), 86400 * (int(scale.seconds) // 604800 + 1))
    first = _.there(scale.start).replace(minute=0, second=0, microsecond=0)
    first += timedelta(seconds=step * -(-(scale.start - first).total_seconds() // step))
    text = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86400 else "%d %b"
    found = []
    moment = first
    while scale.x(moment) <= WIDTH:
        found.append((scale.x(moment), f"{_.there(moment):{text}}"))
        moment += timedelta(seconds=step)
    return found
