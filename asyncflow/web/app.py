"""The web application: every route on one screen. Acts only through the `Actions` it is given."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from asyncflow.errors import AsyncflowError, Conflict, InvalidInput, NotFound
from asyncflow.web import (
    admin_pages,
    answer_pages,
    backfill_pages,
    browse_routes,
    change_pages,
    credential_routes,
    dag_actions,
    dag_list,
    dag_routes,
    dataset_pages,
    health,
    key_pages,
    late_pages,
    log_pages,
    preferences,
    run_list,
    run_pages,
    search,
    task_pages,
)
from asyncflow.web.etag import Unchanged
from asyncflow.web.events import Live, events
from asyncflow.web.log_feed import LogFeeds
from asyncflow.web.once import Once
from asyncflow.web.person import Person
from asyncflow.web.picked import Picked
from asyncflow.web.ports import Actions
from asyncflow.web.security import Guard
from asyncflow.web.shared import Metered, Shared
from asyncflow.web.templating import STATIC, page, prepare
from asyncflow.web.variable_view import Uploads

ROUTES: Sequence[BaseRoute] = (
    Route("/", dag_list.index, name="dags"),
    Route("/list/table", dag_list.table, name="dags_table"),
    Route("/list/selected", dag_actions.selected_form, name="selected_form"),
    Route("/list/selected", dag_actions.selected, methods=["POST"], name="selected"),
    Route("/events", events, name="events"),
    Route("/search", search.show, name="search"),
    Route("/search/results", search.results, name="search_results"),
    Route("/runs", run_list.index, name="runs"),
    Route("/runs/table", run_list.table, name="runs_table"),
    *browse_routes.ROUTES,
    *dag_routes.ROUTES,
    *credential_routes.ROUTES,
    *dataset_pages.ROUTES,
    *backfill_pages.ROUTES,
    Route("/preferences", preferences.save, methods=["POST"], name="preferences"),
    *key_pages.ROUTES,
    Route("/dags/{dag_id}/pause", dag_actions.pause, methods=["POST"], name="pause"),
    Route("/dags/{dag_id}/unpause", dag_actions.unpause_form, name="unpause_form"),
    Route("/dags/{dag_id}/unpause", dag_actions.unpause, methods=["POST"], name="unpause"),
    Route("/dags/{dag_id}/trigger", dag_actions.trigger_form, name="trigger_form"),
    Route("/dags/{dag_id}/trigger", dag_actions.trigger, methods=["POST"], name="trigger"),
    Route("/dags/{dag_id}/delete", dag_actions.delete_form, name="delete_form"),
    Route("/dags/{dag_id}/delete", dag_actions.delete, methods=["POST"], name="delete"),
    # run ids may hold any character of an address, a slash too: the longer paths come first
    *log_pages.ROUTES,
    *answer_pages.ROUTES,
    *task_pages.ROUTES,
    Route("/dags/{dag_id}/runs/{run_id:path}/instances", run_pages.instances, name="run_instances"),
    Route("/dags/{dag_id}/runs/{run_id:path}/journal", run_pages.journal, name="journal"),
    Route("/dags/{dag_id}/runs/{run_id:path}/log", log_pages.run_log, name="run_log"),
    Route("/dags/{dag_id}/runs/{run_id:path}/note", run_pages.note_form, name="note_form"),
    Route("/dags/{dag_id}/runs/{run_id:path}/note", run_pages.note, methods=["POST"], name="note"),
    Route("/dags/{dag_id}/runs/{run_id:path}/clear", change_pages.clear_form, name="clear_form"),
    Route("/dags/{dag_id}/runs/{run_id:path}/clear", change_pages.clear, methods=["POST"], name="clear"),
    Route("/dags/{dag_id}/runs/{run_id:path}/mark", change_pages.mark_form, name="mark_form"),
    Route("/dags/{dag_id}/runs/{run_id:path}/mark", change_pages.mark, methods=["POST"], name="mark"),
    Route("/dags/{dag_id}/runs/{run_id:path}", run_pages.show, name="run"),
    Route("/undo", change_pages.undo, methods=["POST"], name="undo"),
    *admin_pages.ROUTES,
    *late_pages.ROUTES,
    Route("/health", health.health, name="health"),
    Mount("/static", StaticFiles(directory=STATIC), name="static"),
)


def make_app(actions: Actions) -> Starlette:
    """The application over one set of actions."""
    prepare()
    app = Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(Metered),
            Middleware(Guard),
            Middleware(Person),
            Middleware(Unchanged),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=4),
            Middleware(Shared),
        ],
        exception_handlers={AsyncflowError: _sentence, HTTPException: _http_error},
    )
    app.state.actions = actions
    app.state.making = anyio.CapacityLimiter(1)
    app.state.once = Once()
    app.state.uploads = Uploads()
    app.state.picked = Picked()
    feeds = LogFeeds(actions.pages.log_path, actions.instances.is_written)
    app.state.live = Live(actions.pages.changes, lambda: actions.pages.healthy, feeds)
    actions.server.watch(lambda: app.state.live.announce("server"))
    actions.server.watch_log(lambda: app.state.live.announce("serverlog"))
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
