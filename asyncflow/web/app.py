"""The web application: every route on one screen. Acts only through the `Actions` it is given."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from asyncflow.core.sentence import Sentence, told
from asyncflow.errors import AsyncflowError, Conflict, DiskTrouble, InvalidInput, NotFound
from asyncflow.web import (
    admin_pages,
    answer_pages,
    audit_pages,
    backfill_pages,
    browse_pages,
    bulk_pages,
    cells_pages,
    change_pages,
    connection_pages,
    dag_actions,
    dag_calendar,
    dag_charts,
    dag_code,
    dag_details,
    dag_gantt,
    dag_graph,
    dag_grid,
    dag_list,
    dag_runs,
    dag_task_pages,
    dataset_pages,
    dependency_pages,
    favourite_pages,
    health,
    key_pages,
    late_pages,
    log_pages,
    named_pages,
    pool_pages,
    preferences,
    run_list,
    run_log,
    run_pages,
    search,
    task_pages,
    variable_pages,
)
from asyncflow.web.calm import Bounded, Calm
from asyncflow.web.etag import Unchanged
from asyncflow.web.events import Live, events
from asyncflow.web.later import Making
from asyncflow.web.log_feed import LogFeeds
from asyncflow.web.once import Once
from asyncflow.web.person import Person
from asyncflow.web.picked import Picked
from asyncflow.web.ports import Actions
from asyncflow.web.run_feed import RunLogFeeds
from asyncflow.web.security import Guard
from asyncflow.web.shared import Metered, Shared
from asyncflow.web.templating import STATIC, page, prepare
from asyncflow.web.variable_view import Uploads

#: each module has the addresses of what it answers
ROUTES: Sequence[BaseRoute] = (
    Route("/events", events, name="events"),
    *dag_list.ROUTES,
    *dag_actions.ROUTES,
    *search.ROUTES,
    *run_list.ROUTES,
    *browse_pages.ROUTES,
    *bulk_pages.ROUTES,
    *audit_pages.ROUTES,
    *dag_grid.ROUTES,
    *cells_pages.ROUTES,
    *dag_graph.ROUTES,
    *dag_calendar.ROUTES,
    *dag_gantt.ROUTES,
    *dag_charts.ROUTES,
    *dag_runs.ROUTES,
    *dag_task_pages.ROUTES,
    *dag_details.ROUTES,
    *dag_code.ROUTES,
    *dataset_pages.ROUTES,
    *dependency_pages.ROUTES,
    *backfill_pages.ROUTES,
    *pool_pages.ROUTES,
    *connection_pages.ROUTES,
    *variable_pages.ROUTES,
    *named_pages.ROUTES,
    *preferences.ROUTES,
    *key_pages.ROUTES,
    # run ids may hold any character of an address, a slash too: the longer paths come first
    *log_pages.ROUTES,
    *answer_pages.ROUTES,
    *task_pages.ROUTES,
    *run_log.ROUTES,
    *change_pages.ROUTES,
    *run_pages.ROUTES,
    *admin_pages.ROUTES,
    *late_pages.ROUTES,
    *favourite_pages.ROUTES,
    *health.ROUTES,
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
            Middleware(Calm, say=_broken),
            Middleware(Bounded),
            Middleware(Person),
            Middleware(Unchanged),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=4, thread_minimum_size=16_000),
            Middleware(Shared),
        ],
        exception_handlers={AsyncflowError: _sentence, HTTPException: _http_error},
    )
    app.state.actions = actions
    app.state.making = Making(actions.server.at_rest)
    app.state.once = Once()
    app.state.uploads = Uploads()
    app.state.picked = Picked()
    feeds = LogFeeds(actions.pages.log_path, actions.instances.is_written)
    run_feeds = RunLogFeeds(actions.pages.log_path, actions.instances.written)
    app.state.live = Live(actions.pages.changes, lambda: actions.pages.healthy, feeds, run_feeds)
    actions.server.watch(lambda: app.state.live.announce("server"))
    actions.server.watch_log(lambda: app.state.live.announce("serverlog"))
    return app


_STATUS = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (InvalidInput, HTTPStatus.BAD_REQUEST),
    (DiskTrouble, HTTPStatus.SERVICE_UNAVAILABLE),  # it may well be over in a moment
)


async def _sentence(request: Request, error: Exception) -> Response:
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    return _error_page(request, status, told(error))


async def _http_error(request: Request, error: Exception) -> Response:
    status = HTTPStatus(getattr(error, "status_code", 500))
    detail: Any = getattr(error, "detail", "")
    sentences = {404: Sentence("There is no such page."), 405: Sentence("This address takes no such request.")}
    response = _error_page(request, status, sentences.get(status, Sentence(str(detail))))
    response.headers.update(getattr(error, "headers", None) or {})  # what else the address takes
    return response


def _broken(request: Request, sentence: str) -> Response:
    return _error_page(request, HTTPStatus.INTERNAL_SERVER_ERROR, sentence)


def _error_page(request: Request, status: HTTPStatus, sentence: str) -> Response:
    return page(request, "error.html", status_code=status, heading=status.phrase, sentence=sentence)
