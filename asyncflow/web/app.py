"""The web application: every route on one screen. Acts only through the `Actions` it is given."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from asyncflow.errors import AsyncflowError, Conflict, InvalidInput, NotFound
from asyncflow.web import dag_routes, dags, health, runs, tasks
from asyncflow.web.ports import Actions
from asyncflow.web.security import Guard
from asyncflow.web.templating import STATIC, page

ROUTES: Sequence[BaseRoute] = (
    Route("/", dags.index, name="dags"),
    Route("/dags/table", dags.table, name="dags_table"),
    *dag_routes.ROUTES,
    Route("/dags/{dag_id}/pause", dags.pause, methods=["POST"], name="pause"),
    Route("/dags/{dag_id}/unpause", dags.unpause, methods=["POST"], name="unpause"),
    Route("/dags/{dag_id}/trigger", dags.trigger, methods=["POST"], name="trigger"),
    # run ids may hold any character of an address, a slash too: the longer paths come first
    Route("/dags/{dag_id}/runs/{run_id:path}/tasks/{task_id}/log", tasks.log, name="log"),
    Route("/dags/{dag_id}/runs/{run_id:path}/tasks/{task_id}/log/text", tasks.log_text, name="log_text"),
    Route("/dags/{dag_id}/runs/{run_id:path}/tasks/{task_id}", tasks.show, name="task"),
    Route("/dags/{dag_id}/runs/{run_id:path}/instances", runs.instances, name="run_instances"),
    Route("/dags/{dag_id}/runs/{run_id:path}", runs.show, name="run"),
    Route("/health", health.health, name="health"),
    Mount("/static", StaticFiles(directory=STATIC), name="static"),
)


def make_app(actions: Actions) -> Starlette:
    """The application over one set of actions."""
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(Guard)],
        exception_handlers={AsyncflowError: _sentence, HTTPException: _http_error},
    )
    app.state.actions = actions
    return app


_STATUS = ((NotFound, HTTPStatus.NOT_FOUND), (Conflict, HTTPStatus.CONFLICT), (InvalidInput, HTTPStatus.BAD_REQUEST))


async def _sentence(request: Request, error: Exception) -> Response:
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    return _error_page(request, status, str(error))


async def _http_error(request: Request, error: Exception) -> Response:
    status = HTTPStatus(getattr(error, "status_code", 500))
    detail: Any = getattr(error, "detail", "")
    sentences = {404: "There is no such page.", 405: "This address takes no such request."}
    return _error_page(request, status, sentences.get(status, str(detail)))


def _error_page(request: Request, status: HTTPStatus, sentence: str) -> Response:
    return page(request, "error.html", status_code=status, heading=status.phrase, sentence=sentence)
