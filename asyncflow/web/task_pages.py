"""The page of one task instance: why it waits, its tries, what it rendered and pushed, its neighbours."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from asyncflow.core.asking import question_of
from asyncflow.core.models import TaskKey
from asyncflow.engine.pages import InstancePage
from asyncflow.web import address, run_view, views
from asyncflow.web.ports import Actions
from asyncflow.web.templating import fingerprint, fragment, page

#: characters of an XCom that are shown
_LONG = 10_000


def _actions(request: Request) -> Actions:
    actions: Actions = request.app.state.actions
    return actions


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
    actions, key = _actions(request), key_of(request)
    found = await actions.pages.instance(key)
    task, now = found.spec.tasks.get(key.task_id), actions.pages.now()
    rendered = await actions.pages.rendered(key)
    xcoms = await actions.pages.xcoms(key)
    return {
        **frame(found, key),
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
