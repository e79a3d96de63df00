"""The Gantt page of a DAG: one of its runs on a time axis."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.states import RunState
from asyncflow.web import address, dag_tree, gantt_view
from asyncflow.web.dag_graph import expected, run_choices
from asyncflow.web.dag_grid import LIT
from asyncflow.web.dag_head import head
from asyncflow.web.later import beside
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import fingerprint, has, language, page, unchanged

_RUNS_OFFERED = 25
_LINES_SHOWN = 100


async def show(request: Request) -> Response:
    """The whole page."""
    return await _answer(request, "dags/gantt.html")


async def drawing(request: Request) -> Response:
    """The drawing alone, for a page that was told of a change."""
    return await _answer(request, "dags/_gantt.html")


async def _answer(request: Request, template: str) -> Response:
    actions = actions_of(request)
    pages, params, dag_id = actions.dag_pages, dict(request.query_params), request.path_params["dag_id"]
    dag = await pages.dag(dag_id)
    run, window = await pages.around(dag_id, params.get("run") or None, limit=_RUNS_OFFERED)
    live = run is not None and run.state in (RunState.QUEUED, RunState.RUNNING)
    chart = None
    if run is not None:
        places = {task_id: place for place, task_id in enumerate(dag_tree.order_of(dag.spec))}
        tries = await pages.tries(dag_id, run.run_id)
        coming = (await expected(request, dag.spec, await pages.usual(window), run)).spans if live else {}
        shown = (address.number(params, "line", 0), _LINES_SHOWN)
        instances = await pages.readiness(run)
        words = language(request, dag.spec.timezone)
        chart = await beside(request, gantt_view.gantt, run, instances, tries, places, window.now, coming, words, shown)
    # while something runs the line of now moves on, so there is always something new
    have = fingerprint(dag.version, dag.paused, address.query(params), chart and (chart.rows, chart.end))
    if has(request, template, have):
        return unchanged()
    first, count = (chart.first, chart.count) if chart else (0, 0)
    return page(
        request,
        template,
        head=head(pages, dag, "gantt"),
        fingerprint=have,
        query=address.query(params),
        lit=address.choice(params, "lit", LIT),
        lights={
            state: address.query(params, lit=None if params.get("lit") == state else state) or "?" for state in LIT
        },
        run=run,
        runs=run_choices(window.runs, run),
        live=live,
        chart=chart,
        rows=chart.rows if chart else [],
        width=gantt_view.WIDTH,
        line=gantt_view.LINE,
        place=(first + 1 if count else 0, min(first + _LINES_SHOWN, count), count),
        above=(address.query(params, line=max(first - _LINES_SHOWN, 0) or None) or "?") if first else None,
        below=address.query(params, line=first + _LINES_SHOWN) if first + _LINES_SHOWN < count else None,
    )


ROUTES = (
    Route("/dags/{dag_id}/gantt", show, name="gantt"),
    Route("/dags/{dag_id}/gantt/drawing", drawing, name="gantt_drawing"),
)
