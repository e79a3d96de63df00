"""What the pages of backfills show: how far one has come, what each of its dates came to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asyncflow.core.models import BackfillDate, BackfillOptions, DagRun
from asyncflow.core.states import BackfillState, Reprocess
from asyncflow.engine.backfill_pages import BackfillLine
from asyncflow.errors import InvalidInput
from asyncflow.web import address
from asyncflow.web.i18n import Language
from asyncflow.web.sorting import Column, Columns

UNDER_WAY = ("running", "failing", "cancelling")
COLUMNS = Columns(
    Column("State", "state"),
    Column("Backfill", "created", falling=True),
    Column("DAG", "dag"),
    Column("Ended", "ended", falling=True),
    Column("Created by", "who"),
    usual="-created",
)
#: state of a backfill, or "paused" -> the state whose colour and sign it has
LOOKS = {
    "running": "running",
    "paused": "deferred",
    "failing": "upstream_failed",
    "cancelling": "restarting",
    "success": "success",
    "failed": "failed",
    "cancelled": "removed",
}
#: states of runs in the order of the bar
_ORDER = ("success", "failed", "running", "queued")
#: length of the whole bar, in its own units
BAR = 1000
#: fields of the form that are ticked or not
FLAGS = ("run_backwards", "continue_on_failures", "disable_retry", "mark_success", "ignore_dependencies")
_TEXTS = ("from", "to", "reprocess", "max_active_runs", "task_regex", "pool", "conf")
_END_OF_DAY = "T23:59:59.999999"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of the bar."""

    state: str  #: of runs; "left" for dates whose run is none of this backfill, "none" for those to come
    count: int
    start: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a backfill has come."""

    parts: tuple[Part, ...]
    done: int  #: runs that have ended, and dates that were left alone
    total: int
    left: timedelta | None  #: how long it may still take, by how long it took so far


@dataclass(frozen=True, slots=True, kw_only=True)
class DateLine:
    """One date of a backfill."""

    date: datetime
    start: datetime
    end: datetime
    run: DagRun | None
    path: str
    to_come: bool  #: it has not had its turn
    mine: bool  #: its run is one of this backfill


def status(state: BackfillState, paused: bool) -> str:
    """What a badge says: a key of LOOKS."""
    return "paused" if paused and state is BackfillState.RUNNING else state.value


def progress(
    states: Mapping[str, int], position: int, total: int, *, active: bool, started: datetime, now: datetime
) -> Progress:
    """`states`: how many of its runs are in each; `position`: how many dates have had their turn."""
    counts = {state: states.get(state, 0) for state in _ORDER}
    counts["left"] = max(0, min(position, total) - sum(counts.values()))
    counts["none"] = max(0, total - sum(counts.values()))
    parts, start, seen = [], 0, 0
    for state, count in counts.items():
        seen += count
        end = round(BAR * seen / max(total, seen, 1))
        if count:
            parts.append(Part(state=state, count=count, start=start, width=max(1, end - start)))
        start = end
    ended = counts["success"] + counts["failed"]
    open_ = counts["running"] + counts["queued"] + counts["none"]
    guess = (now - started) / ended * open_ if active and ended and open_ else None
    return Progress(parts=tuple(parts), done=ended + counts["left"], total=total, left=guess)


def of_line(line: BackfillLine, states: Mapping[str, int], now: datetime) -> Progress:
    """Progress of one backfill of a list."""
    active = line.state is BackfillState.RUNNING and not line.paused
    return progress(states, line.position, line.total, active=active, started=line.created_at, now=now)


def dates(
    dag_id: str, backfill_id: int, position: int, first: int, found: Sequence[tuple[BackfillDate, DagRun | None]]
) -> list[DateLine]:
    """The lines of the page, in the order of their turns."""
    return [
        DateLine(
            date=entry.logical_date,
            start=entry.start,
            end=entry.end,
            run=run,
            path=address.run_path(dag_id, run.run_id) if run else "",
            to_come=first + place >= position,
            mine=run is not None and run.backfill_id == backfill_id,
        )
        for place, (entry, run) in enumerate(found)
    ]


def how(options: BackfillOptions, _: Language) -> list[str]:
    """What was asked for beside the dates, in words."""
    again = {
        Reprocess.NONE: _("runs that are there are left alone"),
        Reprocess.FAILED: _("failed runs run again"),
        Reprocess.COMPLETED: _("failed and successful runs run again"),
    }
    said = {
        again[options.reprocess] if options.reprocess else "": options.reprocess is not None,
        _("latest date first"): options.run_backwards,
        _("runs that are there are cleared first"): options.reset,
        _("failed tasks run again"): options.rerun_failed_tasks,
        _("goes on after failures"): options.continue_on_failures,
        _("without retries"): options.disable_retry,
        _("marks everything as done, runs nothing"): options.mark_success,
        _("ignores dependencies"): options.ignore_dependencies,
    }
    words = [text for text, holds in said.items() if holds]
    if options.max_active_runs:
        words.append(_.n("{n} run at a time", "{n} runs at a time", options.max_active_runs))
    if options.tasks is not None:
        words.append(_.n("{n} task only", "{n} tasks only", len(options.tasks)))
    if options.pool:
        words.append(_("in the pool {pool}", pool=options.pool))
    return words


# ---- the form -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the form asks for, as it was written."""

    texts: Mapping[str, str]
    flags: Mapping[str, bool]

    @property
    def has_dates(self) -> bool:
        """Whether there is anything to plan."""
        return bool(self.texts["from"] or self.texts["to"])

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Name and value of hidden fields that ask for the same."""
        ticked = [(name, "1") for name, on in self.flags.items() if on]
        return [(name, text) for name, text in self.texts.items() if text] + ticked

    def arguments(self, conf: dict[str, Any]) -> dict[str, Any]:
        """For `Actions.backfill_dag`. A date alone is the whole day. Raises InvalidInput."""
        most, end = self.texts["max_active_runs"], self.texts["to"] or self.texts["from"]
        if most and not (most.isascii() and most.isdigit() and int(most)):
            raise InvalidInput("Runs at a time: {most!r} is not a whole number above zero.", most=most)
        return {
            "start_date": self.texts["from"] or self.texts["to"],
            "end_date": end + _END_OF_DAY if len(end) == len("2026-01-31") else end,
            "reprocess": self.texts["reprocess"],
            "max_active_runs": int(most) if most else None,
            "task_regex": self.texts["task_regex"] or None,
            "pool": self.texts["pool"] or None,
            "conf": conf,
            **self.flags,
        }


def wish(fields: Mapping[str, Any]) -> Wish:
    """What an address or a form says."""
    texts = {name: str(fields.get(name, "")).strip() for name in _TEXTS}
    texts["reprocess"] = texts["reprocess"] or Reprocess.NONE.value
    return Wish(texts=texts, flags={name: bool(fields.get(name)) for name in FLAGS})
