"""What the list of DAGs shows: rows, filters as links, why a DAG is idle. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlencode

from markupsafe import Markup, escape

from asyncflow.core.states import RunState
from asyncflow.engine.pages import BARS, MOST_MISSED, STATUSES, BriefRun, DagPage, DagQuery, DagRow
from asyncflow.web import address, paging
from asyncflow.web.i18n import Language
from asyncflow.web.sorting import Column, Columns, Head
from asyncflow.web.views import is_active

#: a tab of the list -> what it says
TABS = {
    "all": "All",
    "active": "Active",
    "paused": "Paused",
    "running": "Running",
    "failed": "Failed",
    "broken": "Broken",
    "favourite": "Favourites",
}
#: those that are not shown while they would be empty
_RARE = ("broken", "favourite")
COLUMNS = Columns(
    Column("On", "paused"),
    Column("DAG", "name"),
    Column("Owner", "owner"),
    Column("Runs", "failed", falling=True),
    Column("Schedule", "schedule"),
    Column("Last run", "last", falling=True),
    Column("Next run", "next"),
    Column("Recent tasks", "tasks", falling=True),
    Column("Last 14 runs", "duration", falling=True),
    usual="name",
)
_RUN_STATES = ("queued", "running", "success", "failed")
#: states of task instances in the order of Airflow's list
_TASK_STATES = (
    *("success", "running", "failed", "upstream_failed", "skipped", "up_for_retry", "up_for_reschedule", "queued"),
    *("none", "scheduled", "deferred", "awaiting_input", "removed", "restarting"),
)
LIMITS = (25, 50, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One DAG."""

    dag_id: str
    name: str
    path: str
    description: str
    owner: str
    tags: tuple[str, ...]
    paused: bool
    broken: bool
    starred: bool
    schedule: str
    schedule_words: str
    next_run: datetime | None
    last_run: BriefRun | None
    last_path: str
    runs: Markup  #: a circle for each state
    tasks: Markup
    bars: Markup  #: the last runs, oldest first
    idle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A link that changes what is listed."""

    name: str
    label: str
    href: str
    current: bool
    count: int | None = None


def query(params: Mapping[str, str]) -> DagQuery:
    """What an address asks for. Raises InvalidInput for what there is not."""
    status, sort = params.get("status") or "all", COLUMNS.asked(params)
    if status not in STATUSES:
        raise address.not_accepted("status", status, STATUSES)
    limit = address.number(params, "limit", 50, least=1, most=LIMITS[-1])
    return DagQuery(
        text=params.get("q", "").strip(),
        tags=tuple(tag for tag in params.get("tags", "").split(",") if tag),
        owner=params.get("owner", ""),
        status=status,
        sort=sort.name,
        descending=sort.falling,
        limit=limit,
        offset=paging.offset(params, limit),
    )


def _tasks_at(row: DagRow) -> str:
    """Where the task instances are that circles count: in the active runs, or else in the last one. A state follows."""
    runs = [run for run in row.recent if is_active(run.state.value)] or row.recent[:1]
    if len(runs) > 1:
        return f"/tasks?{urlencode({'dag_id': row.dag.dag_id})}&runs=active&state="
    return f"{address.run_path(row.dag.dag_id, runs[0].run_id)}?state=" if runs else ""


def lines(rows: Sequence[DagRow], now: datetime, _: Language) -> list[Line]:
    """The rows of one page."""
    return [_line(row, now, _) for row in rows]


def _line(row: DagRow, now: datetime, _: Language) -> Line:
    dag, card, last = row.dag, row.card, row.last_run
    path, tasks_at = address.dag_path(dag.dag_id), _tasks_at(row)
    return Line(
        dag_id=dag.dag_id,
        name=card.name,
        path=path,
        description=card.description,
        owner=card.owner,
        tags=card.tags,
        paused=dag.paused,
        broken=dag.broken,
        starred=row.starred,
        schedule=card.schedule,
        schedule_words=_.said(card.schedule_words),
        next_run=dag.next_run_after,
        last_run=last,
        last_path=address.run_path(dag.dag_id, last.run_id) if last else "",
        runs=_circles(
            [(state, row.run_states.get(state, 0), _runs_path(dag.dag_id, state)) for state in _RUN_STATES], _
        ),
        tasks=_circles(
            [
                (state, row.task_states[state], f"{tasks_at}{state}")
                for state in _TASK_STATES
                if row.task_states.get(state)
            ],
            _,
        ),
        bars=_bars(row.recent, now, _),
        idle=idle(row, now, _),
    )


@lru_cache(16384)
def _runs_path(dag_id: str, state: str) -> str:
    return f"/runs?{urlencode({'dag_id': dag_id, 'state': state})}"


# A page has a thousand of these: each is made in one piece here, which takes a tenth of a template's time, and kept.


def _circles(counts: Sequence[tuple[str, int, str]], _: Language) -> Markup:
    """(state, how many, where they are listed) as circles."""
    return Markup("".join([_circle(state, count, href, _.code) for state, count, href in counts]))


@lru_cache(16384)
def _circle(state: str, count: int, href: str, code: str) -> str:
    label, shade = escape(Language(code).state(state)), f" state-{state}" if count else ""
    unseen = f'<span class="unseen">{" " if count else "0 "}{label}</span>'
    link = f'<a class="o{shade}" href="{escape(href)}" title="{count} {label}">'
    return f"{link}{count or ''}{unseen}</a>"


def _bars(recent: Sequence[BriefRun], now: datetime, _: Language) -> Markup:
    """Oldest first; the longest that has ended fills the row."""
    runs = list(recent[:BARS])[::-1]
    now = now.replace(microsecond=0)
    seconds = [((run.ended_at or now) - run.started_at).total_seconds() if run.started_at else 0.0 for run in runs]
    longest = max((lasted for run, lasted in zip(runs, seconds, strict=True) if run.ended_at), default=0.0) or 1.0
    path = address.dag_path(runs[0].dag_id) if runs else ""
    bars = [
        _bar(path, run.run_id, run.state, min(10, max(1, round(10 * lasted / longest))), lasted, _.code)
        for run, lasted in zip(runs, seconds, strict=True)
    ]
    return Markup("".join(bars))


@lru_cache(16384)
def _bar(path: str, run_id: str, state: RunState, height: int, lasted: float, code: str) -> str:
    _ = Language(code)
    title = escape(f"{run_id}: {_.state(state)}, {_.duration(lasted)}")
    shape = f'class="b h{height} state-{state.value}" href="{escape(path)}/runs/{address.segment(run_id)}"'
    return f'<a {shape} title="{title}"></a>'


def idle(row: DagRow, now: datetime, _: Language) -> str:
    """Why nothing of a DAG runs now, in a few words; "" when something does."""
    dag, states = row.dag, row.run_states
    broken = ""
    if dag.broken:
        place = f":{dag.error_line}" if dag.error_line else ""
        broken = _("{file} cannot be loaded; the last good version runs", file=f"{dag.file}{place}")
    if dag.paused:
        words = _("paused")
        if row.missed:
            number = f"{row.missed}+" if row.missed >= MOST_MISSED else row.missed
            words += ", " + _("{n} runs missed" if row.missed > 1 else "{n} run missed", n=number)
    elif states.get("running") or states.get("queued"):
        full = states.get("running", 0) >= row.card.max_active_runs and states.get("queued")
        words = (
            _("{n} runs wait: {most} may run at once", n=states["queued"], most=row.card.max_active_runs)
            if full
            else ""
        )
    elif dag.next_run_after is not None:
        words = _("next {time}", time=_.relative(dag.next_run_after, now)) if dag.next_run_after > now else _("due now")
    elif row.card.by_datasets:
        words = _("waits for datasets")
    elif row.card.end_date is not None and row.card.end_date <= now:
        words = _("its end date has passed")
    else:
        words = _("runs when triggered")
    return "; ".join(part for part in (broken, words) if part)


def tabs(page: DagPage, params: Mapping[str, str]) -> list[Choice]:
    """The tabs above the list; some only when something is in them."""
    current = params.get("status") or "all"
    return [
        Choice(
            name=name,
            label=label,
            href=address.query(params, status=None if name == "all" else name, page=None) or "/",
            current=name == current,
            count=page.statuses[name],
        )
        for name, label in TABS.items()
        if name not in _RARE or page.statuses[name] or name == current
    ]


def columns(params: Mapping[str, str]) -> dict[str, Head]:
    """The heads of the columns that sort."""
    return COLUMNS.heads(params, home="/")


def pager(page: DagPage, asked: DagQuery, params: Mapping[str, str], _: Language) -> paging.Pager:
    """The ways to the other pages."""
    return paging.numbered(params, asked.offset, asked.limit, len(page.rows), page.matching, _, home="/")
