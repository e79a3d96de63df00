"""Duration, landing time and tries of tasks over the runs, as small charts on one time axis. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache

from asyncflow.core.models import DagRun
from asyncflow.web.address import run_path, segment
from asyncflow.web.dag_tree import Line
from asyncflow.web.grid_view import Part, gravest
from asyncflow.web.i18n import ENGLISH, Language

#: the least pixels per run, what few runs share, and the heights of the charts
STEP, WIDTH = 12, 600
TASK_HEIGHT, RUN_HEIGHT = 44, 120
_MARGIN = 5
_ENDED = ("success", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One run of one chart."""

    x: float
    y: float
    state: str
    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The runs of one task, or the runs themselves. Heights are from above."""

    label: str
    height: int
    dots: list[Dot]
    path: str  #: the line through the dots, interrupted where a run has no value
    median: str
    p95: str
    most: str
    last: str
    median_y: float
    p95_y: float
    rank: float  #: the 95th percentile, for sorting


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is charted."""

    heading: str
    axis: str
    of_task: Callable[[Sequence[Part], DagRun], float | None]
    of_run: Callable[[DagRun], float | None]
    text: Callable[[Language, float], str]


def step(count: int) -> float:
    """Pixels per run: few runs spread over the width, many make the charts wider."""
    return max(STEP, WIDTH / max(count, 1))


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values reach at most (nearest rank). Raises IndexError without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _span(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def _ended(parts: Sequence[Part]) -> bool:
    return bool(parts) and all(part.state in _ENDED for part in parts)


def _first(parts: Sequence[Part]) -> datetime | None:
    return min((part.started_at for part in parts if part.started_at), default=None)


def _last(parts: Sequence[Part]) -> datetime | None:
    return max((part.ended_at for part in parts if part.ended_at), default=None)


def _task_duration(parts: Sequence[Part], run: DagRun) -> float | None:
    return _span(_first(parts), _last(parts)) if _ended(parts) else None


def _due(run: DagRun) -> datetime:
    return run.data_interval_end or run.run_after


def _task_landing(parts: Sequence[Part], run: DagRun) -> float | None:
    return _span(_due(run), _last(parts)) if _ended(parts) else None


def _task_tries(parts: Sequence[Part], run: DagRun) -> float | None:
    return float(max((part.try_number for part in parts), default=0)) or None


KINDS: Mapping[str, Kind] = {
    "duration": Kind(
        heading="Task duration",
        axis="from the start of the last try to its end; of a mapped task from the first start to the last end",
        of_task=_task_duration,
        of_run=lambda run: _span(run.started_at, run.ended_at),
        text=Language.duration,
    ),
    "landing": Kind(
        heading="Landing times",
        axis="from the end of the data interval to the end of the task",
        of_task=_task_landing,
        of_run=lambda run: _span(_due(run), run.ended_at),
        text=Language.duration,
    ),
    "tries": Kind(
        heading="Task tries",
        axis="how many tries the task took; of a mapped task the copy that took most",
        of_task=_task_tries,
        of_run=lambda run: None,
        text=lambda _, value: f"{value:.0f}",
    ),
}


def run_chart(kind: Kind, runs: Sequence[DagRun], _: Language = ENGLISH) -> Chart:
    """The runs themselves."""
    values = [kind.of_run(run) for run in runs]
    states = [run.state.value for run in runs]
    paths = [run_path(run.dag_id, run.run_id) for run in runs]
    return _chart(_("All of the run"), kind, runs, values, states, paths, RUN_HEIGHT, _)


def task_charts(
    kind: Kind,
    lines: Sequence[Line],
    runs: Sequence[DagRun],
    cells: Sequence[Sequence[Part]],
    _: Language = ENGLISH,
) -> list[Chart]:
    """A chart per line. `cells[i]` are the parts of `runs[i]`, whose `line` is a place in `lines`."""
    table: list[list[list[Part]]] = [[[] for _ in runs] for _ in lines]
    for place, parts in enumerate(cells):
        for part in parts:
            table[part.line][place].append(part)
    found = []
    for line, row in zip(lines, table, strict=True):
        values = [kind.of_task(parts, run) for parts, run in zip(row, runs, strict=True)]
        states = [gravest(parts)[0] for parts in row]
        tail = f"?task_id={segment(line.id)}" if line.mapped else f"/tasks/{segment(line.id)}"
        paths = [run_path(run.dag_id, run.run_id) + tail for run in runs]
        found.append(_chart(line.id, kind, runs, values, states, paths, TASK_HEIGHT, _))
    return found


def _chart(
    label: str,
    kind: Kind,
    runs: Sequence[DagRun],
    values: Sequence[float | None],
    states: Sequence[str],
    paths: Sequence[str],
    height: int,
    _: Language,
) -> Chart:
    known = [value for value in values if value is not None]
    top = max(known, default=0.0) or 1.0

    def y(value: float) -> float:
        # a task may land before its interval ends (a run by hand): that is the bottom line
        return round(height - _MARGIN - (height - 2 * _MARGIN) * max(0.0, value) / top, 1)

    dates, wide = _dates(tuple(run.logical_date or run.run_after for run in runs), _.zone), step(len(runs))
    dots = [
        Dot(
            x=round((place + 0.5) * wide, 1),
            y=y(value),
            state=state,
            title=f"{dates[place]} · {kind.text(_, value)} · {_.state(state)}",
            href=path,
        )
        for place, (value, state, path) in enumerate(zip(values, states, paths, strict=True))
        if value is not None
    ]
    median, p95 = (quantile(known, 0.5), quantile(known, 0.95)) if known else (0.0, 0.0)
    return Chart(
        label=label,
        height=height,
        dots=dots,
        path=_path(dots, wide),
        median=kind.text(_, median) if known else "",
        p95=kind.text(_, p95) if known else "",
        most=kind.text(_, max(known)) if known else "",
        last=kind.text(_, known[-1]) if known else "",
        median_y=y(median),
        p95_y=y(p95),
        rank=p95,
    )


def _path(dots: Sequence[Dot], wide: float) -> str:
    text, before = "", None
    for dot in dots:
        text += f"{'L' if before is not None and dot.x - before < 1.5 * wide else 'M'}{dot.x:g} {dot.y:g}"
        before = dot.x
    return text


@lru_cache(maxsize=8)
def _dates(moments: tuple[datetime, ...], zone: tzinfo) -> list[str]:
    """Said once for all the charts of a page."""
    _ = Language("en", zone)
    return [_.moment(moment) for moment in moments]


def new_versions(runs: Sequence[DagRun], numbers: Mapping[str, int], _: Language = ENGLISH) -> list[tuple[float, str]]:
    """Where a new version of the DAG begins, and what is said of it."""
    return [
        (round(place * step(len(runs)), 1), _("version {n} from here", n=numbers.get(runs[place].version, "?")))
        for place in range(1, len(runs))
        if runs[place].version != runs[place - 1].version
    ]
