"""The grid: a line per task or group, a column per run, a cell per task instance or for several of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Protocol

from asyncflow.core.models import DagRun
from asyncflow.core.states import RunType
from asyncflow.web.address import run_path, segment
from asyncflow.web.dag_tree import Line
from asyncflow.web.i18n import ENGLISH, Language

#: which state a cell for several instances takes, first that is there: Airflow's order of gravity
_GRAVITY = (
    *("failed", "upstream_failed", "up_for_retry", "up_for_reschedule", "awaiting_input", "queued", "scheduled"),
    *("deferred", "running", "restarting", "none", "success", "skipped", "removed"),
)
_RANK = {state: rank for rank, state in enumerate(_GRAVITY)}
#: steps in which the height of a bar is drawn (classes h0 to h50)
BAR_STEPS = 50
_TYPE_GLYPHS = {RunType.MANUAL: "▸", RunType.BACKFILL: "↺", RunType.DATASET_TRIGGERED: "◆"}
#: a label over columns is shown from this many columns on
_LABEL_COLUMNS = 3


class Part(Protocol):
    """Instances of one cell that are in one state (`store.grid.CellPart`)."""

    @property
    def line(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def many(self) -> int: ...
    @property
    def try_number(self) -> int: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def mapped(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One run, or one that is planned."""

    run_id: str
    path: str
    state: str
    title: str
    height: int  #: of its bar, in steps
    glyph: str = ""
    marker: str = ""  #: what changed here: a new version of the DAG
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """What one line came to in one run."""

    state: str
    path: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line with its cells, one per column; None = the task was not in that run."""

    line: Line
    depth: int  #: how far it is indented, at most 9
    cells: list[Cell | None]


def columns(
    runs: Sequence[DagRun],
    planned: Sequence[Mapping[str, str]],
    newest: datetime,
    versions: Mapping[str, int],
    _: Language = ENGLISH,
) -> list[Column]:
    """The runs, oldest first, then what is planned. `newest` is now: a running run's bar grows up to it.

    The longest run that has ended fills the height; one that still runs after longer than that is cut there.
    """
    seconds = [_seconds(run, newest) for run in runs]
    ended = [s for run, s in zip(runs, seconds, strict=True) if s is not None and run.ended_at is not None]
    longest = max(ended, default=0.0) or max([s for s in seconds if s is not None], default=0.0)
    found = []
    before = runs[0].version if runs else ""
    for run, lasted in zip(runs, seconds, strict=True):
        number = versions.get(run.version, "?")
        marker = _("version {n} of the DAG from here", n=number) if run.version != before else ""
        before = run.version
        found.append(
            Column(
                run_id=run.run_id,
                path=run_path(run.dag_id, run.run_id),
                state=run.state.value,
                title=_run_title(run, lasted, _),
                height=_height(lasted, longest),
                glyph=_TYPE_GLYPHS.get(run.run_type, ""),
                marker=marker,
            )
        )
    return found + [_planned(info, _) for info in planned]


def _planned(info: Mapping[str, str], _: Language) -> Column:
    due, date = _.moment(info["run_after"]), _.moment(info["logical_date"])
    title = _("planned for {date}, due {due}", date=date, due=due)
    return Column(run_id=info["logical_date"], path="", state="planned", title=title, height=6, planned=True)


def _seconds(run: DagRun, now: datetime) -> float | None:
    return None if run.started_at is None else ((run.ended_at or now) - run.started_at).total_seconds()


def _height(seconds: float | None, longest: float) -> int:
    if seconds is None or longest <= 0:
        return 2
    return max(2, min(BAR_STEPS, round(BAR_STEPS * seconds / longest)))


def _run_title(run: DagRun, seconds: float | None, _: Language) -> str:
    date = _.moment(run.logical_date) or run.run_id
    parts = [date, _.state(run.state), _.duration(seconds) or _("not started"), _.state(run.run_type)]
    if run.note:
        parts.append(_("note: {text}", text=run.note[:200]))
    return " · ".join(parts)


def labels(runs: Sequence[DagRun], planned: int, _: Language = ENGLISH) -> list[tuple[str, int]]:
    """Texts over the columns with the number of columns each spans: months, days or hours, whatever sets them apart."""
    dates = [run.logical_date or run.run_after for run in runs]
    if not dates:
        return [("", planned)] if planned else []
    span = dates[-1] - dates[0]

    def text(moment: datetime) -> str:
        if span.days > 3 * len(dates) // 4:
            return _.month(moment)
        return _.day(moment) if span.days >= 1 else f"{_.day(moment)} {moment:%H:00}"

    found = [(name, len(list(group))) for name, group in groupby(map(text, dates))]
    found = [(name if count >= _LABEL_COLUMNS else "", count) for name, count in found]
    return [*found, (_("planned") if planned >= _LABEL_COLUMNS else "", planned)] if planned else found


def table(lines: Sequence[Line], found: Sequence[Sequence[Cell | None]], planned: int) -> list[Row]:
    """The body, made from its columns."""
    empty: list[Cell | None] = [None] * planned
    across = zip(*found, strict=True) if found else [()] * len(lines)
    return [
        Row(line=line, depth=min(line.depth, 9), cells=[*cells, *empty])
        for line, cells in zip(lines, across, strict=True)
    ]


def column(
    lines: Sequence[Line], run: DagRun, parts: Sequence[Part], now: datetime, _: Language = ENGLISH
) -> list[Cell | None]:
    """What each line came to in one run."""
    found: list[Cell | None] = [None] * len(lines)
    path = run_path(run.dag_id, run.run_id)
    by_line: dict[int, list[Part]] = {}
    for part in parts:
        by_line.setdefault(part.line, []).append(part)
    for place, several in by_line.items():
        line = lines[place]
        alone = not line.is_group and not any(part.mapped for part in several)
        name = segment(line.id)
        found[place] = _cell(several, f"{path}/tasks/{name}" if alone else f"{path}?task_id={name}", now, _)
    return found


def _cell(parts: Sequence[Part], path: str, now: datetime, _: Language) -> Cell:
    if len(parts) == 1 and parts[0].many == 1:
        part = parts[0]
        title = _label(part.state, _.code)
        if part.try_number > 1:
            title += " · " + _("try {n}", n=part.try_number)
        if part.started_at is not None:
            title += f" · {_.duration(((part.ended_at or now) - part.started_at).total_seconds())}"
        return Cell(part.state, path, title)
    state, title = gravest(parts, _)
    return Cell(state, path, title)


@cache
def _label(state: str, code: str) -> str:
    return Language(code).state(state)


def gravest(parts: Sequence[Part], _: Language = ENGLISH) -> tuple[str, str]:
    """The state that several instances show as one, and how many are in which; ("none", "") for none of them."""
    ranked = sorted(parts, key=lambda part: _RANK[part.state])
    if not ranked:
        return "none", ""
    if len(ranked) == 1 and ranked[0].many == 1:
        return ranked[0].state, _label(ranked[0].state, _.code)
    return ranked[0].state, ", ".join(f"{part.many} {_label(part.state, _.code)}" for part in ranked)


def version_numbers(newest_first: Sequence[str]) -> dict[str, int]:
    """1 for the first version a DAG had, and so on."""
    return {version: len(newest_first) - place for place, version in enumerate(newest_first)}
