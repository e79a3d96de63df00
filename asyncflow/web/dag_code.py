"""The code page of a DAG: the text of its file in any version, and what changed between two."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from asyncflow.engine.dag_pages import DagPages, StoredVersion, VersionLine
from asyncflow.web import address, blame_view, code_view, grid_view, views
from asyncflow.web.dag_head import head
from asyncflow.web.i18n import Language
from asyncflow.web.kept import Kept
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import language, page

_coloured = lru_cache(maxsize=16)(code_view.coloured)
#: versions that are looked at for who changed what
_BLAMED = 30
#: where tasks are made, of the last versions that were looked at: reading a long file as syntax takes its time
_LINES: Kept[dict[str, int]] = Kept(64)


async def show(request: Request) -> Response:
    """The whole page; `?version=` one of the versions, `?against=` an older one to compare it with."""
    actions = actions_of(request)
    pages, params = actions.dag_pages, request.query_params
    dag = await pages.dag(request.path_params["dag_id"])
    versions = await pages.versions(dag.spec.dag_id)
    shown = await pages.version(dag.spec.dag_id, params.get("version") or dag.version)
    lines = await _task_lines(shown)
    task_id = params.get("task", "")
    if task_id in lines:
        kept = address.query(address.without(params, "task", "against"))
        return RedirectResponse(f"{address.dag_path(dag.spec.dag_id)}/code{kept}#L{lines[task_id]}", status_code=307)
    against = params.get("against")
    origins: dict[str, Any] = {"origins": [], "tasks": [], "blame": False}
    if params.get("blame") and not against:
        origins = await _blame(pages, dag.spec.dag_id, versions, shown, lines)
    file = await pages.file(shown.file)
    return page(
        request,
        "dags/code.html",
        head=head(pages, dag, "code"),
        file=shown.file,
        line=shown.spec.line,
        version=shown.version,
        against=against,
        choices=_choices(versions, language(request, dag.spec.timezone)),
        parsed_at=file.parsed_at.isoformat() if file else None,
        parse_time=views.duration_text(file.seconds) if file else "",
        text_address=f"{address.dag_path(dag.spec.dag_id)}/code/text{address.query({}, version=shown.version)}",
        task_lines=sorted(lines.items(), key=lambda pair: (pair[1], pair[0])),
        not_found=task_id,
        blame_address=address.query(
            address.without(params, "task", "against"), blame=None if params.get("blame") else 1
        )
        or "?",
        **origins,
        **await _body(pages, shown, against),
    )


async def _body(pages: DagPages, shown: StoredVersion, against: str | None) -> dict[str, Any]:
    """The coloured lines, or what is different from another version."""
    body: dict[str, Any] = {"lines": [], "diff": [], "definitions": False, "compared": bool(against)}
    if not against:
        return {**body, "lines": await anyio.to_thread.run_sync(_coloured, shown.source)}
    older = await pages.version(shown.spec.dag_id, against)
    return {**body, **await anyio.to_thread.run_sync(_comparison, older, shown)}


async def _blame(
    pages: DagPages, dag_id: str, versions: Sequence[VersionLine], shown: StoredVersion, lines: dict[str, int]
) -> dict[str, Any]:
    """Which version brought each line and each task, as far back as is looked."""
    numbers = grid_view.version_numbers([row.version for row in versions])
    place = next((place for place, row in enumerate(versions) if row.version == shown.version), 0)
    looked = versions[place : place + _BLAMED]
    read = [(numbers[row.version], await pages.version(dag_id, row.version)) for row in looked]
    by_line = await anyio.to_thread.run_sync(
        blame_view.line_origins, [(number, version.source) for number, version in read]
    )
    return {
        "blame": True,
        "origins": by_line,
        "tasks": blame_view.task_origins([(number, version.spec) for number, version in read], lines),
        "named": {numbers[row.version]: row for row in looked},
        "more_versions": len(versions) > place + _BLAMED,
        "looked": len(looked),
    }


async def text(request: Request) -> Response:
    """The file as plain text."""
    actions = actions_of(request)
    dag_id = request.path_params["dag_id"]
    version = request.query_params.get("version") or (await actions.dag_pages.dag(dag_id)).version
    return PlainTextResponse((await actions.dag_pages.version(dag_id, version)).source)


async def _task_lines(shown: StoredVersion) -> dict[str, int]:
    key = (shown.spec.dag_id, shown.version, shown.source)
    known = _LINES.get(key)
    if known is None:
        known = await anyio.to_thread.run_sync(blame_view.task_lines, shown.source, shown.spec)
        _LINES.keep([(key, known)])
    return known


def _choices(versions: Sequence[VersionLine], _: Language) -> list[tuple[str, str]]:
    numbers = grid_view.version_numbers([row.version for row in versions])
    return [(row.version, f"{numbers[row.version]} · {_.moment(row.created_at)}") for row in versions]


def _comparison(older: StoredVersion, newer: StoredVersion) -> dict[str, Any]:
    """What changed in the text; when that is the same, what it made of itself (it may read Variables)."""
    if older.source != newer.source:
        return {"diff": code_view.compared(older.source, newer.source)}
    return {"diff": code_view.compared(_definition(older), _definition(newer)), "definitions": True}


def _definition(version: StoredVersion) -> str:
    return msgspec.json.format(msgspec.json.encode(version.spec), indent=2).decode()


ROUTES = (
    Route("/dags/{dag_id}/code", show, name="code"),
    Route("/dags/{dag_id}/code/text", text, name="code_text"),
)
