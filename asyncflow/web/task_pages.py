"""The page of one task instance: why it waits, its tries, what it rendered and pushed, its neighbours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asyncflow.core.asking import question_of
from asyncflow.core.models import TaskKey
from asyncflow.core.states import TaskState
from asyncflow.engine.pages import InstancePage
from asyncflow.errors import NotFound
from asyncflow.web import address, copies_view, done, instance_view, paging, run_view, views
from asyncflow.web.marked import marked
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import fingerprint, fragment, language, page

#: characters of an XCom that are shown
_LONG = 10_000
#: rendered fields that are not longer stand side by side
_SHORT = 60
#: lines of the journal, and mapped copies, on a page
_LINES, _COPIES = 200, 100


def key_of(request: Request) -> TaskKey:
    """The task instance that an address names."""
    params = request.path_params
    map_index = address.number(request.query_params, "map_index", -1, least=-1)
    return TaskKey(params["dag_id"], params["run_id"], params["task_id"], map_index)


def frame(found: InstancePage, key: TaskKey) -> dict[str, Any]:
    """What all pages of a task instance have."""
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
        "question": question_of(found.ti),
        "path": path,
        "copy": copy,
        "copies": found.copies,
        "run_path": address.run_path(key.dag_id, key.run_id),
        "older": found.older,
        "newer": found.newer,
        "pick": run_view.pick(key.task_id, key.map_index),
        "has_ended": views.has_ended(found.ti.state.value),
    }


async def show(request: Request) -> Response:
    """Details: why it waits, times, tries side by side, what it rendered and pushed, its neighbours."""
    return await or_copies(request, _show)


async def _show(request: Request) -> Response:
    found = await _details(request)
    return page(request, "tasks/show.html", **await done.told_here(request, found["path"]), **found)


async def or_copies(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """A page of one instance; where a mapped task has copies only, the list of them."""
    try:
        return await answer(request)
    except NotFound:
        key = key_of(request)
        if key.map_index < 0 and await actions_of(request).instances.copies(key):
            return RedirectResponse(address.task_path(*key[:3], page="/copies"), status_code=303)
        raise


async def details(request: Request) -> Response:
    """The details alone, for a page that was told of a change."""
    return fragment(request, "tasks/_details.html", **await _details(request))


async def _details(request: Request) -> dict[str, Any]:
    actions, key = actions_of(request), key_of(request)
    found = await actions.pages.instance(key)
    task, now = found.spec.tasks.get(key.task_id), actions.pages.now()
    rendered = await actions.pages.rendered(key)
    heads = await actions.instances.xcoms(key, most=_LONG)
    waits_for = instance_view.waits_for(actions.instances.blockers(key), key)
    shown = frame(found, key)
    ended_at = None if found.ti.state is TaskState.DEFERRED else found.ti.ended_at
    texts = {name: run_view.shown(value) for name, value in rendered.items() if value is not None}
    return {
        **shown,
        "waits_for": waits_for,
        "seconds": views.lasted(found.ti.started_at, ended_at, now),
        "tries": run_view.tries(found, now),
        "facts": run_view.facts(task, language(request)),
        "doc": task.doc if task and not task.doc_md else None,
        "marked_doc": await marked(task.doc_md if task else None),
        "upstream": run_view.neighbours(found, task.upstream if task else ()),
        "downstream": run_view.neighbours(found, task.downstream if task else ()),
        "rendered": texts,
        "not_set": [name for name, value in rendered.items() if value is None],
        "short_rendered": {name: text for name, text in texts.items() if len(text) <= _SHORT and "\n" not in text},
        "xcoms": instance_view.xcoms(heads, shown["path"], shown["copy"], _LONG),
        "extra_links": instance_view.links(heads),
        "command": run_view.reproduce(found.run, found.ti, actions.pages.folder),
        "fingerprint": fingerprint(
            found.ti, found.why, waits_for, found.tries, found.states, [(row.key, row.at) for row in heads]
        ),
    }


async def xcom(request: Request) -> Response:
    """The whole value of one XCom, as JSON."""
    text = await actions_of(request).instances.xcom(key_of(request), request.query_params.get("key", ""))
    return Response(text, media_type="application/json")


async def events(request: Request) -> Response:
    """What happened to it, line by line."""
    actions, key = actions_of(request), key_of(request)
    found = await actions.pages.instance(key)
    after = address.number(request.query_params, "after", 0, most=2**62)
    lines = await actions.instances.journal(key, after=after, limit=_LINES + 1)
    shown = frame(found, key)
    here = {"map_index": shown["copy"].partition("=")[2]}
    more = address.query(here, after=lines[_LINES - 1].seq) if len(lines) > _LINES else ""
    return page(request, "tasks/events.html", **shown, lines=lines[:_LINES], more=more, after=after)


async def copies(request: Request) -> Response:
    """The mapped copies of a task."""
    found = await _copies(request)
    return page(request, "tasks/copies.html", **await done.told_here(request, f"{found['path']}/copies"), **found)


async def copies_table(request: Request) -> Response:
    """The table of them alone, for a page that was told of a change."""
    return fragment(request, "tasks/_copies.html", **await _copies(request))


async def _copies(request: Request) -> dict[str, Any]:
    actions, key, params = actions_of(request), key_of(request), address.fields(request.query_params)
    params = address.without(params, *done.FIELDS)
    state = address.choice(params, "state", tuple(state.value for state in TaskState)) or ""
    sort, offset = copies_view.COLUMNS.asked(params), paging.offset(params, _COPIES)
    run, spec, _version = await actions.pages.run_alone(*key[:2])
    rows, now = await actions.instances.copies(key), actions.pages.now()
    chosen = copies_view.chosen(rows, state, sort, now)
    window = await actions.instances.some(key, [row.map_index for row in chosen[offset : offset + _COPIES]])
    lines = [run_view.line(row.ti, row.why, now) for row in window]
    path = address.task_path(*key[:3])
    return {
        "section": "Runs",
        "topics": {"dag": key.dag_id, "run": key.run_id},
        "dag_zone": spec.timezone,
        "run": run,
        "task_id": key.task_id,
        "path": path,
        "run_path": address.run_path(*key[:2]),
        "lines": lines,
        "total": len(rows),
        "counts": copies_view.counts(rows, params),
        "times": copies_view.times(rows),
        "columns": copies_view.COLUMNS.heads(params),
        "pager": paging.numbered(params, offset, _COPIES, len(lines), len(chosen), language(request)),
        "query": address.query(params),
        "fingerprint": fingerprint(lines, [row[1] for row in rows]),
    }


_TASK = "/dags/{dag_id}/runs/{run_id:path}/tasks/{task_id}"
#: come before the pages of runs, whose ids may hold any character of an address
ROUTES = (
    Route(f"{_TASK}/details", details, name="task_details"),
    Route(f"{_TASK}/xcom", xcom, name="xcom"),
    Route(f"{_TASK}/events", events, name="task_events"),
    Route(f"{_TASK}/copies", copies, name="copies"),
    Route(f"{_TASK}/copies/table", copies_table, name="copies_table"),
    Route(_TASK, show, name="task"),
)
