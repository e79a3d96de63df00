"""What the list of task instances over all DAGs shows: rows, filters as links. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.engine.browse import COUNTED, Matching, Place, TaskSearch, TasksPage
from asyncflow.errors import InvalidInput
from asyncflow.web import address, paging, run_view
from asyncflow.web.i18n import Language
from asyncflow.web.paging import PLACES, Pager, Turn
from asyncflow.web.run_view import Line
from asyncflow.web.sorting import Column, Columns

COLUMNS = Columns(
    Column("Run due", "due", falling=True),
    Column("Started", "started", falling=True),
    Column("Duration", "duration", falling=True),
    usual="-due",
)
#: what an address does not keep of a list when it is opened anew
_PLACE = dict.fromkeys(PLACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One task instance."""

    line: Line
    dag_id: str
    run_id: str
    dag_path: str
    run_path: str
    key: str  #: how a form names it
    pool: str
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A state that can be switched on and off."""

    state: str
    href: str
    on: bool


def fields(params: Any) -> dict[str, str]:
    """The names of an address, each once; states that are named one by one are joined."""
    found = {name: str(params[name]) for name in params if name != "have"}
    if "state" in found:
        states = [one.strip() for text in params.getlist("state") for one in text.split(",")]
        found["state"] = ",".join(dict.fromkeys(one for one in states if one))
    return found


def states(params: Mapping[str, str]) -> list[str]:
    """The states that are wanted. Raises InvalidInput for one there is not."""
    names = [one for one in params.get("state", "").split(",") if one]
    for name in names:
        if name not in run_view.ORDER:
            raise address.not_accepted("state", name, run_view.ORDER)
    return names


def search(params: Mapping[str, str], dag_ids: Sequence[str] | None) -> TaskSearch:
    """What an address asks for; `dag_ids` are those that its `dag` or `dag_id` means. Raises InvalidInput."""
    order: Any = str(COLUMNS.asked(params))
    active = address.choice(params, "runs", ("active",)) is not None
    exact = params.get("run_id") or None
    if exact and not params.get("dag_id"):
        raise InvalidInput("run_id= in the address needs dag_id=; a part of a run id is found with run=.")
    if exact or active:  # so few that they are in the order of their runs alone
        order = "-due" if order.startswith("-") else "due"
    tries = address.choice(params, "tries", ("more",))
    return TaskSearch(
        dag_ids=dag_ids,
        run_id=params.get("run", "").strip() or None,
        run_name=exact,
        active=active,
        task_id=params.get("task_id") or None,
        text=params.get("task", "").strip() or None,
        states=states(params) or None,
        pool=params.get("pool") or None,
        operator=params.get("operator", "").strip() or None,
        retried=tries is not None,
        due_from=address.date(params, "from"),
        due_to=address.date(params, "to"),
        started_from=address.date(params, "started_from"),
        started_to=address.date(params, "started_to"),
        order=order,
        back=paging.turn(params).back,
    )


def place(params: Mapping[str, str]) -> Place | None:
    """What the page is beside. Raises InvalidInput for what is no place."""
    text = paging.turn(params).place
    try:
        return Place.parse(text) if text else None
    except ValueError:
        raise InvalidInput("{text!r} in the address names no place in the list.", text=text) from None


def rows(page: TasksPage, now: datetime) -> list[Row]:
    """The rows of one page."""
    each = zip(page.window.rows, page.window.dues, page.whys, strict=True)
    return [_row(ti, due, why, now) for ti, due, why in each]


def _row(ti: TaskInstance, due: datetime, why: str, now: datetime) -> Row:
    return Row(
        line=run_view.line(ti, why, now),
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        dag_path=address.dag_path(ti.dag_id),
        run_path=address.run_path(ti.dag_id, ti.run_id),
        key=task_key(ti.dag_id, ti.run_id, ti.task_id, ti.map_index),
        pool=ti.pool,
        due=due,
    )


def chips(params: Mapping[str, str]) -> list[Chip]:
    """A chip for each state: it adds the state to the address, or takes it away."""
    on = states(params)
    return [
        Chip(
            state=state,
            on=state in on,
            href=address.query(params, **_PLACE, state=",".join(_toggled(on, state))) or "?",
        )
        for state in run_view.ORDER
    ]


def _toggled(on: Sequence[str], state: str) -> list[str]:
    return [one for one in on if one != state] if state in on else [*on, state]


def pager(page: TasksPage, params: Mapping[str, str]) -> Pager:
    """The ways to the other pages. One that was not filled in its time is followed by one that may take longer."""
    window = page.window
    edges: tuple[object, object] | None = window.edges
    if window.next is not None:  # the way goes on where the walk has stopped, perhaps beyond the last row
        beside = edges or (page.place, page.place)
        edges = (window.next, beside[1]) if page.back else (beside[0], window.next)
    ways = paging.pager(params, Turn(str(page.place or ""), page.back), window.next is not None, edges)
    if window.looked_back_to is None:
        return ways
    further = f"{ways.previous if page.back else ways.next}&look=long"
    return ways._replace(previous=further) if page.back else ways._replace(next=further)


def all_words(matching: Matching, _: Language) -> str:
    """What the box beside "all" says."""
    if matching.complete:
        return _.n("the {n} matching task instance", "all {n} matching task instances", matching.number)
    if matching.number >= COUNTED:
        return _("all matching task instances, more than {n}", n=f"{COUNTED:,}")
    return _("all matching task instances")


def all_runs_words(matching: int | None, _: Language) -> str:
    """What the box beside "all" says of runs; None: they were not counted."""
    if matching is None:
        return _("all matching runs")
    return _.n("the {n} matching run", "all {n} matching runs", matching)


# ---- how forms name things ------------------------------------------------------------------------------------------
# Ids of DAGs and tasks have no blanks in them; those of runs may have.


def task_key(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """A task instance as the value of a field."""
    return f"{map_index} {dag_id} {task_id} {run_id}"


def task_of(text: str) -> tuple[str, str, str, int]:
    """(dag_id, run_id, task_id, map_index). Raises InvalidInput for what `task_key` did not make."""
    parts = text.split(" ", 3)
    if len(parts) < 4 or not parts[0].removeprefix("-").isdecimal():
        raise InvalidInput("key={text!r} in the address names no task instance.", text=text)
    return parts[1], parts[3], parts[2], int(parts[0])


def run_key(dag_id: str, run_id: str) -> str:
    """A run as the value of a field."""
    return f"{dag_id} {run_id}"


def run_of(text: str) -> tuple[str, str]:
    """(dag_id, run_id). Raises InvalidInput for what `run_key` did not make."""
    dag_id, blank, run_id = text.partition(" ")
    if not blank:
        raise InvalidInput("key={text!r} in the address names no run.", text=text)
    return dag_id, run_id


def key_of(run: DagRun) -> str:
    """The same, of a run."""
    return run_key(run.dag_id, run.run_id)
