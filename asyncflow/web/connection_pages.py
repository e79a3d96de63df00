"""Connections: list, form by type, test. Stored secrets are never sent: a field left empty keeps what is there."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.sentence import told
from asyncflow.errors import AsyncflowError, NotFound
from asyncflow.web import address, connection_view, done, named_pages, paging
from asyncflow.web.admin_view import PLACES
from asyncflow.web.named_pages import connection_path
from asyncflow.web.once import new_key, once
from asyncflow.web.ports import actions_of
from asyncflow.web.security import checked_form
from asyncflow.web.templating import bare, fingerprint, fragment, language, page

_LIMIT = 100
_TOPICS = {"connections": "1"}


async def index(request: Request) -> Response:
    """The list."""
    return page(request, "connections/index.html", **await _list(request))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "connections/_table.html", **await _list(request))


async def _list(request: Request) -> dict[str, Any]:
    params, _ = named_pages.filters(request, "q", "type", "sort", "page"), language(request)
    offset = paging.offset(params, _LIMIT)
    sort = connection_view.COLUMNS.asked(params)
    found = await actions_of(request).find_connections(
        params.get("q", ""), params.get("type", ""), _LIMIT, offset, by=sort.name, falling=sort.falling
    )
    pager = paging.numbered(params, offset, _LIMIT, len(found["rows"]), found["count"], _)
    return {
        "section": "Admin",
        "places": PLACES,
        "at": "/connections",
        "topics": _TOPICS,
        "rows": found["rows"],
        "environment": found["environment"],
        "count": found["count"],
        "types": found["types"],
        "columns": connection_view.COLUMNS.heads(params),
        "pager": pager,
        "params": params,
        "query": address.query(params),
        "said": done.said(request.query_params, _),
        "tested": None,
        "fingerprint": fingerprint(found, pager),
    }


# ---- the form -------------------------------------------------------------------------------------------------------


async def add_form(request: Request) -> Response:
    """For a new one: of a type (`?conn_type=`), or like another (`?like=`)."""
    like = request.query_params.get("like", "")
    values: dict[str, Any] = {"conn_type": request.query_params.get("conn_type", "")}
    if like:
        values = {**await actions_of(request).connection_form(like), "conn_id": "", "in_environment": False}
    return await _form(request, values, like=like, is_new=True)


async def show(request: Request) -> Response:
    """One that is there: its form."""
    conn_id = request.path_params["conn_id"]
    values = await actions_of(request).connection_form(conn_id)
    return await _form(request, values, like=conn_id, is_new=False)


async def _form(
    request: Request,
    values: dict[str, Any],
    *,
    like: str,
    is_new: bool,
    error: str = "",
    tested: Any = None,
    status: int = 200,
) -> Response:
    actions, conn_type = actions_of(request), str(values.get("conn_type") or "")
    types = await actions.connection_types()
    form = await actions.connection_type_form(conn_type)
    return page(
        request,
        "connections/form.html",
        status_code=status,
        section="Admin",
        values=values,
        like=like,
        is_new=is_new,
        fields=connection_view.fields(form, values),
        choices=connection_view.type_choices(types, conn_type),
        package=next((row["package"] for row in types if row["conn_type"] == conn_type and not row["installed"]), ""),
        problem=form["problem"],
        copies=connection_view.copies(values) if not is_new and "has_password" in values else [],
        error=error,
        tested=tested,
        said=done.said(request.query_params, language(request)),
        once=new_key(),
    )


async def _again(request: Request, form: FormData, *, is_new: bool, **more: Any) -> Response:
    """The form as it was sent, without the secrets that were typed."""
    like = str(form.get("like", ""))
    stored = await actions_of(request).connection_form(like) if like else {}
    typed = {name: str(value) for name, value in form.items() if name != "password"}
    kept = [str(name).removeprefix(connection_view.PREFIX) for name in form.getlist("kept")]
    hidden = {name: stored.get(name, False) for name in ("has_password", "extra_is_hidden", "in_environment")}
    conn_id = typed.get("conn_id", "") if is_new else request.path_params.get("conn_id", typed.get("conn_id", ""))
    return await _form(request, {**typed, **hidden, "kept": kept, "conn_id": conn_id}, like=like, is_new=is_new, **more)


async def add(request: Request) -> Response:
    """Make one; one that is there is not overwritten."""
    return await _save(request, is_new=True)


async def edit(request: Request) -> Response:
    """Change one."""
    return await _save(request, is_new=False)


async def _save(request: Request, *, is_new: bool) -> Response:
    form, actions = await checked_form(request), actions_of(request)
    if "show" in form:  # another type was chosen
        return await _again(request, form, is_new=is_new)

    async def act() -> str:
        meant = await _meant(request, form)
        if not is_new:
            await actions.connection_form(meant.conn_id)  # it may be gone
        on_conflict: Any = "fail" if is_new else "overwrite"
        await actions.edit_connection(meant.conn_id, **meant.arguments(), on_conflict=on_conflict)
        path = "/connections" if is_new else connection_path(meant.conn_id)
        return done.after(path, "added" if is_new else "changed", name=meant.conn_id)

    try:
        return await once(request, form, act)
    except AsyncflowError as error:
        return await _again(request, form, is_new=is_new, error=told(error), status=400)


async def _meant(request: Request, form: FormData) -> connection_view.Entered:
    parts = (await actions_of(request).connection_type_form(str(form.get("conn_type", ""))))["fields"]
    kinds = {part["name"]: part["kind"] for part in parts}
    return connection_view.entered(form, kinds, request.path_params.get("conn_id", ""))


# ---- the test -------------------------------------------------------------------------------------------------------


async def test(request: Request) -> Response:
    """Test what the form says, or what is stored if only the name was sent; the answer comes in place."""
    form, actions = await checked_form(request), actions_of(request)
    conn_id = str(form.get("conn_id", "")).strip()
    of_form = "conn_type" in form
    try:
        if of_form:
            meant = await _meant(request, form)
            answer = await actions.test_connection(meant.conn_id or "untitled", **meant.arguments())
        else:
            answer = await actions.test_connection(conn_id)
    except AsyncflowError as error:
        answer = {"status": False, "message": told(error)}
    if request.headers.get("HX-Request"):
        return bare(request, "connections/_tested.html", tested=answer)
    if of_form:
        return await _again(request, form, is_new=not form.get("stored"), tested=answer)
    try:
        values = await actions.connection_form(conn_id)
    except NotFound:  # the environment defines it
        listed = {**await _list(request), "tested": answer, "tested_name": conn_id}
        return page(request, "connections/index.html", **listed)
    return await _form(request, values, like=conn_id, is_new=False, tested=answer)


ROUTES = (
    Route("/connections", index, name="connections"),
    Route("/list/connections", table, name="connections_table"),
    Route("/add/connection", add_form, name="add_connection_form"),
    Route("/add/connection", add, methods=["POST"], name="add_connection"),
    Route("/test/connection", test, methods=["POST"], name="test_connection"),
    Route("/connections/{conn_id}", show, name="connection"),
    Route("/connections/{conn_id}", edit, methods=["POST"], name="edit_connection"),
)
