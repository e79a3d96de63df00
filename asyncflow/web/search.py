"""Search over all that has a name: a page, and the list under the field at the top of every page."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.web import search_view
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import bare, language, page

_LISTED, _ALL = 6, 100


async def show(request: Request) -> Response:
    """The page, for the Enter key and for readers without scripts."""
    return page(request, "search/show.html", **await _found(request, _ALL))


async def results(request: Request) -> Response:
    """What is found so far, while somebody types."""
    return bare(request, "search/_results.html", **await _found(request, _LISTED))


async def _found(request: Request, limit: int) -> dict[str, Any]:
    text, _ = request.query_params.get("q", "").strip(), language(request)
    groups: list[search_view.Group] = []
    if text:
        groups = search_view.groups(await actions_of(request).search.find(text, limit=limit), text, limit, _)
    return {"text": text, "groups": groups}


ROUTES = (
    Route("/search", show, name="search"),
    Route("/search/results", results, name="search_results"),
)
