"""The pages with duration, landing times and tries of a DAG's tasks: one page with three measures."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.specs import DagSpec
from asyncflow.web import address, chart_view, dag_tree, grid_view
from asyncflow.web.dag_head import head
from asyncflow.web.dag_tree import Line
from asyncflow.web.i18n import Language
from asyncflow.web.later import beside
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import language, page

_RUNS_SHOWN = 50
_RUN_CHOICES = (5, 25, 50, 100, 365)
_TASKS_SHOWN = 30
#: a DAG with more tasks is shown in its own order: to find the slowest, all of them would have to be read
_SORTED_UP_TO = 120


def charts(name: str) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """The page of one measure: duration, landing or tries."""

    async def show(request: Request) -> Response:
        return await _answer(request, name)

    return show


async def _answer(request: Request, name: str) -> Response:
    actions = actions_of(request)
    pages, params, kind = actions.dag_pages, dict(request.query_params), chart_view.KINDS[name]
    dag = await pages.dag(request.path_params["dag_id"])
    spec, words = dag.spec, language(request, dag.spec.timezone)
    count = address.number(params, "runs", _RUNS_SHOWN, least=2, most=max(_RUN_CHOICES))
    window = await pages.window(spec.dag_id, limit=count, until=address.date(params, "until"))
    lines = _lines(spec, params.get("task", "").strip())
    ranked = len(lines) <= _SORTED_UP_TO
    first = min(address.number(params, "line", 0), max(len(lines) - 1, 0) // _TASKS_SHOWN * _TASKS_SHOWN)
    read = lines if ranked else lines[first : first + _TASKS_SHOWN]
    places = {line.id: place for place, line in enumerate(read)}
    cells = await pages.cells(window, places) if places else {}
    parts = [cells.get(run.id, []) for run in window.runs]
    found = await beside(request, chart_view.task_charts, kind, read, window.runs, parts, words)
    if ranked:
        found = sorted(found, key=lambda chart: -chart.rank)[first : first + _TASKS_SHOWN]
    numbers = grid_view.version_numbers([row.version for row in await pages.versions(spec.dag_id)])
    return page(
        request,
        "dags/charts.html",
        head=head(pages, dag, name),
        kind=kind,
        name=name,
        run_chart=chart_view.run_chart(kind, window.runs, words),
        charts=found,
        ranked=ranked,
        markers=chart_view.new_versions(window.runs, numbers, words),
        width=round(max(len(window.runs), 1) * chart_view.step(len(window.runs))),
        span=(_date(window.runs[0], words), _date(window.runs[-1], words)) if window.runs else None,
        fields={key: params.get(key, "") for key in ("task", "until")},
        runs_shown=count,
        run_choices=sorted({*_RUN_CHOICES, count}),
        zoom=address.query({key: params[key] for key in ("runs", "until", "task") if key in params}),
        older=address.query(params, until=window.older.isoformat()) if window.older else None,
        newest=(address.query(params, until=None) or "?") if params.get("until") else None,
        above=(address.query(params, line=max(first - _TASKS_SHOWN, 0) or None) or "?") if first else None,
        below=address.query(params, line=first + _TASKS_SHOWN) if first + _TASKS_SHOWN < len(lines) else None,
        place=(first + 1 if lines else 0, min(first + _TASKS_SHOWN, len(lines)), len(lines)),
    )


def _lines(spec: DagSpec, search: str) -> list[Line]:
    """All tasks, without their groups."""
    return [line for line in dag_tree.lines(spec, frozenset(spec.groups), search) if not line.is_group]


def _date(run: Any, _: Language) -> str:
    return f"{_.there(run.logical_date or run.run_after):%Y-%m-%d %H:%M %Z}"


ROUTES = (
    Route("/dags/{dag_id}/duration", charts("duration"), name="duration"),
    Route("/dags/{dag_id}/landing", charts("landing"), name="landing"),
    Route("/dags/{dag_id}/tries", charts("tries"), name="tries"),
)
