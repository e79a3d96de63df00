"""The details page of a DAG: everything that its file says about it."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.specs import DagSpec, TaskSpec
from asyncflow.engine.dag_pages import StoredDag, StoredFile
from asyncflow.web import address, dag_task_view, dag_tree
from asyncflow.web.dag_head import head
from asyncflow.web.i18n import Language
from asyncflow.web.marked import marked
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import language, page

_TASKS_SHOWN = 100


async def show(request: Request) -> Response:
    """The whole page."""
    actions = actions_of(request)
    params = dict(request.query_params)
    dag = await actions.dag_pages.dag(request.path_params["dag_id"])
    spec = dag.spec
    file = await actions.dag_pages.file(dag.file)
    versions = await actions.dag_pages.versions(spec.dag_id)
    search = params.get("task", "").strip()
    order = [task_id for task_id in dag_tree.order_of(spec) if search.casefold() in task_id.casefold()]
    first = min(address.number(params, "from", 0), max(len(order) - 1, 0) // _TASKS_SHOWN * _TASKS_SHOWN)
    words = language(request, spec.timezone)
    shown = [_task(spec, spec.tasks[task_id], words) for task_id in order[first : first + _TASKS_SHOWN]]
    return page(
        request,
        "dags/details.html",
        head=head(actions.dag_pages, dag, "details"),
        doc=await marked(spec.doc_md),
        facts=_facts(dag, len(versions), words),
        file_facts=_file_facts(dag, file, words),
        params=[_param(name, value, words) for name, value in spec.params.items()],
        tasks=shown,
        search=search,
        span=(first + 1 if order else 0, first + len(shown), len(order)),
        above=(address.query(params, **{"from": max(first - _TASKS_SHOWN, 0) or None}) or "?") if first else None,
        below=address.query(params, **{"from": first + _TASKS_SHOWN}) if first + len(shown) < len(order) else None,
        warnings=file.warnings if file else (),
    )


def _facts(dag: StoredDag, versions: int, _: Language) -> list[tuple[str, str]]:
    """Name and value, in words."""
    spec = dag.spec
    timeout = spec.dagrun_timeout
    return [
        ("Schedule", f"{spec.schedule_text} ({spec.timezone})"),
        ("Start date", _.moment(spec.start_date) or _("none")),
        ("End date", _.moment(spec.end_date) or _("none")),
        ("Catch up", _("yes") if spec.catchup else _("no")),
        ("Active runs at most", str(spec.max_active_runs)),
        ("Active tasks at most", str(spec.max_active_tasks)),
        ("Paused after failed runs", str(spec.max_consecutive_failed_dag_runs or _("never"))),
        ("Run timeout", _.duration(timeout.total_seconds()) if timeout else _("none")),
        ("Ends at the first failure", _("yes") if spec.fail_fast else _("no")),
        ("Callbacks", ", ".join(sorted(spec.callbacks)) or _("none")),
        ("Owner", spec.owner or _("none")),
        ("Tasks", _tasks(spec, _)),
        ("Versions", str(versions)),
        ("Newest version since", _.moment(dag.changed_at)),
        ("Known since", _.moment(dag.created_at)),
    ]


def _tasks(spec: DagSpec, _: Language) -> str:
    count = f"{len(spec.tasks):,}"
    return _.n("{tasks} in {n} group", "{tasks} in {n} groups", len(spec.groups), tasks=count) if spec.groups else count


def _file_facts(dag: StoredDag, file: StoredFile | None, _: Language) -> list[tuple[str, str]]:
    place = dag.file + (", " + _("line {n}", n=dag.spec.line) if dag.spec.line else "")
    if file is None:
        return [("File", place)]
    return [
        ("File", place),
        ("Loaded", _("{time}, took {duration}", time=_.moment(file.parsed_at), duration=_.duration(file.seconds))),
        ("Memory for loading", f"{file.peak_rss_kb / 1024:.0f} MB" if file.peak_rss_kb else _("unknown")),
        ("Reads the Variables", ", ".join(file.variables) or _("none")),
        ("Reads the Connections", ", ".join(file.connections) or _("none")),
        ("Differs from load to load", ", ".join(file.unrepeatable) or _("no")),
    ]


def _param(name: str, param: Any, _: Language) -> dict[str, str]:
    return {
        "name": name,
        "value": json.dumps(param.value, ensure_ascii=False, default=str) if param.has_value else _("must be given"),
        "schema": json.dumps(param.schema, ensure_ascii=False, default=str) if param.schema else "",
        "description": param.description or "",
    }


def _task(spec: DagSpec, task: TaskSpec, _: Language) -> dict[str, Any]:
    """A row of the list of tasks; what is as always is left out."""
    kind = "setup" if task.is_setup else "teardown" if task.is_teardown else ""
    retries = ""
    if task.retries:
        retries = _("{n}, every {time}", n=task.retries, time=_.duration(task.retry_delay.total_seconds()))
    return {
        "task_id": task.task_id,
        "href": dag_task_view.path_of(spec.dag_id, task.task_id),
        "operator": task.operator + (" [ ]" if task.is_mapped else ""),
        "kind": kind,
        "trigger_rule": task.trigger_rule.value.replace("_", " "),
        "retries": retries,
        "pool": task.pool if task.pool_slots == 1 else _("{pool} ({n} slots)", pool=task.pool, n=task.pool_slots),
        "timeout": _.duration(task.execution_timeout.total_seconds()) if task.execution_timeout else "",
        "downstream": ", ".join(task.downstream[:20]) + (" …" if len(task.downstream) > 20 else ""),
        "doc": task.doc_md or task.doc or "",
    }


ROUTES = (Route("/dags/{dag_id}/details", show, name="details"),)
