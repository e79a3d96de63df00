"""`/health`, in Airflow's JSON shape."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from asyncflow.web.ports import Actions


async def health(request: Request) -> Response:
    """Always 200, as in Airflow: the parts tell how they are."""
    actions: Actions = request.app.state.actions
    return JSONResponse(await actions.health())
