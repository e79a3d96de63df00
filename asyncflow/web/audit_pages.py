"""What people did, the latest first."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.web import address, audit_view
from asyncflow.web.admin_view import PLACES
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import fingerprint, fragment, page

_LIMIT = 50


async def index(request: Request) -> Response:
    """The whole page."""
    return page(request, "browse/audit.html", **await _list(request))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "browse/_audit.html", **await _list(request))


async def _list(request: Request) -> dict[str, Any]:
    actions = actions_of(request)
    params = address.fields(request.query_params)
    found = await actions.browse.audit(audit_view.search(params), limit=_LIMIT + 1)
    lines = [audit_view.line(row) for row in found[:_LIMIT]]
    return {
        "section": "Admin",
        "places": PLACES,
        "at": "/audit",
        "topics": {"audit": "1"},
        "lines": lines,
        "actions": await actions.browse.audit_actions(),
        "vias": audit_view.VIAS,
        "params": params,
        "query": address.query(params),
        "first": address.query(params, before=None) or "?" if params.get("before") else None,
        "next": address.query(params, before=lines[-1].id) if len(found) > _LIMIT else None,
        "fingerprint": fingerprint(lines, len(found)),
    }


ROUTES = (
    Route("/audit", index, name="audit"),
    Route("/audit/table", table, name="audit_table"),
)
