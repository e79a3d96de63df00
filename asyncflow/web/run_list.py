"""All runs of all DAGs, the latest first, with filters in the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.states import RunState, RunType
from asyncflow.engine.pages import RunSearch
from asyncflow.web import address, browse_view, done, kept_filters, paging, views
from asyncflow.web.ports import Actions, actions_of
from asyncflow.web.sorting import Column, Columns
from asyncflow.web.templating import fingerprint, fragment, language, page

_LIMIT = 50
_STATES = tuple(state.value for state in RunState)
_TYPES = tuple(kind.value for kind in RunType)
COLUMNS = Columns(
    Column("State", "state"),
    Column("Due", "due", falling=True),
    Column("Started", "started", falling=True),
    Column("Duration", "duration", falling=True),
    usual="-due",
)


async def index(request: Request) -> Response:
    """The whole page."""
    return page(request, "runs/index.html", **await _list(request))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "runs/_table.html", **await _list(request))


async def _list(request: Request) -> dict[str, Any]:
    actions = actions_of(request)
    params = address.fields(request.query_params)
    offset = paging.offset(params, _LIMIT)
    asked, _ = await search(actions, params), language(request)
    runs = await actions.pages.runs(asked, limit=_LIMIT + 1, offset=offset)
    now = actions.pages.now()
    matching = offset + len(runs) if len(runs) <= _LIMIT else await actions.browse.count_runs(asked)
    pager = paging.numbered(params, offset, _LIMIT, len(runs), matching, _)
    filters = {name: text for name, text in params.items() if text and name not in paging.PLACES}
    shown = [(run, views.lasted(run.started_at, run.ended_at, now)) for run in runs[:_LIMIT]]
    return {
        "section": "Runs",
        "topics": {"runs": "1"},
        "runs": shown,
        "columns": COLUMNS.heads(params),
        "pager": pager,
        "params": params,
        "kept": await kept_filters.of_list(actions, "/runs", params),
        "states": _STATES,
        "types": _TYPES,
        "query": address.query(params),
        "filters": filters,
        "all_words": browse_view.all_runs_words(matching, _),
        **await done.told(request),
        "back": f"/runs{address.query(filters)}",
        "fingerprint": fingerprint(shown, pager),
    }


async def search(actions: Actions, params: Mapping[str, str]) -> RunSearch:
    """What the address asks for: `dag` is a part of the id or name, `dag_id` the whole id."""
    dag_ids: list[str] | None = [params["dag_id"]] if params.get("dag_id") else None
    if dag_ids is None and params.get("dag", "").strip():
        dag_ids = await actions.pages.dag_ids_with(params["dag"].strip())
    state, kind = address.choice(params, "state", _STATES), address.choice(params, "type", _TYPES)
    sort = COLUMNS.asked(params)
    by: Any = sort.name
    return RunSearch(
        dag_ids=dag_ids,
        states=[RunState(state)] if state else None,
        run_types=[RunType(kind)] if kind else None,
        due_from=address.date(params, "from"),
        due_to=address.date(params, "to"),
        run_id=params.get("run", "").strip() or None,
        by=by,
        falling=sort.falling,
    )


ROUTES = (
    Route("/runs", index, name="runs"),
    Route("/runs/table", table, name="runs_table"),
)
