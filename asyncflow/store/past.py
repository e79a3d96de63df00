"""How the runs of a DAG were at an earlier moment, by the journal; and how long its tasks usually take.

The journal has every move of a run and of a task instance. Of what has no later line than the moment, the rows as they
are now are right; so only runs that went on after it are read line by line.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import NamedTuple

from asyncflow.store.grid import CellPart
from asyncflow.store.queries import SQL
from asyncflow.store.rows import from_micros, to_micros
from asyncflow.store.sqlite import Database

_MICRO = 1_000_000
#: what a row says that nothing in the journal speaks of
_ENDED = ("success", "failed", "upstream_failed", "skipped", "removed")


class PastLine(NamedTuple):
    """The last thing that was known of a run or of a task instance."""

    state: str
    at: int  #: since when, in microseconds since 1970
    try_number: int


class PastRun(NamedTuple):
    """A run at an earlier moment."""

    line: PastLine | None  #: None: the journal has no line about it
    cells: list[CellPart]


class _Row(NamedTuple):
    """A task instance as it is now; moments in microseconds."""

    state: str
    try_number: int
    started_at: int | None
    ended_at: int | None
    queued_at: int | None


Instance = tuple[str, int]


def past_spans(
    db: sqlite3.Connection, dag_id: str, run_ids: Sequence[str]
) -> dict[str, tuple[datetime | None, datetime | None]]:
    rows = db.execute(SQL["past_spans"], {"dag_id": dag_id, "run_ids": json.dumps(run_ids)})
    return {run_id: (from_micros(first), from_micros(last)) for run_id, first, last in rows}


def past_runs(
    db: sqlite3.Connection, dag_id: str, runs: Mapping[str, int], lines: Mapping[str, int], at: datetime
) -> dict[str, PastRun]:
    moment = to_micros(at) or 0
    names = json.dumps(dict(lines), ensure_ascii=False)
    where = {"dag_id": dag_id, "run_ids": json.dumps(list(runs)), "lines": names, "at": moment}
    known: dict[str, dict[Instance, tuple[PastLine | None, bool]]] = {run_id: {} for run_id in runs}
    for run_id, task_id, index, seq, state, since, number, later in db.execute(SQL["past_states"], where):
        line = None if seq is None else PastLine(state, since, number)
        known[run_id][task_id, index] = (line, bool(later))
    ids = {number: run_id for run_id, number in runs.items()}
    now: dict[str, dict[Instance, _Row]] = {run_id: {} for run_id in runs}
    for run, task_id, index, *row in db.execute(SQL["past_instances"], {"runs": json.dumps(list(ids)), "lines": names}):
        now[ids[run]][task_id, index] = _Row(*row)
    return {
        run_id: PastRun(
            known[run_id].get(("", -1), (None, False))[0], _cells(known[run_id], now[run_id], lines, moment)
        )
        for run_id in runs
    }


def _cells(
    known: Mapping[Instance, tuple[PastLine | None, bool]],
    now: Mapping[Instance, _Row],
    lines: Mapping[str, int],
    moment: int,
) -> list[CellPart]:
    """The parts of one run's column; instances of one task that were in one state are one part."""
    parts: dict[tuple[int, str], CellPart] = {}
    for key in sorted(known.keys() | now.keys()):
        task_id, index = key
        if task_id not in lines or (key not in now and known[key][0] is None):
            continue  # the run itself; or a copy that was made later and is gone again
        row = _then(*known.get(key, (None, False)), now.get(key), moment)
        moments = (from_micros(row.started_at), from_micros(row.ended_at), from_micros(row.queued_at))
        part = CellPart(lines[task_id], row.state, 1, row.try_number, *moments, index >= 0)
        before = parts.get((part.line, part.state))
        parts[part.line, part.state] = part if before is None else _together(before, part)
    return list(parts.values())


def _then(line: PastLine | None, later: bool, row: _Row | None, moment: int) -> _Row:
    """A task instance at a moment: what the journal says, or, where it is silent, what the row's own times say."""
    if line is None and not later and row is not None:
        return _by_times(row, moment)
    if line is None:
        return _Row("none", 0, None, None, None)
    if not later and row is not None:
        return row
    return _Row(line.state, line.try_number, line.at if line.state == "running" else None, None, None)


def _by_times(row: _Row, moment: int) -> _Row:
    if row.ended_at is not None and row.ended_at <= moment:
        return row
    for state, since in (("running", row.started_at), ("queued", row.queued_at)):
        if since is not None and since <= moment:
            return row._replace(state=state, ended_at=None, started_at=since if state == "running" else None)
    if row.state in _ENDED or row.started_at is not None:
        return _Row("none", 0, None, None, None)
    return row


def _together(a: CellPart, b: CellPart) -> CellPart:
    return a._replace(
        many=a.many + b.many,
        try_number=max(a.try_number, b.try_number),
        started_at=min((m for m in (a.started_at, b.started_at) if m), default=None),
        ended_at=max((m for m in (a.ended_at, b.ended_at) if m), default=None),
        mapped=a.mapped or b.mapped,
    )


def usual_seconds(db: sqlite3.Connection, runs: Sequence[int]) -> dict[str, float]:
    spans: dict[str, list[int]] = {}
    for task_id, span in db.execute(SQL["usual_spans"], {"runs": json.dumps(runs)}):
        spans.setdefault(task_id, []).append(span)
    return {task_id: median(found) / _MICRO for task_id, found in spans.items()}


class PastReads(Database):
    """The methods of `Store` for earlier moments and usual durations."""

    async def past_spans(
        self, dag_id: str, run_ids: Sequence[str]
    ) -> dict[str, tuple[datetime | None, datetime | None]]:
        """When each run's first and last line of the journal was written; (None, None) without one."""
        return await self._read(past_spans, dag_id, run_ids)

    async def past_runs(
        self, dag_id: str, runs: Mapping[str, int], lines: Mapping[str, int], at: datetime
    ) -> dict[str, PastRun]:
        """How runs (run id -> number) and their tasks in `lines` (task id -> line) were at a moment."""
        return await self._read(past_runs, dag_id, runs, lines, at)

    async def usual_seconds(self, runs: Sequence[int]) -> dict[str, float]:
        """The median duration of each task that succeeded in some of these runs (by number)."""
        return await self._read(usual_seconds, runs)
