"""Search over DAGs, tasks and runs: a page, and the list under the field at the top of every page."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.web.ports import actions_of
from asyncflow.web.templating import bare, page

_LISTED, _ALL = 8, 100


async def show(request: Request) -> Response:
    """The page, for the Enter key and for readers without scripts."""
    return page(request, "search/show.html", **await _found(request, _ALL))


async def results(request: Request) -> Response:
    """What is found so far, while somebody types."""
    return bare(request, "search/_results.html", **await _found(request, _LISTED))


async def _found(request: Request, limit: int) -> dict[str, Any]:
    actions = actions_of(request)
    text = request.query_params.get("q", "").strip()
    return {"text": text, "found": await actions.pages.search(text, limit=limit) if text else None}


ROUTES = (
    Route("/search", show, name="search"),
    Route("/search/results", results, name="search_results"),
)
