"""`/health`, in Airflow's JSON shape."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asyncflow.web.ports import actions_of


async def health(request: Request) -> Response:
    """Always 200, as in Airflow: the parts tell how they are."""
    actions = actions_of(request)
    return JSONResponse(await actions.health())


ROUTES = (Route("/health", health, name="health"),)
