"""The merged log of a run: of all its tries, in the order of their times; live while it goes on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.models import TaskKey
from asyncflow.engine import logs
from asyncflow.web import address, log_view, views
from asyncflow.web.ports import actions_of
from asyncflow.web.run_feed import Snapshot
from asyncflow.web.templating import page

#: tries whose logs are merged, and bytes of each
_MERGED, _PART = 100, 64_000


class _Log(NamedTuple):
    """One of those that are merged."""

    name: str
    href: str
    path: Path
    end: int | None  #: what comes after it is told later


async def show(request: Request) -> Response:
    """The logs of the last tries of a run, or of earlier ones, in the order of their times, the end of each."""
    actions, params = actions_of(request), dict(request.query_params)
    dag_id, run_id = request.path_params["dag_id"], request.path_params["run_id"]
    run, spec, _version = await actions.pages.run_alone(dag_id, run_id)
    number = address.number(params, "page", 1, least=1)
    tried = await actions.pages.tried(dag_id, run_id, limit=_MERGED + 1, offset=(number - 1) * _MERGED)
    tries = [(TaskKey(dag_id, run_id, row.task_id, row.map_index), row.try_number) for row in tried[:_MERGED]]
    active, least, find = (
        views.is_active(run.state),
        address.choice(params, "level", logs.LEVELS) or "",
        params.get("q", "").strip(),
    )
    known: Snapshot | None = None
    if active and number == 1:
        known = await request.app.state.live.run_feeds.snapshot(dag_id, run_id)
        tries += [one for one in known.ends if one not in tries]
    ends = known.ends if known else {}
    rows = [
        _Log(
            views.instance_name(key.task_id, key.map_index),
            address.task_path(dag_id, run_id, key.task_id, key.map_index, page="/log"),
            actions.pages.log_path(key, try_number),
            ends.get((key, try_number)),
        )
        for key, try_number in tries
    ]
    lines, cut = await anyio.to_thread.run_sync(partial(_merge, rows, least, find))
    topics = {"dag": dag_id, "run": run_id, "lines": known.since, "level": least, "find": find} if known else {}
    return page(
        request,
        "runs/log.html",
        section="Runs",
        topics={name: value for name, value in topics.items() if value},
        dag_zone=spec.timezone,
        run=run,
        path=address.run_path(dag_id, run_id),
        active=active,
        since=known.since if known else "",
        lines=lines,
        cut=cut,
        tries=len(rows),
        later=address.query(params, page=number - 1) if number > 1 else "",
        earlier=address.query(params, page=number + 1) if len(tried) > _MERGED else "",
        text=params.get("q", ""),
        level=least,
        levels=logs.LEVELS,
    )


def _merge(rows: list[_Log], least: str, find: str) -> tuple[list[log_view.Merged], bool]:
    """The lines, and whether there are more in the files than were read."""
    parts = [(row.name, row.href, _end_of(row)) for row in rows]
    return log_view.merged(parts, least, find), any(part.start for _, _, part in parts)


def _end_of(row: _Log) -> logs.Window:
    if row.end is None:
        return logs.window(row.path, None, _PART)
    part = logs.window(row.path, max(0, row.end - _PART), _PART)
    return part._replace(data=part.data[: max(0, row.end - part.start)])


ROUTES = (Route("/dags/{dag_id}/runs/{run_id:path}/log", show, name="run_log"),)
