"""The merged log of a run: of all its tries, in the order of their times."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.models import TaskKey
from asyncflow.engine import logs
from asyncflow.web import address, log_view, views
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import page

#: tries whose logs are merged, and bytes of each
_MERGED, _PART = 100, 64_000


async def show(request: Request) -> Response:
    """The logs of all tries of a run in the order of their times, the end of each."""
    actions, params = actions_of(request), dict(request.query_params)
    dag_id, run_id = request.path_params["dag_id"], request.path_params["run_id"]
    run, spec, _version = await actions.pages.run_alone(dag_id, run_id)
    first = (address.number(params, "page", 1, least=1) - 1) * _MERGED
    tried = await actions.pages.tried(dag_id, run_id, limit=first + _MERGED + 1)
    least = address.choice(params, "level", logs.LEVELS) or ""
    rows = [
        (
            views.instance_name(row.task_id, row.map_index),
            address.task_path(dag_id, run_id, row.task_id, row.map_index, page="/log"),
            actions.pages.log_path(TaskKey(dag_id, run_id, row.task_id, row.map_index), row.try_number),
        )
        for row in tried[first : first + _MERGED]
    ]
    read = partial(_merge, rows, least, params.get("q", "").strip())
    lines, cut = await anyio.to_thread.run_sync(read)
    return page(
        request,
        "runs/log.html",
        section="Runs",
        topics={},
        dag_zone=spec.timezone,
        run=run,
        path=address.run_path(dag_id, run_id),
        active=views.is_active(run.state),
        lines=lines,
        cut=cut,
        tries=len(rows),
        previous=address.query(params, page=first // _MERGED) if first else "",
        more=address.query(params, page=first // _MERGED + 2) if len(tried) > first + _MERGED else "",
        text=params.get("q", ""),
        level=least,
        levels=logs.LEVELS,
    )


def _merge(rows: list[tuple[str, str, Path]], least: str, find: str) -> tuple[list[log_view.Merged], bool]:
    """The lines, and whether there are more in the files than were read."""
    parts = [(name, href, logs.window(path, None, _PART)) for name, href, path in rows]
    return log_view.merged(parts, least, find), any(part.start for _, _, part in parts)


ROUTES = (Route("/dags/{dag_id}/runs/{run_id:path}/log", show, name="run_log"),)
