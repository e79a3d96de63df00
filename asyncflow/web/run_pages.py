"""The page of one run: its times, its task instances, what happened to it; and the merged log of its tries."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asyncflow.core.models import DagRun
from asyncflow.engine.pages import RunPage
from asyncflow.web import address, done, paging, params_view, run_view, views
from asyncflow.web.ports import actions_of
from asyncflow.web.security import checked_form
from asyncflow.web.templating import dialog, fingerprint, fragment, language, page

_LIMIT = 100
_LINES = 200


def _where(request: Request) -> tuple[str, str]:
    return request.path_params["dag_id"], request.path_params["run_id"]


async def show(request: Request) -> Response:
    """The whole page."""
    return page(request, "runs/show.html", **await _run(request))


async def instances(request: Request) -> Response:
    """State and task instances alone, for a page that was told of a change."""
    return fragment(request, "runs/_instances.html", **await _run(request))


async def _run(request: Request) -> dict[str, Any]:
    actions, params, _ = actions_of(request), address.fields(request.query_params), language(request)
    state = address.choice(params, "state", run_view.ORDER) or ""
    offset = paging.offset(params, _LIMIT)
    text, task_id = params.get("task", "").strip(), params.get("task_id", "")
    found = await actions.pages.run(
        *_where(request), state=state, text=text, task_id=task_id, limit=_LIMIT, offset=offset
    )
    now = actions.pages.now()
    lines = run_view.lines(found, now)
    told = await done.told(request)
    return {
        **_frame(found.run, found),
        "lines": lines,
        "counts": run_view.counts(found, params),
        "pager": paging.numbered(params, offset, _LIMIT, len(lines), found.matching, _),
        "params": params,
        "matching": found.matching,
        "is_group": task_id in found.spec.groups,
        "query": address.query(params),
        "state": state,
        "seconds": views.lasted(found.run.started_at, found.run.ended_at, now),
        "older": found.older,
        "newer": found.newer,
        **told,
        "fingerprint": fingerprint(lines, found.states, found.run, told),
    }


def _frame(run: DagRun, found: RunPage) -> dict[str, Any]:
    """What every page of a run has."""
    return {
        "section": "Runs",
        "topics": {"dag": run.dag_id, "run": run.run_id},
        "dag_zone": found.spec.timezone,
        "run": run,
        "path": address.run_path(run.dag_id, run.run_id),
        "newest": found.version,
        "conf": params_view.pretty(run.conf),
        "run_params": run_view.params(found.spec, run),
        "active": views.is_active(run.state),
    }


async def journal(request: Request) -> Response:
    """What happened, line by line."""
    actions, where, params = actions_of(request), _where(request), request.query_params
    found = await actions.pages.run(*where, limit=0)
    after = address.number(params, "after", 0, most=2**62)
    lines = await actions.pages.journal(*where, after=after, limit=_LINES + 1)
    more = address.query({}, after=lines[_LINES - 1].seq) if len(lines) > _LINES else None
    return page(request, "runs/journal.html", lines=lines[:_LINES], more=more, after=after, **_frame(found.run, found))


async def note_form(request: Request) -> Response:
    """The note of a run or, with `?task=`, of a task instance."""
    actions, params = actions_of(request), request.query_params
    found = await actions.pages.run(*_where(request), limit=0)
    text, task_id = found.run.note, params.get("task", "")
    map_index = address.number(params, "map_index", -1, least=-1)
    if task_id:
        text = (await actions.pages.instance(run_view.key(found.run, task_id, map_index))).ti.note
    return dialog(
        request, "dialogs/note.html", note=text or "", task_id=task_id, map_index=map_index, **_frame(found.run, found)
    )


async def note(request: Request) -> Response:
    """Keep it."""
    form = await checked_form(request)
    where, task_id = _where(request), str(form.get("task", ""))
    map_index = address.number({"map_index": str(form.get("map_index", ""))}, "map_index", -1, least=-1)
    await actions_of(request).set_note(*where, str(form.get("note", "")), task_id=task_id or None, map_index=map_index)
    path = address.run_path(*where)
    if task_id:
        path = address.task_path(*where, task_id, map_index)
    return RedirectResponse(path, status_code=303)


ROUTES = (
    Route("/dags/{dag_id}/runs/{run_id:path}/instances", instances, name="run_instances"),
    Route("/dags/{dag_id}/runs/{run_id:path}/journal", journal, name="journal"),
    Route("/dags/{dag_id}/runs/{run_id:path}/note", note_form, name="note_form"),
    Route("/dags/{dag_id}/runs/{run_id:path}/note", note, methods=["POST"], name="note"),
    Route("/dags/{dag_id}/runs/{run_id:path}", show, name="run"),
)
