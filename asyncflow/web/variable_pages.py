"""Variables: list, form, import from a file with a preview, export. Values with a sensitive name are never sent."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.sentence import told
from asyncflow.engine.named import exported, format_named, parse_named, variables_in
from asyncflow.errors import AsyncflowError, InvalidInput
from asyncflow.web import address, done, named_pages, paging, variable_view
from asyncflow.web.admin_view import PLACES
from asyncflow.web.named_pages import variable_path
from asyncflow.web.once import new_key, once
from asyncflow.web.ports import actions_of
from asyncflow.web.security import checked_form
from asyncflow.web.templating import dialog, fingerprint, fragment, language, page

_LIMIT = 100
_TOPICS = {"variables": "1"}
#: of what an export would have
_LISTED, _FORMATS = 20, ("json", "yaml")
#: bytes of a file that is imported, at most
_LARGEST = 10 * 1024 * 1024


async def index(request: Request) -> Response:
    """The list."""
    return page(request, "variables/index.html", **await _list(request))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "variables/_table.html", **await _list(request))


async def _list(request: Request) -> dict[str, Any]:
    params, _ = named_pages.filters(request, "q", "sort", "page"), language(request)
    offset = paging.offset(params, _LIMIT)
    found = await actions_of(request).find_variables(
        params.get("q", ""), _LIMIT, offset, falling=variable_view.COLUMNS.asked(params).falling
    )
    pager = paging.numbered(params, offset, _LIMIT, len(found["rows"]), found["count"], _)
    return {
        "section": "Admin",
        "places": PLACES,
        "at": "/variables",
        "topics": _TOPICS,
        "rows": found["rows"],
        "environment": found["environment"],
        "count": found["count"],
        "columns": variable_view.COLUMNS.heads(params),
        "pager": pager,
        "params": params,
        "query": address.query(params),
        "said": done.said(request.query_params, _),
        "fingerprint": fingerprint(found, pager),
    }


# ---- the form -------------------------------------------------------------------------------------------------------


async def add_form(request: Request) -> Response:
    """For a new one."""
    return _form(request, {"key": request.query_params.get("key", "")}, is_new=True)


async def show(request: Request) -> Response:
    """One that is there: its form."""
    return _form(request, await actions_of(request).variable_form(request.path_params["key"]), is_new=False)


def _form(request: Request, values: dict[str, Any], *, is_new: bool, error: str = "", status: int = 200) -> Response:
    value = str(values.get("value", ""))
    return page(
        request,
        "variables/form.html",
        status_code=status,
        section="Admin",
        values=values,
        is_new=is_new,
        rows=variable_view.rows_of(value),
        kind=variable_view.kind_of(value) if not values.get("secret") else "",
        error=error,
        said=done.said(request.query_params, language(request)),
        once=new_key(),
    )


async def add(request: Request) -> Response:
    """Make one; one that is there is not overwritten."""
    return await _save(request, is_new=True)


async def edit(request: Request) -> Response:
    """Change one."""
    return await _save(request, is_new=False)


async def _save(request: Request, *, is_new: bool) -> Response:
    form, actions = await checked_form(request), actions_of(request)
    key = str(form.get("key", "")).strip() if is_new else request.path_params["key"]
    typed = {"value": variable_view.text_of(form.get("value", "")), "description": str(form.get("description", ""))}

    async def act() -> str:
        keep = not is_new and bool(form.get("secret")) and not typed["value"] and not form.get("forget")
        on_conflict: Any = "fail" if is_new else "overwrite"
        if form.get("check") and variable_view.kind_of(typed["value"]) != "JSON":
            raise InvalidInput("The value is not JSON.")
        await actions.edit_variable(key, **typed, keep=keep, on_conflict=on_conflict)
        return done.after("/variables" if is_new else variable_path(key), "added" if is_new else "changed", name=key)

    try:
        return await once(request, form, act)
    except AsyncflowError as error:
        values = {**typed, "key": key, "check": form.get("check"), "secret": bool(form.get("secret"))}
        if values["secret"]:
            values["value"] = ""
        return _form(request, values, is_new=is_new, error=told(error), status=400)


# ---- import and export ----------------------------------------------------------------------------------------------


async def import_form(request: Request) -> Response:
    """Where a file is chosen."""
    return _import_page(request)


def _import_page(request: Request, *, status: int = 200, **more: Any) -> Response:
    given = {"error": "", "rows": None, "counts": {}, "upload": "", "file": "", "on_conflict": "overwrite", **more}
    return page(
        request,
        "variables/import.html",
        status_code=status,
        section="Admin",
        choices=variable_view.ON_CONFLICT,
        listed=variable_view.LISTED,
        once=new_key(),
        **given,
    )


async def preview(request: Request) -> Response:
    """What an import would do. The file is kept here meanwhile, not in the page."""
    form, actions = await checked_form(request), actions_of(request)
    on_conflict = variable_view.on_conflict(form)
    uploads: variable_view.Uploads = request.app.state.uploads
    try:
        name = str(form.get("upload", ""))
        if not name:
            file, text = await _text(form)
            name = uploads.keep(file, variables_in(parse_named(text, file), file))
        file, given = uploads.get(name)
        rows = await actions.preview_variables(given, on_conflict)
    except AsyncflowError as error:
        return _import_page(request, error=told(error), on_conflict=on_conflict, status=400)
    finally:
        await form.close()  # the file that came
    counts = variable_view.counts(rows)
    return _import_page(request, rows=rows, counts=counts, upload=name, file=file, on_conflict=on_conflict)


async def _text(form: FormData) -> tuple[str, str]:
    """(name, text) of what was chosen, or pasted."""
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        data = await file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise InvalidInput(
                "{filename} is larger than {most} MB.", filename=file.filename, most=_LARGEST // 1024 // 1024
            )
        try:
            return file.filename, data.decode()
        except UnicodeDecodeError:
            raise InvalidInput("{filename} is no text in UTF-8.", filename=file.filename) from None
    pasted = variable_view.text_of(form.get("text", ""))
    if not pasted.strip():
        raise InvalidInput("Choose a file, or paste its text.")
    return variable_view.guessed_name(pasted), pasted


async def import_them(request: Request) -> Response:
    """Import what was previewed."""
    form, actions = await checked_form(request), actions_of(request)
    on_conflict = variable_view.on_conflict(form)
    uploads: variable_view.Uploads = request.app.state.uploads

    async def act() -> str:
        _, given = uploads.get(str(form.get("upload", "")))
        found = await actions.import_variables(given, on_conflict)
        return done.after("/variables", "imported", n=len(found["imported"]))

    try:
        return await once(request, form, act)
    except AsyncflowError as error:
        return _import_page(request, error=told(error), on_conflict=on_conflict, status=400)


async def export_form(request: Request) -> Response:
    """Which Variables would be in a file, and in which format."""
    names, _ = await named_pages.chosen(request, named_pages.KINDS["variables"])
    return dialog(
        request,
        "variables/export.html",
        names=names,
        listed=names[:_LISTED],
        formats=_FORMATS,
        section="Admin",
    )


async def export(request: Request) -> Response:
    """A file of the Variables that are named, values in clear, as `asyncflow variables import` reads it."""
    form = await checked_form(request)
    chosen = {str(name) for name in form.getlist("name")}
    kind = address.choice({"format": str(form.get("format", ""))}, "format", _FORMATS) or _FORMATS[0]
    rows = await actions_of(request).list_variables(reveal=True)
    named = {row["key"]: exported(row["value"]) for row in rows if row["key"] in chosen}
    headers = {"Content-Disposition": f'attachment; filename="variables.{kind}"'}
    return Response(format_named(named, kind), media_type=f"application/{kind}", headers=headers)


ROUTES = (
    Route("/variables", index, name="variables"),
    Route("/list/variables", table, name="variables_table"),
    Route("/add/variable", add_form, name="add_variable_form"),
    Route("/add/variable", add, methods=["POST"], name="add_variable"),
    Route("/import/variables", import_form, name="import_variables_form"),
    Route("/import/variables/preview", preview, methods=["POST"], name="preview_variables"),
    Route("/import/variables", import_them, methods=["POST"], name="import_variables"),
    Route("/export/variables", export_form, name="export_variables_form"),
    Route("/export/variables", export, methods=["POST"], name="export_variables"),
    Route("/variables/{key:path}", show, name="variable"),
    Route("/variables/{key:path}", edit, methods=["POST"], name="edit_variable"),
)
