"""The grid page of a DAG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState, RunType
from asyncflow.engine.dag_pages import CellPart, DagPages, GridWindow, NumberedRun, StoredDag
from asyncflow.web import address, dag_tree, done, grid_cells, grid_view, past_view
from asyncflow.web.dag_head import head
from asyncflow.web.dag_tree import Line
from asyncflow.web.i18n import Language
from asyncflow.web.kept import Kept
from asyncflow.web.ports import Actions, actions_of
from asyncflow.web.templating import fingerprint, has, language, page, unchanged

_RUNS_SHOWN = 50
_RUN_CHOICES = (5, 25, 50, 100, 365)
#: lines of a page; fewer when there are so many runs that it would have more cells than this
_LINES_SHOWN, _FEWEST_LINES = 50, 15
_CELLS = 5500
#: an open group with more tasks has no cells of its own: they would have to be read for a line that is hardly looked at
_SUMMED = 200
#: columns of runs that are over, kept as they are shown
_COLUMNS_KEPT = 1000
_columns: WeakKeyDictionary[DagPages, Kept[list[grid_view.Cell | None]]] = WeakKeyDictionary()
_PLANNED = 5
_STATES = tuple(state.value for state in RunState)
_TYPES = tuple(kind.value for kind in RunType)
#: who made runs: what is before the colon of `triggered_by`
_TRIGGERS = ("scheduler", "ui", "cli", "dag", "dataset")
_FIELDS = ("task", "until", "state", "type", "by", "at", "open", "select", "lit", "root", "around")
#: states that the legend can make stand out
LIT = (
    *("success", "failed", "running", "queued", "scheduled", "up_for_retry", "up_for_reschedule", "deferred"),
    *("awaiting_input", "upstream_failed", "skipped", "removed", "none"),
)


async def show(request: Request) -> Response:
    """The whole page."""
    return await _answer(request, "dags/grid.html")


async def table(request: Request) -> Response:
    """The grid alone, for a page that was told of a change."""
    return await _answer(request, "dags/_grid.html")


async def to_grid(request: Request) -> Response:
    """A DAG's own address leads to its grid, as in Airflow."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{address.dag_path(request.path_params['dag_id'])}/grid{query}", status_code=307)


async def _answer(request: Request, template: str) -> Response:
    actions = actions_of(request)
    pages, dag_id = actions.dag_pages, request.path_params["dag_id"]
    params = address.without(request.query_params, *done.FIELDS)
    dag = await pages.dag(dag_id)
    at = past_view.asked(params, pages.now())
    until = address.date(params, "until")
    window = await pages.window(
        dag_id,
        limit=_count(params),
        until=min((moment for moment in (until, at) if moment), default=None),
        run_type=address.choice(params, "type", _TYPES),
        state=address.choice(params, "state", _STATES),
        triggered_by=address.choice(params, "by", _TRIGGERS),
    )
    planned = await _planned(actions, dag, params)
    states = [run.state for run in window.runs]
    have = fingerprint(dag.version, dag.paused, address.query(params), window.seqs, states, planned)
    if has(request, template, have):
        return unchanged()
    context = await _grid(actions, dag, window, planned, params, at, language(request, dag.spec.timezone))
    return page(
        request,
        template,
        head=head(pages, dag, "grid"),
        fingerprint=have,
        **await done.told(request),
        **context,
    )


def _count(params: Mapping[str, str]) -> int:
    """How many runs are shown."""
    return address.number(params, "runs", _RUNS_SHOWN, least=1, most=max(_RUN_CHOICES))


async def _planned(actions: Actions, dag: StoredDag, params: Mapping[str, str]) -> list[dict[str, Any]]:
    """The next runs, on the newest page of a DAG that is on."""
    if dag.paused or not dag.active or any(params.get(name) for name in ("until", "at", "state", "type", "by")):
        return []
    return await actions.next_runs(dag.spec.dag_id, count=_PLANNED)


async def _spec_then(pages: DagPages, dag: StoredDag, at: datetime | None) -> DagSpec:
    """The definition that the DAG had at a moment; the first one for a moment before that."""
    versions = await pages.versions(dag.spec.dag_id) if at else []
    then = next(
        (row.version for row in versions if at and row.created_at <= at), versions[-1].version if versions else ""
    )
    return (await pages.version(dag.spec.dag_id, then)).spec if then and then != dag.version else dag.spec


async def _grid(
    actions: Actions,
    dag: StoredDag,
    window: GridWindow,
    planned: list[dict[str, Any]],
    params: dict[str, str],
    at: datetime | None,
    words: Language,
) -> dict[str, Any]:
    pages = actions.dag_pages
    root = params.get("root", "")
    spec = dag_tree.narrowed(await _spec_then(pages, dag, at), root, address.choice(params, "around", dag_tree.AROUND))
    is_open = dag_tree.opened(spec, params.get("open"))
    older = await pages.specs(spec.dag_id, [run.version for run in window.runs if run.version != dag.version])
    search = params.get("task", "").strip()
    lines = dag_tree.lines(spec, is_open, search)
    lines += [] if root else dag_tree.gone_lines(spec, older.values(), search)
    many = max(_FEWEST_LINES, min(_LINES_SHOWN, _CELLS // _count(params)))
    first = min(address.number(params, "line", 0), max(len(lines) - 1, 0) // many * many)
    shown = lines[first : first + many]
    runs, found = await _cells(pages, window, _layers(shown), at)
    now = at or window.now
    numbers = grid_view.version_numbers([row.version for row in await pages.versions(spec.dag_id)])
    columns = grid_view.columns(runs, planned, now, numbers, words)
    kept = _columns.setdefault(pages, Kept(_COLUMNS_KEPT))
    seqs = {} if at else window.seqs
    cells = [_column(kept, shown, run, found.get(run.id, []), seqs.get(run.run_id, 0), now, words) for run in runs]
    rows = grid_view.table(shown, cells, len(planned))
    selecting = bool(params.get("select"))
    return {
        "columns": columns,
        "labels": grid_view.labels(runs, len(planned), words),
        "rows": [(row, grid_cells.boxes(row, columns) if selecting else grid_cells.links(row)) for row in rows],
        "selecting": selecting,
        "toggles": {
            line.id: _link(params, open=dag_tree.toggled(spec, is_open, line.id), line=None)
            for line in shown
            if line.is_group
        },
        "any_runs": bool(runs),
        "slider": past_view.slider(params, window.runs, at, window.now),
        **_controls(spec, window, params, (first, many, len(lines))),
    }


async def _cells(
    pages: DagPages, window: GridWindow, layers: Sequence[dict[str, int]], at: datetime | None
) -> tuple[list[NumberedRun], dict[int, list[CellPart]]]:
    """The runs and what their tasks came to, now or at a moment."""
    runs = window.runs
    found: dict[int, list[CellPart]] = {}
    for places in layers:
        if at is None:
            cells = await pages.cells(window, places)
        else:
            runs, cells = await pages.past(window, places, at)
        for number, parts in cells.items():
            found[number] = found.get(number, []) + parts
    return runs, found


def _column(
    kept: Kept[list[grid_view.Cell | None]],
    shown: Sequence[Line],
    run: NumberedRun,
    parts: Sequence[CellPart],
    seq: int,
    now: datetime,
    words: Language,
) -> list[grid_view.Cell | None]:
    """A run's cells; those of one that is over are kept until its next line in the journal."""
    if run.ended_at is None or not seq:
        return grid_view.column(shown, run, parts, now, words)
    key = (run.id, seq, hash(tuple((line.id, line.is_open) for line in shown)), words.code)
    known = kept.get(key)
    if known is None:
        known = grid_view.column(shown, run, parts, now, words)
        kept.keep([(key, known)])
    return known


def _layers(shown: Sequence[Line]) -> list[dict[str, int]]:
    """Task id -> the line it counts for: its own or a folded group; then, for each depth, open groups."""
    layers = [{task_id: place for place, line in enumerate(shown) if not line.is_open for task_id in line.task_ids}]
    by_depth: dict[int, dict[str, int]] = {}
    for place, line in enumerate(shown):
        if line.is_open and len(line.task_ids) <= _SUMMED:
            by_depth.setdefault(line.depth, {}).update(dict.fromkeys(line.task_ids, place))
    return layers + list(by_depth.values())


def _link(params: dict[str, str], **changed: object) -> str:
    return address.query(params, **changed) or "?"


def _controls(spec: DagSpec, window: GridWindow, params: dict[str, str], span: tuple[int, int, int]) -> dict[str, Any]:
    """Links and fields around the grid. `span`: the first line, how many lines a page has, how many there are."""
    first, many, count = span
    return {
        "fields": {name: params.get(name, "") for name in _FIELDS},
        "query": address.query(params),
        "all_tasks": _link(params, root=None, around=None, line=None),
        "ways": dag_tree.AROUND,
        "plain_query": address.query(params, select=None),
        "states": _STATES,
        "types": _TYPES,
        "triggers": _TRIGGERS,
        "run_choices": sorted({*_RUN_CHOICES, _count(params)}),
        "runs_shown": _count(params),
        "older": _link(params, until=window.older.isoformat()) if window.older else None,
        "newest": _link(params, until=None) if params.get("until") else None,
        "above": _link(params, line=max(first - many, 0) or None) if first else None,
        "below": _link(params, line=first + many) if first + many < count else None,
        "span": (first + 1 if count else 0, min(first + many, count), count),
        "open_all": _link(params, open=dag_tree.ALL, line=None) if spec.groups else None,
        "close_all": _link(params, open=dag_tree.NONE, line=None) if spec.groups else None,
        "select": _link(params, select=None if params.get("select") else 1),
        "now_link": _link(params, at=None),
        "lit": address.choice(params, "lit", LIT),
        "lights": {state: _link(params, lit=None if params.get("lit") == state else state) for state in LIT},
        "any_filter": any(params.get(name) for name in ("state", "type", "by", "until", "at")),
    }


ROUTES = (
    Route("/dags/{dag_id}", to_grid, name="dag"),
    Route("/dags/{dag_id}/grid", show, name="grid"),
    Route("/dags/{dag_id}/grid/table", table, name="grid_table"),
)
