"""The log of each try, and the file itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from asyncflow.core.models import TaskKey
from asyncflow.engine import logs
from asyncflow.engine.pages import InstancePage
from asyncflow.web import address, done, instance_view, log_feed, log_view, views
from asyncflow.web.log_feed import Shown
from asyncflow.web.patience import unless_gone
from asyncflow.web.ports import actions_of
from asyncflow.web.task_pages import frame, key_of, or_copies
from asyncflow.web.templating import fingerprint, fragment, page

#: bytes of a log that a page shows, and that come at a time while it is read on
_WINDOW, _MORE = 128_000, 128_000
#: seconds that a file is searched before the reader is asked whether to go on
_PATIENCE = 5.0


class _Part(NamedTuple):
    """What a page shows of a file."""

    text: log_view.Text
    start: int
    end: int
    size: int
    whole: int  #: where its last whole line ends: what is written of the next one comes again when it is whole
    cut: bool = False  #: the search for lines of a level was stopped before there were enough


async def log(request: Request) -> Response:
    """The log of a try; where a mapped task has copies only, the list of them."""
    return await or_copies(request, _log)


async def _log(request: Request) -> Response:
    """The log of a try: its end, or the part that the address names.

    `q` with `after` or `before` (bytes; without both, from the beginning) looks for a text and leads to the same
    address with `hit`, the line that has it, instead.
    """
    actions, key = actions_of(request), key_of(request)
    params = address.without(request.query_params, *done.FIELDS)
    found = await actions.pages.instance(key)
    number, numbers = _try(found, params)
    path = actions.pages.log_path(key, number)
    params["try"] = str(number)
    searched = None
    if params.get("q") and not params.get("hit"):
        searched = await _search(request, path, params)
        if searched.at is not None:
            return RedirectResponse(_hit_link(params, searched.at), status_code=303)
    shown = Shown(key, number, address.choice(params, "level", logs.LEVELS) or "")
    part = await _part(request, path, params, shown)
    live = number == numbers[-1] and not views.has_ended(found.ti.state.value) and part.end == part.size
    topics = {"log": str(number), "task": key.task_id, "map": str(key.map_index), "level": shown.least} if live else {}
    return page(
        request,
        "tasks/log.html",
        **await done.told_here(request, address.task_path(*key[:3], page="/log")),
        **_log_frame(found, key, number, numbers),
        waits_for=instance_view.waits_for(actions.instances.blockers(key), key),
        **_links(params, part),
        **_search_links(params, searched),
        part=part,
        shown=part.text,
        live=live,
        levels=logs.LEVELS,
        level=shown.least,
        hit=address.number(params, "hit", -1, most=2**62, least=-1),
        params=params,
        topics={"dag": key.dag_id, "run": key.run_id, **{name: value for name, value in topics.items() if value}},
    )


async def _search(request: Request, path: Path, params: dict[str, str]) -> logs.Found:
    if params.get("before"):
        at = address.number(params, "before", 0, most=2**62)
        return await unless_gone(request, lambda stop: logs.find_back(path, params["q"], at, stop=stop), _PATIENCE)
    at = address.number(params, "after", 0, most=2**62)
    return await unless_gone(request, lambda stop: logs.find(path, params["q"], at, stop=stop), _PATIENCE)


def _hit_link(params: dict[str, str], at: int) -> str:
    return address.query(params, hit=at, after=None, before=None, at=None, level=None) + f"#b{at}"


async def _part(request: Request, path: Path, params: dict[str, str], shown: Shown) -> _Part:
    """The part of the file that the address names."""
    hit = address.number(params, "hit", -1, most=2**62, least=-1)
    at = address.number(params, "at", 0, most=2**62) if params.get("at") else None
    if shown.least and shown.least != logs.LEVELS[0] and hit < 0:
        found = await unless_gone(request, lambda stop: logs.sieve(path, at, shown.least, _MORE, stop=stop), _PATIENCE)
        return await anyio.to_thread.run_sync(_sieved, found, shown)
    at = max(0, hit - _WINDOW // 4) if hit >= 0 else at
    return await anyio.to_thread.run_sync(_windowed, path, at, shown, params.get("q", ""))


def _windowed(path: Path, at: int | None, shown: Shown, find: str) -> _Part:
    part = logs.window(path, at, _WINDOW)
    renderer = log_view.Renderer(find=find, link=log_feed.link(shown, part.start))
    renderer.feed(part.data, part.start)
    whole = part.start + part.data.rfind(b"\n") + 1
    return _Part(renderer.finish(), part.start, part.end, part.size, whole)


def _sieved(found: logs.Sieve, shown: Shown) -> _Part:
    renderer = log_view.Renderer(least=shown.least)
    for start, data in found.pieces:
        renderer.link = log_feed.link(shown._replace(least=""), max(0, start - _WINDOW // 16))
        renderer.feed(data, start)
    return _Part(renderer.finish(), found.start, found.end, found.size, found.end, found.cut)


def _links(params: dict[str, str], part: _Part) -> dict[str, Any]:
    """Where the rest of the file is; "" for what is shown already."""
    base = {name: value for name, value in params.items() if name not in ("q", "hit", "after", "before")}
    return {
        "first": address.query(base, at="0") if part.start else "",
        "earlier": address.query(base, at=max(0, part.start - _WINDOW)) if part.start else "",
        "later": address.query(base, at=part.end) if part.end < part.size else "",
        "last": address.query(base, at=None) or "?" if part.end < part.size else "",
    }


def _search_links(params: dict[str, str], searched: logs.Found | None) -> dict[str, Any]:
    """Where to look on; "" when nothing is searched for."""
    text, hit = params.get("q", ""), params.get("hit", "")
    base = {"try": params["try"], "map_index": params.get("map_index", ""), "q": text}
    backwards = bool(params.get("before"))
    going_on = ""
    if searched is not None and searched.reached and backwards:
        going_on = address.query(base, before=searched.reached)
    return {
        "text": text,
        "next_hit": address.query(base, after=int(hit) + 1) if hit.isdecimal() else "",
        "previous_hit": address.query(base, before=hit) if hit.isdecimal() and hit != "0" else "",
        "missed": searched is not None,
        "searched_to": searched.reached if searched else 0,
        "backwards": backwards,
        "search_on": going_on,
        "from_start": address.query(base) if params.get("after") or backwards else "",
    }


def _log_frame(found: InstancePage, key: TaskKey, number: int, numbers: list[int]) -> dict[str, Any]:
    shared = frame(found, key)
    del shared["topics"]
    tried = next((row for row in found.tries if row.try_number == number), None)
    return {**shared, "number": number, "numbers": numbers, "tried": tried}


def _try(found: InstancePage, params: dict[str, str]) -> tuple[int, list[int]]:
    """The try that is meant, and all there are."""
    numbers = sorted({row.try_number for row in found.tries} | set(range(1, max(1, found.ti.try_number) + 1)))
    return address.number(params, "try", numbers[-1], least=0), numbers


async def log_head(request: Request) -> Response:
    """State and tries above a log, for a page that was told of a change."""
    key, params = key_of(request), dict(request.query_params)
    found = await actions_of(request).pages.instance(key)
    number, numbers = _try(found, params)
    waits_for = instance_view.waits_for(actions_of(request).instances.blockers(key), key)
    have = fingerprint(found.ti.state, found.why, waits_for, numbers)
    return fragment(
        request,
        "tasks/_head.html",
        **_log_frame(found, key, number, numbers),
        waits_for=waits_for,
        fingerprint=have,
    )


async def log_more(request: Request) -> Response:
    """Whole lines from the byte `from` on, or those `before` a byte, as `log_feed.message` has them."""
    key, params = key_of(request), request.query_params
    number = address.number(params, "try", 1, least=0)
    shown = Shown(key, number, address.choice(params, "level", logs.LEVELS) or "")
    path = actions_of(request).pages.log_path(key, number)
    if params.get("before"):
        before = address.number(params, "before", 0, most=2**62)
        text = await anyio.to_thread.run_sync(_earlier, path, before, shown)
    else:
        start = address.number(params, "from", 0, most=2**62)
        text = await anyio.to_thread.run_sync(_later, path, start, shown, params.get("after_level", ""))
    return Response(text, media_type="application/json")


def _later(path: Path, start: int, shown: Shown, level: str) -> str:
    part = logs.window(path, start, _MORE, partial=False)
    if part.start < start:  # not the beginning of a line
        part = part._replace(data=part.data[start - part.start :], start=start)
    return log_feed.message(part, shown, level=level, came_from=start)[0]


def _earlier(path: Path, before: int, shown: Shown) -> str:
    part = logs.window(path, max(0, before - _MORE), _MORE)
    part = part._replace(data=part.data[: max(0, before - part.start)])
    renderer = log_view.Renderer(least=shown.least, link=log_feed.link(shown, part.start))
    renderer.feed(part.data, part.start)
    told = {"start": part.start, "end": part.end, "size": part.size, "html": str(renderer.finish().html)}
    return json.dumps(told, ensure_ascii=False)


async def log_text(request: Request) -> Response:
    """The file as it is; browsers may ask for ranges of it."""
    actions, key, params = actions_of(request), key_of(request), dict(request.query_params)
    found = await actions.pages.instance(key)
    number, _ = _try(found, params)
    path = actions.pages.log_path(key, number)
    if not path.is_file():
        return PlainTextResponse("")
    copy = f".{key.map_index}" if key.map_index >= 0 else ""
    name = f"{key.dag_id}.{key.task_id}{copy}.{number}.log" if params.get("download") else None
    return FileResponse(path, media_type="text/plain; charset=utf-8", filename=name)


_TASK = "/dags/{dag_id}/runs/{run_id:path}/tasks/{task_id}"
#: come before the pages of runs, whose ids may hold any character of an address
ROUTES = (
    Route(f"{_TASK}/log", log, name="log"),
    Route(f"{_TASK}/log/head", log_head, name="log_head"),
    Route(f"{_TASK}/log/more", log_more, name="log_more"),
    Route(f"{_TASK}/log/text", log_text, name="log_text"),
)
