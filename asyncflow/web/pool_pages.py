"""Pools: how many slots are taken by what, who takes them and who waits; add, change, delete."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.sentence import told
from asyncflow.errors import AsyncflowError, Conflict
from asyncflow.web import address, done, named_pages, pool_view
from asyncflow.web.admin_view import PLACES
from asyncflow.web.named_pages import pool_path
from asyncflow.web.once import new_key, once
from asyncflow.web.ports import actions_of
from asyncflow.web.security import checked_form
from asyncflow.web.templating import dialog, fingerprint, fragment, language, page

#: task instances that a pool's page lists of each kind
_LISTED = 50
_TOPICS = {"pools": "1"}
#: what the form of a new pool has in it
_BLANK = {"name": "", "slots": "1", "description": "", "include_deferred": ""}


async def index(request: Request) -> Response:
    """The list."""
    return page(request, "pools/index.html", **await _list(request))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "pools/_table.html", **await _list(request))


async def _list(request: Request) -> dict[str, Any]:
    params = named_pages.filters(request, "q", "sort")
    pools = await actions_of(request).list_pools()
    lines = pool_view.lines(pools, params.get("q", ""), pool_view.COLUMNS.asked(params))
    return {
        "section": "Pools",
        "places": PLACES,
        "at": "/pools",
        "topics": _TOPICS,
        "lines": lines,
        "columns": pool_view.COLUMNS.heads(params),
        "params": params,
        "query": address.query(params),
        "said": done.said(request.query_params, language(request)),
        "fingerprint": fingerprint(lines),
    }


async def show(request: Request) -> Response:
    """One pool: who takes its slots, who waits."""
    return page(request, "pools/show.html", **await _pool(request, request.path_params["name"]))


async def use(request: Request) -> Response:
    """The live part of it."""
    return fragment(request, "pools/_use.html", **await _pool(request, request.query_params.get("name", "")))


async def _pool(request: Request, name: str) -> dict[str, Any]:
    actions = actions_of(request)
    line = pool_view.lines([await actions.get_pool(name)])[0]
    use = {kind: pool_view.holders(rows) for kind, rows in (await actions.pool_use(name, _LISTED)).items()}
    return {
        "section": "Pools",
        "topics": _TOPICS,
        "line": line,
        "path": pool_path(name),
        "use": use,
        "listed": _LISTED,
        "dags": await actions.pool_dags(name),
        "said": done.said(request.query_params, language(request)),
        "fingerprint": fingerprint(line, use),
    }


async def add_form(request: Request) -> Response:
    """For a new pool."""
    return _form(request, {**_BLANK, "name": request.query_params.get("name", "")}, is_new=True)


async def edit_form(request: Request) -> Response:
    """For one that is there."""
    return _form(request, await actions_of(request).get_pool(request.query_params.get("name", "")), is_new=False)


def _form(request: Request, entered: Any, *, is_new: bool, error: str = "", status: int = 200) -> Response:
    return dialog(
        request,
        "pools/form.html",
        status_code=status,
        entered=entered,
        is_new=is_new,
        error=error,
        once=new_key(),
        section="Pools",
    )


async def add(request: Request) -> Response:
    """Make a pool; one that is there is not overwritten."""
    return await _save(request, is_new=True)


async def edit(request: Request) -> Response:
    """Change a pool."""
    return await _save(request, is_new=False)


async def _save(request: Request, *, is_new: bool) -> Response:
    form, actions = await checked_form(request), actions_of(request)

    async def act() -> str:
        fields = pool_view.entered(form)
        if is_new and any(pool["name"] == fields["name"] for pool in await actions.list_pools()):
            raise Conflict("A pool with the name {name!r} exists already.", name=fields["name"])
        if not is_new:
            await actions.get_pool(fields["name"])
        await actions.set_pool(**fields)
        return done.after("/pools", "added" if is_new else "changed", name=fields["name"])

    try:
        return await once(request, form, act)
    except AsyncflowError as error:
        return _form(request, {**_BLANK, **dict(form)}, is_new=is_new, error=told(error), status=400)


ROUTES = (
    Route("/pools", index, name="pools"),
    Route("/list/pools", table, name="pools_table"),
    Route("/list/pool", use, name="pool_use"),
    Route("/add/pool", add_form, name="add_pool_form"),
    Route("/add/pool", add, methods=["POST"], name="add_pool"),
    Route("/edit/pool", edit_form, name="edit_pool_form"),
    Route("/edit/pool", edit, methods=["POST"], name="edit_pool"),
    Route("/pools/{name:path}", show, name="pool"),
)
