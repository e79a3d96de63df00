"""The page with the runs of one DAG."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.models import DagRun
from asyncflow.core.states import RunState, RunType
from asyncflow.web import address, browse_view, done, grid_view, paging, run_list, views
from asyncflow.web.dag_head import head
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import fingerprint, has, language, page, unchanged

_SHOWN = 50
_STATES = tuple(state.value for state in RunState)
_TYPES = tuple(kind.value for kind in RunType)


async def show(request: Request) -> Response:
    """The whole page."""
    return await _answer(request, "dags/runs.html")


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return await _answer(request, "dags/_runs.html")


async def _answer(request: Request, template: str) -> Response:
    actions, dag_id = actions_of(request), request.path_params["dag_id"]
    params, _ = address.fields(request.query_params), language(request)
    dag = await actions.dag_pages.dag(dag_id)
    filters = {name: params.get(name, "") for name in ("state", "type", "sort")}
    filters = {"dag_id": dag_id, "to": params.get("until", ""), **filters}
    search, offset = await run_list.search(actions, filters), paging.offset(params, _SHOWN)
    runs = await actions.pages.runs(search, limit=_SHOWN + 1, offset=offset)
    matching = offset + len(runs) if len(runs) <= _SHOWN else await actions.browse.count_runs(search)
    have = fingerprint(dag.version, dag.paused, address.query(params), matching, runs)
    if has(request, template, have):
        return unchanged()
    now = actions.pages.now()
    numbers = grid_view.version_numbers([row.version for row in await actions.dag_pages.versions(dag_id)])
    return page(
        request,
        template,
        head=head(actions.dag_pages, dag, "runs"),
        fingerprint=have,
        runs=[_line(run, now, numbers) for run in runs[:_SHOWN]],
        columns=run_list.COLUMNS.heads(params),
        pager=paging.numbered(params, offset, _SHOWN, len(runs), matching, _),
        query=address.query(params),
        filters={name: text for name, text in filters.items() if text},
        all_words=browse_view.all_runs_words(matching, _),
        **await done.told(request),
        back=address.dag_path(dag_id) + "/runs" + address.query(address.without(params, *done.FIELDS)),
        fields={name: params.get(name, "") for name in ("until", "state", "type", "sort")},
        states=_STATES,
        types=_TYPES,
    )


def _line(run: DagRun, now: datetime, numbers: dict[str, int]) -> dict[str, Any]:
    """One row. The duration of a run that has not ended is what it took so far."""
    return {
        "run_id": run.run_id,
        "key": browse_view.key_of(run),
        "path": address.run_path(run.dag_id, run.run_id),
        "badge": views.badge(run.state.value),
        "run_type": run.run_type.value.replace("_", " "),
        "start": run.data_interval_start and run.data_interval_start.isoformat(),
        "end": run.data_interval_end and run.data_interval_end.isoformat(),
        "due": run.run_after.isoformat(),
        "started_at": run.started_at and run.started_at.isoformat(),
        "seconds": views.lasted(run.started_at, run.ended_at, now),
        "triggered_by": run.triggered_by,
        "note": run.note or "",
        "version": numbers.get(run.version),
    }


ROUTES = (
    Route("/dags/{dag_id}/runs", show, name="dag_runs"),
    Route("/dags/{dag_id}/runs_table", table, name="dag_runs_table"),
)
