"""The first page: all DAGs, files that cannot be loaded first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.web import address, done, first_run, kept_filters, preferences
from asyncflow.web import dag_list_view as view
from asyncflow.web.kept import Kept
from asyncflow.web.ports import actions_of
from asyncflow.web.security import form_token
from asyncflow.web.templating import fingerprint, fragment, language, page, render


async def index(request: Request) -> Response:
    """The whole page."""
    return page(
        request, "dags/index.html", said=done.said(request.query_params, language(request)), **await _list(request)
    )


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    context = await _list(request)
    if context["any_dags"] and "first" in request.query_params:  # a page without filters and buttons
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    return fragment(request, "dags/_table.html", **context)


async def _list(request: Request) -> dict[str, Any]:
    actions = actions_of(request)
    params, _ = address.without(request.query_params, "have", "first", *done.FIELDS), language(request)
    asked, now = view.query(params), actions.pages.now()
    found = await actions.pages.dags(asked)
    rows = await _rows(request, view.lines(found.rows, now, _))
    first = None
    if not found.statuses["all"] and not found.errors:
        first = first_run.first(await actions.server.folder(), _)
    return {
        "section": "DAGs",
        "topics": {"dags": "1"},
        "rows": rows,
        "errors": found.errors,
        "any_dags": bool(found.statuses["all"]),
        "matching": found.matching,
        "tabs": view.tabs(found, params),
        "columns": view.columns(params),
        "pager": view.pager(found, asked, params, _),
        "tags": found.tags,
        "owners": found.owners,
        "asked": asked,
        "query": address.query(params).removeprefix("?"),
        "params": params,
        "kept": await kept_filters.of_list(actions, "/", params),
        "first": first,
        "fingerprint": fingerprint(*map(hash, rows), found.errors, found.statuses, found.matching, first),
    }


#: between two rows that are made at once; stands for the reader's form token in a row that is kept
_BETWEEN, _TOKEN = "<!-- next -->", "\x00token\x00"
_kept_rows = Kept[Markup](1024)


async def _rows(request: Request, lines: Sequence[view.Line]) -> list[Markup]:
    """The rows of the table. Those that did not look like this before, to whomever, are made, all at once."""
    look, token = preferences.preferences(request).key, form_token(request)
    rows = {line: _kept_rows.get((look, line)) for line in lines}
    missing = [line for line, row in rows.items() if row is None]
    if missing:
        context = {"lines": missing, "between": Markup(_BETWEEN), "form_token": Markup(_TOKEN)}
        text = await render(request, "dags/_rows.html", context)
        made = dict(zip(missing, map(Markup, text.split(_BETWEEN)), strict=False))
        _kept_rows.keep(((look, line), row) for line, row in made.items())
        rows |= made
    return [Markup(str(row).replace(_TOKEN, token)) for row in rows.values() if row is not None]


ROUTES = (
    Route("/", index, name="dags"),
    Route("/list/table", table, name="dags_table"),
)
