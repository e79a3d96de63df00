"""The page of one task, or task group, of a DAG: what its file says of it, and what it came to in the last runs."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.models import TaskKey
from asyncflow.core.sentence import Sentence
from asyncflow.engine.dag_pages import StoredDag
from asyncflow.errors import NotFound
from asyncflow.web import address, chart_view, dag_task_view, grid_view, paging, run_view
from asyncflow.web.dag_head import head
from asyncflow.web.dag_task_view import Row, Subject
from asyncflow.web.ports import Actions, actions_of
from asyncflow.web.templating import fingerprint, has, language, page, unchanged

_RUNS_SHOWN = 25
_RUN_CHOICES = (10, 25, 50, 100)
#: rendered fields that are not longer stand side by side
_SHORT = 60


async def show(request: Request) -> Response:
    """The whole page."""
    return await _answer(request, "dags/task.html")


async def body(request: Request) -> Response:
    """What of it changes, for a page that was told of a change."""
    return await _answer(request, "dags/_task.html")


async def _answer(request: Request, template: str) -> Response:
    actions, params, _ = actions_of(request), address.fields(request.query_params), language(request)
    pages, dag_id = actions.dag_pages, request.path_params["dag_id"]
    dag = await pages.dag(dag_id)
    count = address.number(params, "runs", _RUNS_SHOWN, least=2, most=max(_RUN_CHOICES))
    offset = paging.offset(params, count)
    window = await pages.window(dag_id, limit=count, offset=offset)
    states = [run.state for run in window.runs]
    have = fingerprint(dag.version, dag.paused, address.query(params), window.seqs, states)
    if has(request, template, have):
        return unchanged()
    found = await _subject(actions, dag, [run.version for run in window.runs], request.path_params["task_id"])
    places = dict.fromkeys(found.line.task_ids, 0)
    read = await pages.cells(window, places) if places else {}
    cells = [read.get(run.id, []) for run in window.runs]
    rows = dag_task_view.rows(found, window.runs, cells, window.now)
    charts = chart_view.task_charts(
        chart_view.KINDS["duration"], [dag_task_view.charted(found.line)], window.runs, cells, _
    )
    numbers = grid_view.version_numbers([row.version for row in await pages.versions(dag_id)])
    matching = sum((await actions.pages.run_states(dag_id)).values())
    return page(
        request,
        template,
        head=head(pages, dag, ""),
        fingerprint=have,
        path=dag_task_view.path_of(dag_id, found.line.id),
        rows=rows,
        any_runs=bool(window.runs),
        counts=dag_task_view.counts(dag_id, found, rows),
        chart=charts[0],
        markers=chart_view.new_versions(window.runs, numbers, _),
        width=round(max(len(window.runs), 1) * chart_view.step(len(window.runs))),
        pager=paging.numbered(params, offset, count, len(window.runs), matching, _),
        query=address.query(params),
        runs_shown=count,
        run_choices=sorted({*_RUN_CHOICES, count}),
        **_said(request, dag, found),
        **await _rendered(actions, found, rows),
    )


async def _subject(actions: Actions, dag: StoredDag, versions: list[str], name: str) -> Subject:
    """The task or group of a name. Raises NotFound."""
    found = dag_task_view.subject(dag.spec, [], name)
    if found is None:
        older = await actions.dag_pages.specs(dag.spec.dag_id, versions)
        found = dag_task_view.subject(dag.spec, older.values(), name)
    if found is None:
        raise NotFound(
            Sentence("task of DAG {dag!r} named", dag=dag.spec.dag_id), name, [*dag.spec.tasks, *dag.spec.groups]
        )
    return found


def _said(request: Request, dag: StoredDag, found: Subject) -> dict[str, Any]:
    """What the file says of it."""
    _, spec, task = language(request), dag.spec, found.task
    before, after = dag_task_view.beside(spec, found)
    return {
        "name": found.line.id,
        "label": task.task_display_name if task and task.task_display_name != found.line.id else "",
        "kind": dag_task_view.kind(found, _),
        "is_group": task is None,
        "gone": found.gone,
        "facts": dag_task_view.facts(task, spec.dag_id, _) if task else [],
        "doc": (task.doc_md or task.doc or "") if task else "",
        "members": [] if task else [(name, dag_task_view.path_of(spec.dag_id, name)) for name in found.line.task_ids],
        "before": before,
        "after": after,
        "place": address.query({"dag_id": spec.dag_id, "task_id": found.line.id}),
    }


async def _rendered(actions: Actions, found: Subject, rows: list[Row]) -> dict[str, Any]:
    """What the template fields of its last try came to, and where that try is."""
    last = next((row for row in rows if row.tries), None) if found.task else None
    if last is None:
        return {"rendered": {}, "short_rendered": {}, "rendered_in": None}
    key = TaskKey(last.run.dag_id, last.run.run_id, found.line.id, -1)
    if not last.log:
        copies = await actions.instances.copies(key)
        key = key._replace(map_index=copies[0].map_index)
    values = await actions.pages.rendered(key)
    texts = {name: run_view.shown(value) for name, value in values.items() if value is not None}
    return {
        "rendered": texts,
        "short_rendered": {name: text for name, text in texts.items() if len(text) <= _SHORT and "\n" not in text},
        "rendered_in": (last.run.run_id, address.task_path(*key)),
    }


ROUTES = (
    Route("/dags/{dag_id}/tasks/{task_id}", show, name="dag_task"),
    Route("/dags/{dag_id}/tasks/{task_id}/body", body, name="dag_task_body"),
)
