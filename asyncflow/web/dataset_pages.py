"""The pages of datasets: list, one dataset, events; what people do: tell of an update, forget what is queued."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asyncflow.core.sentence import Sentence, told
from asyncflow.engine.dataset_pages import DatasetPages, DatasetRow, Event, EventSearch, TiedDag
from asyncflow.errors import InvalidInput
from asyncflow.web import address, dataset_view, kept_filters, paging, params_view
from asyncflow.web.dag_head import head
from asyncflow.web.dataset_view import EVENTS, dataset_path
from asyncflow.web.once import new_key, once
from asyncflow.web.paging import Pager, Turn
from asyncflow.web.ports import actions_of
from asyncflow.web.security import checked_form
from asyncflow.web.templating import dialog, fingerprint, fragment, language, page

_LIMIT = 50
_LIVE = {"datasets": "1"}


def _pages(request: Request) -> DatasetPages:
    return actions_of(request).dataset_pages


# ---- list -----------------------------------------------------------------------------------------------------------


async def index(request: Request) -> Response:
    """All datasets."""
    return page(request, "datasets/index.html", **await _list(request))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "datasets/_table.html", **await _list(request))


async def _list(request: Request) -> dict[str, Any]:
    pages, params = _pages(request), address.fields(request.query_params)
    query = dataset_view.asked(params)
    rows = dataset_view.chosen(await pages.datasets(), query)
    offset = paging.offset(params, _LIMIT)
    dags = {dag.dag_id: dag for dag in await pages.dags()}
    lines = [(row, dataset_view.waiters(row, dags, pages.queue)) for row in rows[offset : offset + _LIMIT]]
    return {
        **_frame("Datasets"),
        "lines": lines,
        "columns": dataset_view.COLUMNS.heads(params),
        "pager": paging.numbered(params, offset, _LIMIT, len(lines), len(rows), language(request)),
        "params": params,
        "kept": await kept_filters.of_list(actions_of(request), "/datasets", params),
        "query": address.query(params),
        "fingerprint": fingerprint([(msgspec.structs.astuple(row), waiting) for row, waiting in lines], len(rows)),
    }


def _frame(tab: str) -> dict[str, Any]:
    """What the pages of this section have in common."""
    return {"section": "Datasets", "topics": _LIVE, "tabs": dataset_view.TABS, "tab": tab}


# ---- one dataset ----------------------------------------------------------------------------------------------------


async def show(request: Request) -> Response:
    """One dataset with its events; `?uri=` its URI or name."""
    return page(request, "datasets/show.html", **await _one(request))


async def body(request: Request) -> Response:
    """What of it changes, for a page that was told of a change."""
    return fragment(request, "datasets/_show.html", **await _one(request))


async def _one(request: Request) -> dict[str, Any]:
    pages, params = _pages(request), address.fields(request.query_params)
    row = await pages.dataset(_uri(params.get("uri", "")))
    dags = {dag.dag_id: dag for dag in await pages.dags()}
    window = await _window(request, uri=row.uri)
    waiting = dataset_view.waiters(row, dags, pages.queue)
    return {
        **_frame(""),
        "row": row,
        "waiting": waiting,
        **window,
        "query": address.query(params),
        "done": params.get("done", ""),
        "of_one": True,
        "fingerprint": fingerprint(msgspec.structs.astuple(row), waiting, window["events"]),
    }


def _uri(text: str) -> str:
    if not text:
        raise InvalidInput("Which dataset? Its URI is missing in the address: ?uri=.")
    return text


async def _window(request: Request, *, uri: str | None = None, dag_id: str | None = None) -> dict[str, Any]:
    """A page of events, and the ways to the others."""
    params = address.fields(request.query_params)
    search, sort = EventSearch(uri=uri, dag_id=dag_id, before=address.date(params, "to")), EVENTS.asked(params)

    async def ask(turn: Turn, limit: int) -> list[Event]:
        rows = await _pages(request).events(dataset_view.beside(search, sort, turn), limit=limit)
        return rows[::-1] if turn.back else rows

    found = await paging.read(ask, paging.turn(params), _LIMIT)
    edges = (found.rows[0].event.at.isoformat(), found.rows[-1].event.at.isoformat()) if found.rows else None
    return {
        "events": found.rows,
        "columns": EVENTS.heads(params),
        "pager": paging.pager(params, found.turn, found.more, edges),
    }


# ---- events ---------------------------------------------------------------------------------------------------------


async def events(request: Request) -> Response:
    """Events of all datasets."""
    return page(request, "datasets/events.html", **await _events(request))


async def events_table(request: Request) -> Response:
    """The events alone, for a page that was told of a change."""
    return fragment(request, "datasets/_events.html", **await _events(request))


async def _events(request: Request) -> dict[str, Any]:
    params = address.fields(request.query_params)
    uri, dag_id, run_id = (params.get(name, "").strip() for name in ("uri", "dag_id", "run_id"))
    if run_id:
        found = await _pages(request).events_of_run(dag_id, run_id)
        window = {"events": found, "columns": {}, "pager": Pager()}
    else:
        window = await _window(request, uri=uri or None, dag_id=dag_id or None)
    return {
        **_frame("Events"),
        **window,
        "params": params,
        "query": address.query(params),
        "run_id": run_id,
        "of_one": False,
        "fingerprint": fingerprint(window["events"]),
    }


# ---- an update from outside -----------------------------------------------------------------------------------------


async def update_form(request: Request) -> Response:
    """What an update would lead to."""
    return await _update_page(request, request.query_params.get("uri", ""), "", "")


async def _update_page(request: Request, uri: str, extra: str, error: str, status: int = 200) -> Response:
    pages = _pages(request)
    row = await pages.dataset(_uri(uri))
    dags = {dag.dag_id: dag for dag in await pages.dags()}
    return dialog(
        request,
        "datasets/update.html",
        status_code=status,
        row=row,
        effects=pages.effects(row, {dag_id: dag.paused for dag_id, dag in dags.items()}),
        extra=extra,
        error=error,
        once=new_key(),
        section="Datasets",
    )


async def update(request: Request) -> Response:
    """Tell of it, and show the dataset."""
    form, actions = await checked_form(request), actions_of(request)
    uri, text = str(form.get("uri", "")), str(form.get("extra", ""))

    async def act() -> str:
        row = await actions.dataset_pages.dataset(_uri(uri))
        event = await actions.update_dataset(row.uri, extra=_extra(text), triggered_by="ui")
        return f"{dataset_path(row.uri)}&done={event['event_id']}"

    try:
        return await once(request, form, act)
    except InvalidInput as error:
        return await _update_page(request, uri, text, told(error), 400)


def _extra(text: str) -> dict[str, Any]:
    return params_view.json_object(text, Sentence("The extra"))


# ---- the datasets of one DAG ----------------------------------------------------------------------------------------


async def of_dag(request: Request) -> Response:
    """The tab of a DAG: what it waits for, what it makes, and which other DAGs it hangs together with."""
    return page(request, "dags/datasets.html", **await _of_dag(request))


async def of_dag_body(request: Request) -> Response:
    """What of it changes."""
    return fragment(request, "dags/_datasets.html", **await _of_dag(request))


async def _of_dag(request: Request) -> dict[str, Any]:
    actions, pages = actions_of(request), _pages(request)
    dag = await actions.dag_pages.dag(request.path_params["dag_id"])
    dag_id = dag.spec.dag_id
    tied = {row.dag_id: row for row in await pages.dags()}
    mine = tied.get(dag_id)
    rows = {row.uri: row for row in await pages.datasets()}
    window = await _window(request, dag_id=dag_id)
    queue = pages.queue(dag_id)
    params = address.fields(request.query_params)
    return {
        "head": head(actions.dag_pages, dag, "datasets"),
        "topics": {"dag": dag_id, **_LIVE},
        "ties": mine.ties if mine else None,
        "condition": dataset_view.condition_of(mine.ties) if mine else "",
        "queue": queue,
        "rows": rows,
        "known": tied,
        "named_by": _named_by(tied, dag_id),
        "makes": _made(rows.values(), dag_id),
        **window,
        "query": address.query(params),
        "of_one": False,
        "fingerprint": fingerprint(mine, queue, window["events"], [rows[uri].last_at for uri in rows]),
    }


def _made(rows: Any, dag_id: str) -> list[tuple[DatasetRow, list[str]]]:
    """The datasets that a DAG makes, with the tasks that do."""
    found = [(row, [task_id for maker, task_id in row.producers if maker == dag_id]) for row in rows]
    return [(row, tasks) for row, tasks in found if tasks]


def _named_by(dags: dict[str, TiedDag], dag_id: str) -> list[tuple[str, str, str]]:
    """(kind, DAG, task) of the tasks in other DAGs that name this one."""
    return [
        (link.kind, dag.dag_id, link.task_id)
        for dag in dags.values()
        for link in dag.ties.links
        if link.dag_id == dag_id and dag.dag_id != dag_id
    ]


async def forget(request: Request) -> Response:
    """Have a DAG wait anew for a dataset whose update is queued for its next run."""
    form, dag_id = await checked_form(request), request.path_params["dag_id"]
    uri = str(form.get("uri", "")) or None
    await actions_of(request).clear_dataset_queue(dag_id, uri)
    return RedirectResponse(f"{address.dag_path(dag_id)}/datasets", status_code=303)


ROUTES = (
    Route("/datasets", index, name="datasets"),
    Route("/datasets/table", table, name="datasets_table"),
    Route("/datasets/show", show, name="dataset"),
    Route("/datasets/show/body", body, name="dataset_body"),
    Route("/datasets/events", events, name="dataset_events"),
    Route("/datasets/events/table", events_table, name="dataset_events_table"),
    Route("/datasets/update", update_form, name="dataset_update_form"),
    Route("/datasets/update", update, methods=["POST"], name="dataset_update"),
    Route("/dags/{dag_id}/datasets", of_dag, name="dag_datasets"),
    Route("/dags/{dag_id}/datasets/body", of_dag_body, name="dag_datasets_body"),
    Route("/dags/{dag_id}/datasets/forget", forget, methods=["POST"], name="dataset_forget"),
)
