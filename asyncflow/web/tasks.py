"""The page of one task instance: its tries, and the log of each."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from asyncflow.web import views
from asyncflow.web.ports import Actions
from asyncflow.web.templating import fingerprint, fragment, page

#: bytes of a log that the page shows, counted from its end; the whole file is one link away
_TAIL = 256_000
#: bytes of a log in one plain-text answer
_WHOLE = 64_000_000


async def show(request: Request) -> Response:
    """The address of a task instance shows the log of its last try."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{request.scope['raw_path'].decode('ascii')}/log{query}", status_code=307)


async def log(request: Request) -> Response:
    """The log page; with `?have=` the log alone, for the page that polls while the task runs."""
    context = await _log(request)
    if "have" in request.query_params:
        return fragment(request, "tasks/_log.html", **context)
    return page(request, "tasks/show.html", **context)


async def log_text(request: Request) -> Response:
    """The log as plain text, up to 64 MB of its end."""
    part = await _read(request, _WHOLE)
    return PlainTextResponse(part["text"])


async def _log(request: Request) -> dict[str, Any]:
    actions: Actions = request.app.state.actions
    where = _where(request)
    ti = await actions.get_task_instance(*where)
    part = await _read(request, _TAIL)
    numbers = sorted({*part["tries"], part["try_number"]})
    live = not views.has_ended(ti["state"]) and part["try_number"] == numbers[-1]
    return {
        "ti": ti,
        "name": views.instance_name(where[2], where[3], ti.get("rendered_map_index")),
        "badge": views.badge(ti["state"]),
        "why": "" if views.has_ended(ti["state"]) else ti["why"] or "",
        "part": part,
        "cut": part["offset"] > 0,
        "numbers": numbers,
        "tried": {row["try_number"]: row for row in ti["tries"]},
        "live": live,
        "fingerprint": fingerprint(part["size"], part["try_number"], numbers, ti["state"], ti["why"]),
    }


async def _read(request: Request, limit: int) -> dict[str, Any]:
    actions: Actions = request.app.state.actions
    try_number = _number(request, "try", None)
    return await actions.read_log(*_where(request), try_number=try_number, offset=-limit, limit=limit)


def _where(request: Request) -> tuple[str, str, str, int]:
    params = request.path_params
    return params["dag_id"], params["run_id"], params["task_id"], _number(request, "map_index", -1) or 0


def _number(request: Request, name: str, default: int | None) -> int | None:
    text = request.query_params.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise HTTPException(400, f"{name}={text!r} is not a number.") from None
