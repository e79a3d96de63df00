"""All task instances of all DAGs, with filters in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.engine.browse import TaskSearch
from asyncflow.web import address, browse_view, done, kept_filters, paging
from asyncflow.web.ports import Actions, actions_of
from asyncflow.web.templating import fingerprint, fragment, language, page

_LIMIT = 50
#: filters that are folded away until one of them is used
_MORE = ("operator", "pool", "tries", "runs", "from", "to", "started_from", "started_to")


async def index(request: Request) -> Response:
    """The whole page."""
    return page(request, "browse/tasks.html", **await _list(request))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "browse/_tasks.html", **await _list(request))


async def _list(request: Request) -> dict[str, Any]:
    actions = actions_of(request)
    params, _ = browse_view.fields(request.query_params), language(request)
    search = await task_search(actions, params)
    patient = address.choice(params, "look", ("long",)) is not None
    found = await actions.browse.tasks(search, place=browse_view.place(params), limit=_LIMIT, patient=patient)
    rows = browse_view.rows(found, actions.pages.now())
    filters = {name: text for name, text in params.items() if text and name not in paging.PLACES}
    return {
        "section": "Tasks",
        "topics": {"runs": "1"},
        "rows": rows,
        "chips": browse_view.chips(params),
        "columns": browse_view.COLUMNS.heads(filters),
        "pager": browse_view.pager(found, params),
        "back_to": found.back,
        "looked_back_to": found.window.looked_back_to,
        "all_words": browse_view.all_words(found.matching, _),
        "pools": await actions.browse.pools(),
        "params": params,
        "kept": await kept_filters.of_list(actions, "/tasks", params),
        "filters": filters,
        "more": any(filters.get(name) for name in _MORE),
        "query": address.query(params),
        **await done.told(request),
        "back": f"/tasks{address.query(filters)}",
        "fingerprint": fingerprint(rows, found.window.next, found.matching),
    }


async def task_search(actions: Actions, params: Mapping[str, str]) -> TaskSearch:
    """What an address asks for: `dag` is a part of the id or name, `dag_id` the whole id."""
    dag_ids: Sequence[str] | None = [params["dag_id"]] if params.get("dag_id") else None
    if dag_ids is None and params.get("dag", "").strip():
        dag_ids = await actions.pages.dag_ids_with(params["dag"].strip())
    return browse_view.search(params, dag_ids)


ROUTES = (
    Route("/tasks", index, name="tasks"),
    Route("/tasks/table", table, name="tasks_table"),
)
