"""What was late: tasks that missed their SLA, and runs that missed their deadline."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.web import address
from asyncflow.web.admin_view import PLACES
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import fingerprint, fragment, page

_LIMIT = 200


async def index(request: Request) -> Response:
    """The newest first."""
    return page(request, "admin/late.html", **await _list(request))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "admin/_late.html", **await _list(request))


async def _list(request: Request) -> dict[str, Any]:
    actions = actions_of(request)
    dag_id = request.query_params.get("dag_id", "").strip()
    rows = await actions.list_sla_misses(dag_id or None, limit=_LIMIT + 1)
    for row in rows:
        row["run_path"] = address.run_path(row["dag_id"], row["run_id"])
        row["task_path"] = address.task_path(row["dag_id"], row["run_id"], row["task_id"]) if row["task_id"] else ""
    return {
        "section": "Admin",
        "places": PLACES,
        "at": "/sla-misses",
        "topics": {"runs": "1"},
        "rows": rows[:_LIMIT],
        "more": len(rows) > _LIMIT,
        "limit": _LIMIT,
        "dag_id": dag_id,
        "query": address.query({"dag_id": dag_id}).removeprefix("?"),
        "fingerprint": fingerprint(rows),
    }


ROUTES = (
    Route("/sla-misses", index, name="sla_misses"),
    Route("/sla-misses/table", table, name="sla_misses_table"),
)
