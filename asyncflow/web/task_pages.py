"""The pages of one task instance: details, and the log of each try."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response

from asyncflow.core.models import TaskKey
from asyncflow.engine import logs
from asyncflow.engine.pages import InstancePage
from asyncflow.web import address, log_view, run_view, views
from asyncflow.web.ports import Actions
from asyncflow.web.templating import bare, fingerprint, fragment, page

#: bytes of a log that a page shows, and that come at a time while it grows
_WINDOW, _MORE = 256_000, 128_000
#: characters of an XCom that are shown
_LONG = 10_000
#: tries whose logs are merged, and bytes of each
_MERGED, _PART = 100, 64_000


def _actions(request: Request) -> Actions:
    actions: Actions = request.app.state.actions
    return actions


def _key(request: Request) -> TaskKey:
    params = request.path_params
    map_index = address.number(request.query_params, "map_index", -1, least=-1)
    return TaskKey(params["dag_id"], params["run_id"], params["task_id"], map_index)


def _frame(found: InstancePage, key: TaskKey) -> dict[str, Any]:
    """What both pages of a task instance have."""
    path = address.task_path(*key[:3])
    copy = f"map_index={key.map_index}" if key.map_index >= 0 else ""
    return {
        "section": "Runs",
        "topics": {"dag": key.dag_id, "run": key.run_id},
        "dag_zone": found.spec.timezone,
        "ti": found.ti,
        "run": found.run,
        "name": views.instance_name(key.task_id, key.map_index, found.ti.rendered_map_index),
        "why": found.why,
        "path": path,
        "copy": copy,
        "copies": found.copies,
        "run_path": address.run_path(key.dag_id, key.run_id),
        "pick": run_view.pick(key.task_id, key.map_index),
        "has_ended": views.has_ended(found.ti.state.value),
    }


async def show(request: Request) -> Response:
    """Details: why it waits, times, tries side by side, what it rendered and pushed, its neighbours."""
    return page(request, "tasks/show.html", **await _details(request))


async def details(request: Request) -> Response:
    """The details alone, for a page that was told of a change."""
    return fragment(request, "tasks/_details.html", **await _details(request))


async def _details(request: Request) -> dict[str, Any]:
    actions, key = _actions(request), _key(request)
    found = await actions.pages.instance(key)
    task, now = found.spec.tasks.get(key.task_id), actions.pages.now()
    rendered = await actions.pages.rendered(key)
    xcoms = await actions.pages.xcoms(key)
    return {
        **_frame(found, key),
        "seconds": views.lasted(found.ti.started_at, found.ti.ended_at, now),
        "tries": run_view.tries(found, now),
        "facts": run_view.facts(task),
        "doc": task.doc_md or task.doc if task else None,
        "upstream": run_view.neighbours(found, task.upstream if task else ()),
        "downstream": run_view.neighbours(found, task.downstream if task else ()),
        "rendered": {name: run_view.shown(value) for name, value in rendered.items()},
        "xcoms": [(row.key, row.value[:_LONG], len(row.value) > _LONG, row.at) for row in xcoms],
        "command": run_view.reproduce(found.run, found.ti),
        "fingerprint": fingerprint(found.ti, found.why, found.tries, found.states, [row.at for row in xcoms]),
    }


# ---- the log --------------------------------------------------------------------------------------------------------


async def log(request: Request) -> Response:
    """The log of a try: its end, or the part that the address names."""
    actions, key, params = _actions(request), _key(request), dict(request.query_params)
    found = await actions.pages.instance(key)
    number, numbers = _try(found, params)
    path = actions.pages.log_path(key, number)
    text = params.get("q", "")
    asked = address.number(params, "at", 0, most=2**62) if params.get("at") else None
    hit = await anyio.to_thread.run_sync(logs.find, path, text, asked or 0) if text else None
    at = max(0, hit - _WINDOW // 4) if hit is not None else asked
    part = await anyio.to_thread.run_sync(logs.window, path, at, _WINDOW)
    live = number == numbers[-1] and not views.has_ended(found.ti.state.value) and part.end == part.size
    cut = part.start > 0 or part.end < part.size
    shown = log_view.render(
        part.data,
        part.start,
        least=params.get("level", ""),
        find=text,
        link=address.query(params, at=part.start) if cut else "",
    )
    topics = {"log": str(number), "task": key.task_id, "map": str(key.map_index)} if live else {}
    return page(
        request,
        "tasks/log.html",
        **_log_frame(found, key, number, numbers),
        **_log_links(params, part, hit),
        part=part,
        shown=shown,
        live=live,
        levels=log_view.LEVELS,
        level=params.get("level", ""),
        text=text,
        missed=bool(text) and hit is None,
        params=params,
        topics={"dag": key.dag_id, "run": key.run_id, **topics},
    )


def _log_frame(found: InstancePage, key: TaskKey, number: int, numbers: list[int]) -> dict[str, Any]:
    frame = _frame(found, key)
    del frame["topics"]
    tried = next((row for row in found.tries if row.try_number == number), None)
    return {**frame, "number": number, "numbers": numbers, "tried": tried}


def _log_links(params: dict[str, str], part: logs.Window, hit: int | None) -> dict[str, Any]:
    """Where the rest of the file is; "" for what is shown already."""
    base = {name: value for name, value in params.items() if name != "q"}
    return {
        "first": address.query(base, at="0") if part.start else "",
        "earlier": address.query(base, at=max(1, part.start - _WINDOW)) if part.start else "",
        "later": address.query(base, at=part.end) if part.end < part.size else "",
        "last": address.query(base, at=None) or "?" if part.end < part.size else "",
        "hit": hit,
        "next_hit": address.query(params, at=hit + 1) if hit is not None else "",
    }


def _try(found: InstancePage, params: dict[str, str]) -> tuple[int, list[int]]:
    """The try that is meant, and all there are."""
    numbers = sorted({row.try_number for row in found.tries} | set(range(1, max(1, found.ti.try_number) + 1)))
    return address.number(params, "try", numbers[-1], least=0), numbers


async def log_head(request: Request) -> Response:
    """State and tries above a log, for a page that was told of a change."""
    key, params = _key(request), dict(request.query_params)
    found = await _actions(request).pages.instance(key)
    number, numbers = _try(found, params)
    have = fingerprint(found.ti.state, found.why, numbers)
    return fragment(request, "tasks/_head.html", **_log_frame(found, key, number, numbers), fingerprint=have)


async def log_more(request: Request) -> Response:
    """What was written since the byte `from`: whole lines, and where to go on."""
    actions, key, params = _actions(request), _key(request), request.query_params
    number, start = address.number(params, "try", 1, least=0), address.number(params, "from", 0, most=2**62)
    path = actions.pages.log_path(key, number)
    part = await anyio.to_thread.run_sync(_grown, path, start)
    if not part.data:
        return Response(status_code=204)
    shown = log_view.render(part.data, part.start, least=params.get("level", ""))
    more = {"task_path": address.task_path(*key[:3]), "number": number, "level": params.get("level", "")}
    return bare(request, "tasks/_more.html", shown=shown, end=part.end, map_index=key.map_index, **more)


def _grown(path: Any, start: int) -> logs.Window:
    return logs.window(path, start, _MORE, partial=False)


async def log_text(request: Request) -> Response:
    """The file as it is; browsers may ask for ranges of it."""
    actions, key, params = _actions(request), _key(request), dict(request.query_params)
    found = await actions.pages.instance(key)
    number, _ = _try(found, params)
    path = actions.pages.log_path(key, number)
    if not path.is_file():
        return PlainTextResponse("")
    name = f"{key.dag_id}.{key.task_id}.{number}.log" if params.get("download") else None
    return FileResponse(path, media_type="text/plain; charset=utf-8", filename=name)


async def log_link(request: Request) -> Response:
    """An address of old links: the log of the last try."""
    key = _key(request)
    return RedirectResponse(address.task_path(*key, page="/log"), status_code=307)


# ---- the merged log of a run ----------------------------------------------------------------------------------------


async def run_log(request: Request) -> Response:
    """The logs of all tries of a run in the order of their times, the end of each."""
    actions = _actions(request)
    dag_id, run_id = request.path_params["dag_id"], request.path_params["run_id"]
    found = await actions.pages.run(dag_id, run_id, limit=0)
    tried = await actions.pages.tried(dag_id, run_id, limit=_MERGED + 1)
    parts = []
    for row in tried[:_MERGED]:
        key = TaskKey(dag_id, run_id, row.task_id, row.map_index)
        path = actions.pages.log_path(key, row.try_number)
        part = await anyio.to_thread.run_sync(logs.window, path, None, _PART)
        name = views.instance_name(row.task_id, row.map_index)
        parts.append((name, address.task_path(*key, page="/log"), part))
    least = request.query_params.get("level", "")
    return page(
        request,
        "runs/log.html",
        section="Runs",
        topics={},
        dag_zone=found.spec.timezone,
        run=found.run,
        path=address.run_path(dag_id, run_id),
        active=views.is_active(found.run.state),
        lines=await anyio.to_thread.run_sync(log_view.merged, parts, least),
        cut=any(part.start for _, _, part in parts),
        tries=len(parts),
        more=len(tried) > _MERGED,
        level=least,
        levels=log_view.LEVELS,
    )
