"""Reads of the lists over all DAGs: task instances by filters, and what people did.

A filter may leave nothing of two million task instances, and no index serves all of them. So a list is a walk: a few
runs (or instances, by their start) at a time, each time more, until the page is full, the end is reached, or the time
that one page may take is over. Then the page says how far it has looked, and its next page goes on from there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain, repeat
from time import perf_counter
from typing import Any, Literal, NamedTuple

import msgspec

from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.states import AWAITING_INPUT, FINISHED, TaskState
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec, from_micros, names_json, to_micros
from asyncflow.store.runs import LoadedRun, load_run
from asyncflow.store.sqlite import Database
from asyncflow.store.writes import TASKS

#: runs that are looked at in one step, growing; far more where an index holds what is wanted and little else
_STEPS, _CHOSEN_STEPS, _STARTED_STEPS = (4, 16, 64), (64, 256, 512), (100, 400, 800)
#: seconds that a page of the list, and the count beside it, may take
PAGE_SECONDS, COUNT_SECONDS = 0.02, 0.006
_FIRST, _LAST = -(2**62), 2**62
_BROKEN = frozenset({TaskState.FAILED, TaskState.UPSTREAM_FAILED})
#: a finished run has none of these
_OPEN: frozenset[str] = frozenset(TaskState) - FINISHED - {TaskState.NONE} | {AWAITING_INPUT}
_AFTER_ALL = "\U0010ffff"
#: (what an index holds of the instances, from the last task of a run to the first) -> query
_TASKS = {
    ("all", False): "browse_tasks",
    ("all", True): "browse_tasks_back",
    ("broken", False): "browse_broken",
    ("broken", True): "browse_broken_back",
    ("retried", False): "browse_retried",
    ("retried", True): "browse_retried_back",
}
#: (of one DAG, newest first) -> query
_RUNS = {
    (False, True): "browse_runs_newest",
    (False, False): "browse_runs_oldest",
    (True, True): "browse_runs_of_dag_newest",
    (True, False): "browse_runs_of_dag_oldest",
}

#: (order, falling) -> query: orders that an index over all instances has
_INSTANCES = {
    ("started", True): "browse_started_newest",
    ("started", False): "browse_started_oldest",
    ("duration", True): "browse_duration_longest",
    ("duration", False): "browse_duration_shortest",
}

Order = Literal["due", "-due", "started", "-started", "duration", "-duration"]
Key = tuple[int, str, int]  #: number of the run, task id, map index


class TaskSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which task instances are wanted; None = all. Bounds are inclusive."""

    dag_ids: Sequence[str] | None = None
    run_id: str | None = None  #: a part of the run id
    run_name: str | None = None  #: the whole run id, of the one DAG in `dag_ids`
    active: bool = False  #: only of queued and running runs
    task_id: str | None = None
    text: str | None = None  #: a part of the task id
    states: Sequence[str] | None = None  #: of `TaskState`, or AWAITING_INPUT, which are not among the deferred then
    pool: str | None = None
    operator: str | None = None  #: a part of its name
    retried: bool = False  #: only those with more than one try
    due_from: datetime | None = None  #: the run was due
    due_to: datetime | None = None
    started_from: datetime | None = None
    started_to: datetime | None = None
    order: Order = "-due"  #: by start or duration only without `run_name` and `active`
    back: bool = False  #: from the end of that order to its beginning

    @property
    def falling(self) -> bool:
        """Whether the latest, or longest, comes first."""
        return self.order.startswith("-") != self.back

    @property
    def by(self) -> str:
        """What the order is by."""
        return self.order.removeprefix("-")


class Place(NamedTuple):
    """Where a walk has come to: one instance.

    `at` is what the list is ordered by: due time of the run or start (us since 1970), or duration (us).
    """

    at: int
    run: int
    task_id: str
    map_index: int

    def __str__(self) -> str:
        return f"{self.at}.{self.run}.{self.map_index}.{self.task_id}"

    @staticmethod
    def parse(text: str) -> Place:
        """Raises ValueError."""
        parts = text.split(".", 3)
        numbers = [int(part) for part in parts[:3] if part.lstrip("-").isdecimal()]
        if len(parts) < 4 or len(numbers) < 3 or any(abs(number) > _LAST for number in numbers):
            raise ValueError(f"{text!r} names no place in a list")
        return Place(numbers[0], numbers[1], parts[3], numbers[2])


class TaskWindow(NamedTuple):
    """One page of a list of task instances, in the list's order, also one that was come to from behind."""

    rows: list[TaskInstance]
    dues: list[datetime]  #: when the run of each was due
    next: Place | None  #: where the walk goes on; None: this is the end of its way
    looked_back_to: datetime | None  #: the page is not full, but took long enough: there may be more beyond
    edges: tuple[Place, Place] | None = None  #: of the first and the last row; None: there are none


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person did."""

    id: int
    at: datetime
    via: str  #: ui or cli
    who: str = ""
    action: str
    dag_id: str = ""  #: "" = of no DAG, or of several
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1
    arguments: dict[str, Any] = {}  #: masked
    touched: int | None = None  #: how many things it changed, where that was said
    error: str = ""  #: why it was refused


class AuditSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are wanted; None = all."""

    dag_id: str | None = None
    run_id: str | None = None  #: of that DAG
    task_id: str | None = None
    via: str | None = None
    action: str | None = None
    at_from: datetime | None = None
    at_to: datetime | None = None
    text: str | None = None
    before: int | None = None  #: the id of a line: only older ones
    after: int | None = None  #: the same: only newer ones
    falling: bool = True  #: the newest first


_AUDIT = RowCodec(AuditLine)
#: (of one DAG, newest first) -> query
_LINES = {
    (False, True): "audit_lines",
    (False, False): "audit_lines_oldest",
    (True, True): "audit_of_dag",
    (True, False): "audit_of_dag_oldest",
}


# ---- the walk -------------------------------------------------------------------------------------------------------


class _Found(NamedTuple):
    """What one step of a walk came to."""

    keys: list[Key]  #: at most as many as were asked for
    place: Place  #: behind the last that was looked at
    ended: bool


Step = Callable[[sqlite3.Connection, TaskSearch, Place | None, int, int], _Found]


def _walk(
    db: sqlite3.Connection, search: TaskSearch, place: Place | None, most: int, seconds: float
) -> tuple[list[Key], Place | None, bool]:
    """(keys, where the walk has stopped, whether that is the end), from `place` on."""
    assert search.by == "due" or not (search.active or search.run_name is not None)
    until = perf_counter() + seconds
    step, sizes = _road(search)
    keys: list[Key] = []
    for size in chain(sizes, repeat(sizes[-1])):
        found = step(db, search, place, size, most - len(keys))
        keys += found.keys
        place = found.place
        if found.ended or len(keys) >= most or perf_counter() > until:
            return keys, place, found.ended
    raise AssertionError("the sizes do not end")


def _road(search: TaskSearch) -> tuple[Step, tuple[int, ...]]:
    """How to walk, and in steps of how many runs or instances."""
    if search.run_name is not None:
        return _one_run, (1,)
    if search.by != "due":
        return _by_index, _STARTED_STEPS
    if search.active or (search.states and set(search.states) <= _OPEN):
        return _active, (1,)
    return _by_run, _STEPS if _index(search) == "all" else _CHOSEN_STEPS


def _index(search: TaskSearch) -> str:
    """Which instances are enough to look at: see `_TASKS`."""
    if search.states and set(search.states) <= _BROKEN:
        return "broken"
    return "retried" if search.retried else "all"


def _filters(search: TaskSearch, limit: int) -> dict[str, Any]:
    return {
        "task_id": search.task_id,
        "text": search.text,
        "states": names_json(search.states),
        "pool": search.pool,
        "operator": search.operator,
        "tries_over": 1 if search.retried else -1,
        "dag_ids": names_json(search.dag_ids),
        "dag_id": search.dag_ids[0] if search.dag_ids else None,
        "run_id": search.run_id,
        "due_from": _bound(search.due_from, _FIRST),
        "due_to": _bound(search.due_to, _LAST),
        "started_from": to_micros(search.started_from),
        "started_to": to_micros(search.started_to),
        "limit": limit,
    }


def _bound(moment: datetime | None, default: int) -> int:
    micros = to_micros(moment)
    return default if micros is None else micros


def _by_run(db: sqlite3.Connection, search: TaskSearch, place: Place | None, size: int, most: int) -> _Found:
    """The instances of the next `size` runs."""
    falling = search.falling
    one_dag = search.dag_ids is not None and len(search.dag_ids) == 1
    source = _RUNS[one_dag, falling]
    edge = _LAST if falling else _FIRST
    place = place or Place(edge, edge, "", _FIRST)
    where = {**_filters(search, size), "run_after": place.at, "run": place.run}
    runs = dict(db.execute(SQL[source], where).fetchall())
    found = _of_runs(db, search, runs, place, most)
    return found._replace(ended=len(runs) < size and len(found.keys) < most)


def _one_run(db: sqlite3.Connection, search: TaskSearch, place: Place | None, size: int, most: int) -> _Found:
    """The instances of the run that is named, whatever `size`."""
    names = {"dag_id": search.dag_ids[0] if search.dag_ids else "", "run_id": search.run_name}
    runs: dict[int, int] = dict(db.execute(SQL["browse_run"], names).fetchall())
    found = _of_runs(db, search, runs, place or Place(0, -1, "", _FIRST), most)
    return found._replace(ended=len(found.keys) < most)


def _active(db: sqlite3.Connection, search: TaskSearch, place: Place | None, size: int, most: int) -> _Found:
    """Instances in states that only active runs have, whatever `size`: such runs are few."""
    falling = search.falling
    rows = db.execute(SQL["browse_active_runs"], _filters(search, -1)).fetchall()
    rows.sort(key=lambda row: (row[1], row[0]), reverse=falling)
    if place is not None:
        seen = (place.at, place.run)
        rows = [row for row in rows if ((row[1], row[0]) <= seen if falling else (row[1], row[0]) >= seen)]
    found = _of_runs(db, search, dict(rows), place or Place(0, -1, "", _FIRST), most)
    return found._replace(ended=len(found.keys) < most)


def _of_runs(db: sqlite3.Connection, search: TaskSearch, runs: dict[int, int], place: Place, most: int) -> _Found:
    """The instances of these runs (number -> due time) that are wanted, behind `place`."""
    where = {
        **_filters(search, most),
        "runs": json.dumps(list(runs)),
        "run": place.run,
        "after_task": place.task_id,
        "after_index": place.map_index,
    }
    keys: list[Key] = db.execute(SQL[_TASKS[_index(search), search.back]], where).fetchall()
    if len(keys) == most:
        run, task_id, map_index = keys[-1]
        return _Found(keys, Place(runs[run], run, task_id, map_index), False)
    if runs:
        last = next(reversed(runs))
        place = Place(runs[last], last, *(("", _FIRST) if search.back else (_AFTER_ALL, _LAST)))
    return _Found(keys, place, False)


def _by_index(db: sqlite3.Connection, search: TaskSearch, place: Place | None, size: int, most: int) -> _Found:
    """The next `size` instances in the order of an index over all of them."""
    falling = search.falling
    edge = _LAST if falling else _FIRST
    place = place or Place(edge, edge, _AFTER_ALL if falling else "", edge)
    where = {
        "started_from": _bound(search.started_from, _FIRST),
        "started_to": _bound(search.started_to, _LAST),
        "at": place.at,
        "run": place.run,
        "after_task": place.task_id,
        "after_index": place.map_index,
        "limit": size,
    }
    rows = db.execute(SQL[_INSTANCES[search.by, falling]], where).fetchall()
    values: dict[Key, int] = {(run, task_id, map_index): at for at, run, task_id, map_index in rows}
    wanted = {**_filters(search, most), "keys": json.dumps(list(values))}
    keys: list[Key] = db.execute(SQL["browse_chosen"], wanted).fetchall()
    if values:
        last = keys[-1] if len(keys) == most else next(reversed(values))
        place = Place(values[last], *last)
    return _Found(keys, place, len(rows) < size and len(keys) < most)


# ---- reads ----------------------------------------------------------------------------------------------------------


def search_tasks(
    db: sqlite3.Connection, search: TaskSearch, place: Place | None, limit: int, seconds: float
) -> TaskWindow:
    keys, place, ended = _walk(db, search, place, limit + 1, seconds)
    shown = keys[:limit][::-1] if search.back else keys[:limit]
    at = {number: due for number, _, _, due in _runs(db, shown)}
    rows = TASKS.load(db.execute(SQL["browse_rows"], {"keys": json.dumps(shown)}))
    dues = [moment for moment in (from_micros(at[run]) for run, _, _ in shown) if moment is not None]
    edges = None
    if shown:
        first, last = (Place(_value(search, rows[it], at, shown[it][0]), *shown[it]) for it in (0, -1))
        edges = (first, last)
    if len(keys) > limit:
        return TaskWindow(rows, dues, edges and edges[0 if search.back else 1], None, edges)
    looked = None if ended or place is None or search.by == "duration" else from_micros(place.at)
    return TaskWindow(rows, dues, None if ended else place, looked, edges)


def _value(search: TaskSearch, ti: TaskInstance, dues: dict[int, int], run: int) -> int:
    """What an instance is ordered by."""
    if search.by == "due":
        return dues[run]
    started, ended = to_micros(ti.started_at) or 0, to_micros(ti.ended_at) or 0
    return started if search.by == "started" else ended - started


def matching_tasks(db: sqlite3.Connection, search: TaskSearch, most: int, seconds: float) -> tuple[list[TaskKey], bool]:
    keys, _, ended = _walk(db, search, None, most, seconds)
    names = {number: (dag_id, run_id) for number, dag_id, run_id, _ in _runs(db, keys)}
    found = [TaskKey(*names[run], task_id, map_index) for run, task_id, map_index in keys]
    return found, ended


def count_tasks(db: sqlite3.Connection, search: TaskSearch, most: int, seconds: float) -> tuple[int, bool]:
    keys, _, ended = _walk(db, search, None, most, seconds)
    return len(keys), ended


def _runs(db: sqlite3.Connection, keys: Sequence[Key]) -> list[tuple[int, str, str, int]]:
    """(number, dag_id, run_id, due time) of the runs of instances."""
    numbers = json.dumps(sorted({run for run, _, _ in keys}))
    return db.execute(SQL["browse_names"], {"runs": numbers}).fetchall()


def load_runs(db: sqlite3.Connection, names: Sequence[tuple[str, str]]) -> list[LoadedRun]:
    found = [load_run(db, dag_id, run_id) for dag_id, run_id in names]
    return [run for run in found if run is not None]


# ---- what people did ------------------------------------------------------------------------------------------------


def add_audit(db: sqlite3.Connection, lines: Sequence[AuditLine]) -> None:
    for line in lines:
        db.execute(SQL["add_audit"], _AUDIT.params(line))


def trim_audit(db: sqlite3.Connection, before: datetime, limit: int) -> int:
    return db.execute(SQL["trim_audit"], {"before": to_micros(before), "limit": limit}).rowcount


def audit_lines(db: sqlite3.Connection, search: AuditSearch, limit: int) -> list[AuditLine]:
    where = {name: getattr(search, name) for name in ("dag_id", "run_id", "task_id", "via", "action", "text")}
    where |= {
        "at_from": to_micros(search.at_from),
        "at_to": to_micros(search.at_to),
        "before": _LAST if search.before is None else search.before,
        "after": 0 if search.after is None else search.after,
        "limit": limit,
    }
    return _AUDIT.load(db.execute(SQL[_LINES[search.dag_id is not None, search.falling]], where))


def audit_actions(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute(SQL["audit_actions"])]


class BrowseReads(Database):
    """The methods of `Store` for these lists, and for the audit log."""

    async def search_tasks(
        self, search: TaskSearch, *, place: Place | None = None, limit: int, seconds: float = PAGE_SECONDS
    ) -> TaskWindow:
        """One page behind `place`."""
        return await self._read(search_tasks, search, place, limit, seconds)

    async def matching_tasks(self, search: TaskSearch, *, most: int, seconds: float) -> tuple[list[TaskKey], bool]:
        """The first `most` that are wanted, as far as `seconds` reach, and whether these are all."""
        return await self._read(matching_tasks, search, most, seconds)

    async def count_tasks(self, search: TaskSearch, *, most: int, seconds: float = COUNT_SECONDS) -> tuple[int, bool]:
        """How many are wanted, `most` at most and as far as `seconds` reach, and whether these are all."""
        return await self._read(count_tasks, search, most, seconds)

    async def load_runs(self, names: Sequence[tuple[str, str]]) -> list[LoadedRun]:
        """Those of the runs (dag_id, run_id) that exist, with their task instances."""
        return await self._read(load_runs, names)

    async def add_audit(self, lines: Sequence[AuditLine]) -> None:
        """Note what a person did; the ids are given here."""
        await self._change(add_audit, lines)

    async def trim_audit(self, before: datetime, limit: int) -> int:
        """Delete lines from before a moment, `limit` at most; how many."""
        return await self._change(trim_audit, before, limit)

    async def audit_lines(self, search: AuditSearch, *, limit: int) -> list[AuditLine]:
        """Newest first."""
        return await self._read(audit_lines, search, limit)

    async def audit_actions(self) -> list[str]:
        """The actions that people have taken so far, by name."""
        return await self._read(audit_actions)
