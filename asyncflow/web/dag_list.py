"""The first page: all DAGs, files that cannot be loaded first."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from asyncflow.web import dag_list_view as view
from asyncflow.web.ports import Actions
from asyncflow.web.templating import fingerprint, fragment, language, page


async def index(request: Request) -> Response:
    """The whole page."""
    return page(request, "dags/index.html", **await _list(request))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "dags/_table.html", **await _list(request))


async def _list(request: Request) -> dict[str, Any]:
    actions: Actions = request.app.state.actions
    params, _ = dict(request.query_params), language(request)
    params.pop("have", None)
    asked, now = view.query(params), actions.pages.now()
    found = await actions.pages.dags(asked)
    lines = view.lines(found.rows, now, _)
    return {
        "section": "DAGs",
        "topics": {"dags": "1"},
        "lines": lines,
        "errors": found.errors,
        "any_dags": bool(found.statuses["all"]),
        "matching": found.matching,
        "tabs": view.tabs(found, params),
        "columns": view.columns(asked, params),
        "links": view.paging(found, asked, params, _),
        "tags": found.tags,
        "owners": found.owners,
        "asked": asked,
        "query": request.url.query,
        "params": params,
        "folder": actions.pages.folder,
        "fingerprint": fingerprint(lines, found.errors, found.statuses, found.matching),
    }
