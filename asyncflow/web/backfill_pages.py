"""The pages of backfills, the form that begins one, and the days of the calendar that have no run."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.sentence import Sentence, told
from asyncflow.core.states import BackfillState, Reprocess
from asyncflow.engine.backfill_pages import BackfillSearch
from asyncflow.errors import AsyncflowError, InvalidInput
from asyncflow.web import address, backfill_view, paging, params_view
from asyncflow.web.backfill_view import Wish
from asyncflow.web.dag_head import head
from asyncflow.web.once import new_key, once
from asyncflow.web.ports import Actions, actions_of
from asyncflow.web.security import checked_form
from asyncflow.web.templating import dialog, fingerprint, fragment, language, page

_LIMIT = 50
_DATES = 100
#: runs that a preview lists
_LISTED = 500
#: runs that a form plans at most: more are for the command line, for they take seconds to work out
_MOST = 10_000
_ENDED = tuple(state.value for state in BackfillState if state.value not in backfill_view.UNDER_WAY)
_SHOWN = {"active": backfill_view.UNDER_WAY, "ended": _ENDED}
#: runs of one day, and planned runs looked at, at most
_RUNS_OF_A_DAY, _PLANNED = 200, 1000


# ---- lists ----------------------------------------------------------------------------------------------------------


class _Serial(IntegerConvertor):
    """A whole number that a row may have: Python refuses to read one of thousands of digits."""

    regex = "[0-9]{1,18}"


register_url_convertor("serial", _Serial())


async def index(request: Request) -> Response:
    """All backfills."""
    return page(request, "backfills/index.html", **await _list(request, None))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "backfills/_table.html", **await _list(request, None))


async def of_dag(request: Request) -> Response:
    """The tab of a DAG."""
    return page(request, "dags/backfills.html", **await _of_dag(request))


async def of_dag_table(request: Request) -> Response:
    """Its list alone."""
    return fragment(request, "backfills/_table.html", **await _of_dag(request))


async def _of_dag(request: Request) -> dict[str, Any]:
    dag = await actions_of(request).dag_pages.dag(request.path_params["dag_id"])
    return {
        **await _list(request, dag.spec.dag_id),
        "head": head(actions_of(request).dag_pages, dag, "backfills"),
        "section": "DAGs",
        "topics": {"dag": dag.spec.dag_id},
    }


async def _list(request: Request, dag_id: str | None) -> dict[str, Any]:
    pages = actions_of(request).backfill_pages
    params = address.fields(request.query_params)
    shown = address.choice(params, "show", tuple(_SHOWN))
    sort, offset = backfill_view.COLUMNS.asked(params), paging.offset(params, _LIMIT)
    wanted = dag_id or params.get("dag_id", "").strip() or None
    by: Any = sort.name
    search = BackfillSearch(dag_id=wanted, states=_SHOWN[shown] if shown else None, by=by, falling=sort.falling)
    found = await pages.list(search, limit=_LIMIT, offset=offset)
    now = pages.now()
    lines = [(row, backfill_view.of_line(row, found.states[row.backfill_id], now)) for row in found.rows]
    return {
        "section": "Backfills",
        "topics": {"runs": "1", "datasets": "1"},
        "lines": lines,
        "looks": backfill_view.LOOKS,
        "status": backfill_view.status,
        "dag_id": dag_id,
        "params": params,
        "show": shown or "",
        "query": address.query(params),
        "columns": backfill_view.COLUMNS.heads(params),
        "pager": paging.numbered(params, offset, _LIMIT, len(lines) + found.more, None, language(request)),
        "fingerprint": fingerprint([(msgspec.structs.astuple(row), seen.parts) for row, seen in lines], params),
    }


# ---- one ------------------------------------------------------------------------------------------------------------


async def show(request: Request) -> Response:
    """One backfill with its dates."""
    return page(request, "backfills/show.html", **await _one(request))


async def body(request: Request) -> Response:
    """What of it changes, for a page that was told of a change."""
    return fragment(request, "backfills/_show.html", **await _one(request))


async def _one(request: Request) -> dict[str, Any]:
    pages, params = actions_of(request).backfill_pages, address.fields(request.query_params)
    first = paging.offset(params, _DATES)
    found = await pages.one(request.path_params["backfill_id"], first=first, limit=_DATES)
    row = found.row
    lines = backfill_view.dates(row.dag_id, row.backfill_id, row.position, first, found.dates)
    active = row.state is BackfillState.RUNNING and not row.paused
    seen = backfill_view.progress(
        found.states, row.position, len(row.dates), active=active, started=row.created_at, now=pages.now()
    )
    return {
        "section": "Backfills",
        "topics": {"dag": row.dag_id, "datasets": "1"},
        "dag_zone": found.timezone,
        "row": row,
        "path": f"/backfills/{row.backfill_id}",
        "status": backfill_view.status(row.state, row.paused),
        "looks": backfill_view.LOOKS,
        "under_way": row.state.value in backfill_view.UNDER_WAY,
        "progress": seen,
        "dates": lines,
        "how": backfill_view.how(row.options, language(request)),
        "conf": params_view.pretty(row.options.conf),
        "pager": paging.numbered(params, first, _DATES, len(lines), len(row.dates), language(request)),
        "query": address.query(params),
        "fingerprint": fingerprint(
            (row.state, row.paused, row.position, row.reason),
            seen.parts,
            [(line.to_come, line.mine, line.run and (line.run.run_id, line.run.state)) for line in lines],
        ),
    }


async def cancel_form(request: Request) -> Response:
    """What cancelling would do."""
    found = await _one(request)
    return dialog(request, "backfills/cancel.html", once=new_key(), **found)


async def change(request: Request) -> Response:
    """Pause, resume or cancel it, and show it."""
    form, actions = await checked_form(request), actions_of(request)
    number, verb = request.path_params["backfill_id"], request.path_params["verb"]
    verbs = {"pause": actions.pause_backfill, "resume": actions.resume_backfill, "cancel": actions.cancel_backfill}
    if verb not in verbs:
        raise HTTPException(404)

    async def act() -> str:
        await verbs[verb](number, actor="ui")
        return f"/backfills/{number}"

    return await once(request, form, act)


# ---- begin one ------------------------------------------------------------------------------------------------------


async def form(request: Request) -> Response:
    """The form and, with dates in the address, exactly which runs it would make."""
    return await _form(request, backfill_view.wish(request.query_params), "")


async def _form(request: Request, wish: Wish, error: str, status: int = 200) -> Response:
    actions, dag_id = actions_of(request), request.path_params["dag_id"]
    dag = await actions.dag_pages.dag(dag_id)
    plan: dict[str, Any] | None = None
    if wish.has_dates and not error:
        try:
            arguments = wish.arguments(_conf(wish.texts["conf"]))
            plan = await actions.backfill_dag(dag_id, **arguments, most=_MOST, dry_run=True)
        except InvalidInput as refused:
            error = told(refused)
    runs = plan["runs"] if plan else []
    now = actions.backfill_pages.now().isoformat()
    return dialog(
        request,
        "backfills/form.html",
        status_code=status,
        dag=dag,
        path=address.dag_path(dag_id),
        wish=wish,
        error=error,
        plan=plan,
        runs=runs[:_LISTED],
        more=max(0, len(runs) - _LISTED),
        early=sum(run["end"] > now for run in runs),
        choices=tuple(Reprocess),
        once=new_key(),
        dag_zone=dag.spec.timezone,
        section="DAGs",
    )


def _conf(text: str) -> dict[str, Any]:
    return params_view.json_object(text, Sentence("The configuration"))


async def begin(request: Request) -> Response:
    """Begin it and show it; what is refused comes back with a sentence."""
    fields, actions, dag_id = await checked_form(request), actions_of(request), request.path_params["dag_id"]
    wish = backfill_view.wish(fields)

    async def act() -> str:
        arguments = wish.arguments(_conf(wish.texts["conf"]))
        plan = await actions.backfill_dag(dag_id, **arguments, most=_MOST, triggered_by="ui")
        if plan["refused"]:
            raise InvalidInput(plan["refused"])
        return f"/backfills/{plan['backfill_id']}"

    try:
        return await once(request, fields, act)
    except InvalidInput as error:
        return await _form(request, wish, told(error), 409)


# ---- a day of the calendar ------------------------------------------------------------------------------------------


async def day(request: Request) -> Response:
    """A day (UTC): its runs, what the schedule has on it that never ran, and what is planned for it."""
    actions, dag_id = actions_of(request), request.path_params["dag_id"]
    dag = await actions.dag_pages.dag(dag_id)
    start = _day(request.path_params["date"])
    end = start + timedelta(days=1)
    runs = await actions.backfill_pages.runs_between(dag_id, start, end, limit=_RUNS_OF_A_DAY)
    missing, planned, refused = await _gaps(actions, dag_id, start) if dag.active else ([], [], "")
    return dialog(
        request,
        "backfills/day.html",
        dag=dag,
        path=address.dag_path(dag_id),
        date=start.date(),
        runs=[(run, address.run_path(dag_id, run.run_id)) for run in runs],
        missing=missing,
        planned=planned if not dag.paused else [],
        refused=refused,
        wish=backfill_view.wish({"from": f"{start.date()}", "to": f"{start.date()}"}),
        past=start.date() <= actions.backfill_pages.now().date(),
        once=new_key(),
        dag_zone=dag.spec.timezone,
        section="DAGs",
    )


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise InvalidInput("{text!r} in the address is not a day; write it like 2026-01-31.", text=text) from None


async def _gaps(
    actions: Actions, dag_id: str, start: datetime
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """Intervals of a day that are over and have no run, runs that are planned for it, and why there are none."""
    now = actions.backfill_pages.now()
    text = f"{start.date()}"
    wish = backfill_view.wish({"from": text, "to": text})
    plan: dict[str, Any] = {"runs": [], "refused": ""}
    if start <= now:
        try:
            plan = await actions.backfill_dag(dag_id, **wish.arguments({}), most=_MOST, dry_run=True)
        except AsyncflowError as error:
            plan = {"runs": [], "refused": told(error)}
    over = [run for run in plan["runs"] if run["end"] <= now.isoformat()]
    coming = await actions.next_runs(dag_id, count=_PLANNED) if start + timedelta(days=1) > now else []
    return over, [info for info in coming if info["logical_date"][:10] == text], plan["refused"]


ROUTES = (
    Route("/backfills", index, name="backfills"),
    Route("/backfills/table", table, name="backfills_table"),
    Route("/backfills/{backfill_id:serial}", show, name="backfill"),
    Route("/backfills/{backfill_id:serial}/body", body, name="backfill_body"),
    Route("/backfills/{backfill_id:serial}/cancel", cancel_form, name="backfill_cancel_form"),
    Route("/backfills/{backfill_id:serial}/{verb:str}", change, methods=["POST"], name="backfill_change"),
    Route("/dags/{dag_id}/backfills", of_dag, name="dag_backfills"),
    Route("/dags/{dag_id}/backfills/table", of_dag_table, name="dag_backfills_table"),
    Route("/dags/{dag_id}/backfill", form, name="backfill_form"),
    Route("/dags/{dag_id}/backfill", begin, methods=["POST"], name="backfill_begin"),
    Route("/dags/{dag_id}/day/{date}", day, name="dag_day"),
)
