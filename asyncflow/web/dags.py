"""The first page (all DAGs) and the page of one DAG, with pause, unpause and trigger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from asyncflow.web import views
from asyncflow.web.ports import Actions
from asyncflow.web.security import checked_form
from asyncflow.web.templating import fingerprint, fragment, page


def _actions(request: Request) -> Actions:
    actions: Actions = request.app.state.actions
    return actions


async def index(request: Request) -> Response:
    """All DAGs, files that cannot be loaded first."""
    return page(request, "dags/index.html", **await _table(request))


async def table(request: Request) -> Response:
    """The list alone, for the page that polls."""
    return fragment(request, "dags/_table.html", **await _table(request))


async def _table(request: Request) -> dict[str, Any]:
    actions = _actions(request)
    lines = views.dag_lines(await actions.list_dags(), datetime.now(UTC))
    errors = await actions.list_import_errors()
    return {"dags": lines, "errors": errors, "fingerprint": fingerprint(lines, errors)}


async def pause(request: Request) -> Response:
    """Pause, then back to where the form was."""
    await checked_form(request)
    await _actions(request).pause_dag(request.path_params["dag_id"])
    return await _back(request)


async def unpause(request: Request) -> Response:
    """Unpause, then back to where the form was."""
    await checked_form(request)
    await _actions(request).unpause_dag(request.path_params["dag_id"])
    return await _back(request)


async def trigger(request: Request) -> Response:
    """Start a run and show it."""
    form = await checked_form(request)
    dag_id = request.path_params["dag_id"]
    run = await _actions(request).trigger_dag(dag_id, conf=str(form.get("conf", "")), triggered_by="ui")
    address = f"/dags/{quote(dag_id, safe='')}/runs/{quote(run['run_id'], safe='')}"
    return RedirectResponse(address, status_code=303)


async def _back(request: Request) -> Response:
    """To the list or to the DAG's page: the form names which, and nothing else is followed."""
    form = await request.form()
    dag = quote(request.path_params["dag_id"], safe="")
    return RedirectResponse(f"/dags/{dag}" if form.get("from") == "dag" else f"/#dag-{dag}", status_code=303)
