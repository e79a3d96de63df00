"""Favourite DAGs and kept filters: forms in the lists, and the page of all of them, from which they are exported."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from asyncflow.engine.favourites import LISTS
from asyncflow.engine.named import parse_named
from asyncflow.errors import InvalidInput
from asyncflow.web import address, kept_filters
from asyncflow.web.admin_view import PLACES
from asyncflow.web.dag_actions import to_the_form
from asyncflow.web.ports import actions_of
from asyncflow.web.security import checked_form
from asyncflow.web.templating import page

#: bytes of a file that is imported, at most
_LARGEST = 1024 * 1024


async def star(request: Request) -> Response:
    """Make a DAG a favourite, or no more; back to where the form was."""
    form = await checked_form(request)
    await actions_of(request).mark_favourite(request.path_params["dag_id"], form.get("on") == "1")
    return to_the_form(request, form)


async def keep(request: Request) -> Response:
    """Keep the filters of a list under a name."""
    form = await checked_form(request)
    path, query = str(form.get("list", "")), kept_filters.state(str(form.get("query", "")))
    one = await actions_of(request).save_filter(path, str(form.get("name", "")), query)
    return RedirectResponse(f"{one.list}?{one.query}", status_code=303)


async def drop(request: Request) -> Response:
    """Forget one."""
    form = await checked_form(request)
    await actions_of(request).forget_filter(str(form.get("list", "")), str(form.get("name", "")))
    return RedirectResponse("/filters", status_code=303)


async def index(request: Request) -> Response:
    """All that is kept."""
    kept = await actions_of(request).kept()
    return page(
        request,
        "admin/filters.html",
        section="Admin",
        places=PLACES,
        at="/filters",
        favourites=[(dag_id, address.dag_path(dag_id)) for dag_id in kept["favourites"]],
        filters=[
            {**one, "title": LISTS[one["list"]], "href": f"{one['list']}?{one['query']}"} for one in kept["filters"]
        ],
        taken=address.number(request.query_params, "n", 0),
    )


async def export(request: Request) -> Response:
    """The same as a file."""
    headers = {"Content-Disposition": 'attachment; filename="asyncflow-filters.json"'}
    return JSONResponse(await actions_of(request).kept(), headers=headers)


async def take(request: Request) -> Response:
    """Take over a file that was exported."""
    form = await checked_form(request)
    try:
        named = parse_named(await _text(form.get("file")), "filters.json")
    finally:
        await form.close()
    return RedirectResponse(
        f"/filters{address.query({}, n=await actions_of(request).import_kept(named))}", status_code=303
    )


async def _text(file: Any) -> str:
    if not isinstance(file, UploadFile) or not file.filename:
        raise InvalidInput("Choose a file first.")
    text = await file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise InvalidInput("The file is larger than {n} bytes.", n=_LARGEST)
    return text.decode(errors="replace")


ROUTES = (
    Route("/dags/{dag_id}/star", star, methods=["POST"], name="star"),
    Route("/filters", index, name="filters"),
    Route("/filters/export", export, name="filters_export"),
    Route("/filters/keep", keep, methods=["POST"], name="filters_keep"),
    Route("/filters/drop", drop, methods=["POST"], name="filters_drop"),
    Route("/filters/import", take, methods=["POST"], name="filters_import"),
)
