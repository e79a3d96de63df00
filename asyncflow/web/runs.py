"""The page of one run: its state and that of every task instance."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from asyncflow.web import views
from asyncflow.web.ports import Actions
from asyncflow.web.templating import fingerprint, fragment, page


async def show(request: Request) -> Response:
    """The whole page."""
    return page(request, "runs/show.html", **await _run(request))


async def instances(request: Request) -> Response:
    """State and task instances alone, for the page that polls while the run is active."""
    return fragment(request, "runs/_instances.html", **await _run(request))


async def _run(request: Request) -> dict[str, Any]:
    actions: Actions = request.app.state.actions
    run = await actions.get_run(request.path_params["dag_id"], request.path_params["run_id"])
    line, tasks = views.run_line(run), views.task_lines(run["tasks"])
    return {
        "run": run,
        "line": line,
        "tasks": tasks,
        "active": views.is_active(run["state"]),
        "fingerprint": fingerprint(line, tasks),
    }
