"""The grid page of a DAG."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState, RunType
from asyncflow.engine.dag_pages import GridWindow, StoredDag
from asyncflow.web import address, dag_tree, grid_view
from asyncflow.web.dag_head import head
from asyncflow.web.dag_tree import Line
from asyncflow.web.ports import Actions
from asyncflow.web.templating import fingerprint, page, unchanged

_RUNS_SHOWN = 60
_RUN_CHOICES = (10, 25, 60, 120)
_LINES_SHOWN = 50
_PLANNED = 5
_STATES = tuple(state.value for state in RunState)
_TYPES = tuple(kind.value for kind in RunType)


async def show(request: Request) -> Response:
    """The whole page."""
    return await _answer(request, "dags/grid.html")


async def table(request: Request) -> Response:
    """The grid alone, for the page that polls."""
    return await _answer(request, "dags/_grid.html")


async def to_grid(request: Request) -> Response:
    """A DAG's own address leads to its grid, as in Airflow."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{address.dag_path(request.path_params['dag_id'])}/grid{query}", status_code=307)


async def _answer(request: Request, template: str) -> Response:
    actions: Actions = request.app.state.actions
    pages, params, dag_id = actions.dag_pages, request.query_params, request.path_params["dag_id"]
    dag = await pages.dag(dag_id)
    window = await pages.window(
        dag_id,
        limit=address.number(params, "runs", _RUNS_SHOWN, least=1, most=max(_RUN_CHOICES)),
        until=address.date(params, "until"),
        run_type=address.choice(params, "type", _TYPES),
        state=address.choice(params, "state", _STATES),
    )
    planned = await _planned(actions, dag, params)
    states = [run.state for run in window.runs]
    have = fingerprint(dag.version, dag.paused, address.query(params), window.seqs, states, planned)
    if template.startswith("dags/_") and params.get("have") == have:
        return unchanged()
    context = await _grid(actions, dag, window, planned, dict(params))
    return page(request, template, head=head(pages, dag, "grid"), fingerprint=have, **context)


async def _planned(actions: Actions, dag: StoredDag, params: Any) -> list[dict[str, Any]]:
    """The next runs, on the newest page of a DAG that is on."""
    if dag.paused or not dag.active or any(params.get(name) for name in ("until", "state", "type")):
        return []
    return await actions.next_runs(dag.spec.dag_id, count=_PLANNED)


async def _grid(
    actions: Actions, dag: StoredDag, window: GridWindow, planned: list[dict[str, Any]], params: dict[str, str]
) -> dict[str, Any]:
    pages, spec = actions.dag_pages, dag.spec
    is_open = dag_tree.opened(spec, params.get("open"))
    older = await pages.specs(spec.dag_id, [run.version for run in window.runs if run.version != dag.version])
    search = params.get("task", "").strip()
    lines = dag_tree.lines(spec, is_open, search) + dag_tree.gone_lines(spec, older.values(), search)
    first = min(address.number(params, "line", 0), max(len(lines) - 1, 0) // _LINES_SHOWN * _LINES_SHOWN)
    shown = lines[first : first + _LINES_SHOWN]
    places = {task_id: place for place, line in enumerate(shown) for task_id in _counted(line)}
    found = await pages.cells(window, places) if places else {}
    numbers = grid_view.version_numbers([row.version for row in await pages.versions(spec.dag_id)])
    return {
        "columns": grid_view.columns(window.runs, planned, window.now, numbers),
        "labels": grid_view.labels(window.runs, len(planned)),
        "rows": grid_view.rows(
            shown, window.runs, [found.get(run.id, []) for run in window.runs], len(planned), window.now
        ),
        "toggles": {line.id: _link(params, open=dag_tree.toggled(spec, is_open, line.id), line=None) for line in shown},
        "any_runs": bool(window.runs),
        "live": any(run.state in (RunState.QUEUED, RunState.RUNNING) for run in window.runs),
        **_controls(spec, window, params, first, len(lines)),
    }


def _counted(line: Line) -> tuple[str, ...]:
    """An open group shows its tasks on their own lines, so it needs none itself."""
    return () if line.is_open else line.task_ids


def _link(params: dict[str, str], **changed: object) -> str:
    return address.query(params, **changed) or "?"


def _controls(spec: DagSpec, window: GridWindow, params: dict[str, str], first: int, count: int) -> dict[str, Any]:
    """Links and fields around the grid."""
    return {
        "fields": {name: params.get(name, "") for name in ("task", "until", "state", "type", "open")},
        "query": address.query(params),
        "states": _STATES,
        "types": _TYPES,
        "run_choices": _RUN_CHOICES,
        "runs_shown": address.number(params, "runs", _RUNS_SHOWN, least=1, most=max(_RUN_CHOICES)),
        "older": _link(params, until=window.older.isoformat()) if window.older else None,
        "newest": _link(params, until=None) if params.get("until") else None,
        "above": _link(params, line=max(first - _LINES_SHOWN, 0) or None) if first else None,
        "below": _link(params, line=first + _LINES_SHOWN) if first + _LINES_SHOWN < count else None,
        "span": (first + 1, min(first + _LINES_SHOWN, count), count),
        "open_all": _link(params, open=dag_tree.ALL, line=None) if spec.groups else None,
        "close_all": _link(params, open=dag_tree.NONE, line=None) if spec.groups else None,
    }
