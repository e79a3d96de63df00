"""What people did, the latest first."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.engine.browse import AuditLine
from asyncflow.web import address, audit_view, kept_filters, paging
from asyncflow.web.admin_view import PLACES
from asyncflow.web.paging import Turn
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
    search, sort = audit_view.search(params), audit_view.COLUMNS.asked(params)

    async def ask(turn: Turn, limit: int) -> list[AuditLine]:
        rows = await actions.browse.audit(audit_view.beside(search, sort, turn), limit=limit)
        return rows[::-1] if turn.back else rows

    found = await paging.read(ask, paging.turn(params), _LIMIT)
    lines = [audit_view.line(row) for row in found.rows]
    edges = (lines[0].id, lines[-1].id) if lines else None
    return {
        "section": "Admin",
        "places": PLACES,
        "at": "/audit",
        "topics": {"audit": "1"},
        "lines": lines,
        "actions": await actions.browse.audit_actions(),
        "vias": audit_view.VIAS,
        "params": params,
        "kept": await kept_filters.of_list(actions, "/audit", params),
        "query": address.query(params),
        "columns": audit_view.COLUMNS.heads(params),
        "pager": paging.pager(params, found.turn, found.more, edges),
        "fingerprint": fingerprint(lines, found.more),
    }


ROUTES = (
    Route("/audit", index, name="audit"),
    Route("/audit/table", table, name="audit_table"),
)
