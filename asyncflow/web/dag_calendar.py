"""The calendar page of a DAG."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.web import address, calendar_view
from asyncflow.web.dag_head import head
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import language, page

#: days after today on the newest page, and how many planned runs are looked for
_AHEAD = 90
_PLANNED = 120
#: by how much the links to other years move: a little less than a page
_STEP = timedelta(weeks=48)


async def show(request: Request) -> Response:
    """The whole page; `?until=` the day it ends with, today and 90 days when it is not given."""
    actions = actions_of(request)
    pages, params = actions.dag_pages, request.query_params
    dag = await pages.dag(request.path_params["dag_id"])
    dag_id, now = dag.spec.dag_id, pages.now()
    newest = now.date() + timedelta(days=_AHEAD)
    until = address.date(params, "until")
    last = until.date() if until else newest
    first = calendar_view.first_day(last)
    start = datetime.combine(first, time(), UTC)
    end = start + timedelta(weeks=calendar_view.WEEKS)
    counts = await pages.days(dag_id, start, end)
    planned = await actions.next_runs(dag_id, count=_PLANNED) if dag.active and not dag.paused and end > now else []
    begin, words = dag.spec.start_date, language(request)
    return page(
        request,
        "dags/calendar.html",
        head=head(pages, dag, "calendar"),
        rows=list(
            zip(
                calendar_view.WEEKDAYS,
                calendar_view.weeks(
                    dag_id,
                    first,
                    counts,
                    [datetime.fromisoformat(info["logical_date"]) for info in planned],
                    now.date(),
                    begin.date() if begin else None,
                    words,
                ),
                strict=True,
            )
        ),
        months=calendar_view.months(first, words),
        today=now.date(),
        total=sum(sum(states.values()) for states in counts.values()),
        older=address.query({}, until=last - _STEP),
        newer=(address.query({}, until=last + _STEP) if last + _STEP < newest else "?") if last < newest else None,
        paused=dag.paused,
    )


ROUTES = (Route("/dags/{dag_id}/calendar", show, name="calendar"),)
