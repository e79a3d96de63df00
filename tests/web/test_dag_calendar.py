"""The calendar page over a real store."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from asyncflow.core.states import RunState, RunType
from asyncflow.web import calendar_view
from tests.web.dag_home import DAY0, DagHome, a_run, a_spec

pytestmark = pytest.mark.anyio

TODAY = date(2026, 1, 20)


def _days(**given: object) -> dict[date, calendar_view.Day]:
    fields: dict[str, object] = {"counts": {}, "planned": [], "begin": None, **given}
    first = calendar_view.first_day(TODAY + timedelta(days=30))
    rows = calendar_view.weeks("etl", first, today=TODAY, **fields)  # type: ignore[arg-type]
    return {day.date: day for row in rows for day in row}


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def test_rows_are_weekdays_and_columns_weeks() -> None:
    rows = calendar_view.weeks("etl", calendar_view.first_day(TODAY), {}, [], TODAY, None)
    assert [row[0].date.weekday() for row in rows] == [*range(7)]
    assert {len(row) for row in rows} == {calendar_view.WEEKS}
    assert any(row[-1].date == TODAY for row in rows)


def test_a_day_takes_the_state_of_its_gravest_run() -> None:
    day = _days(counts={_number(TODAY): {"success": 3, "failed": 1}})[TODAY]
    assert (day.state, day.many) == ("failed", 4)
    assert "1 failed, 3 success" in day.title
    assert day.href == "/dags/etl/grid?until=2026-01-22"


def test_planned_runs_show_their_times() -> None:
    moments = [datetime(2026, 1, 22, hour, tzinfo=UTC) for hour in range(7)]
    day = _days(planned=moments)[date(2026, 1, 22)]
    assert day.state == "planned"
    assert day.title.endswith("7 planned for 00:00, 01:00, 02:00, 03:00, 04:00 and later")


def test_a_day_without_a_run_leads_to_what_could_run_but_not_before_the_dag_began() -> None:
    days = _days(begin=date(2026, 1, 10))
    assert days[date(2026, 1, 15)].href == "/dags/etl/day/2026-01-15"
    assert days[date(2026, 1, 9)].href == ""
    assert days[TODAY + timedelta(days=1)].href == ""


def test_months_span_the_weeks() -> None:
    found = calendar_view.months(date(2026, 1, 5))
    assert sum(count for _, count in found) == calendar_view.WEEKS
    assert found[0] == ("Jan 2026", 4)


async def test_past_runs_are_counted_by_day(home: DagHome) -> None:
    await home.add(a_run(0))
    await home.add(a_run(1, state=RunState.FAILED))
    await home.add(a_run(1, run_id="by_hand", run_type=RunType.MANUAL, logical_date=DAY0 + timedelta(days=1, hours=3)))
    text = await home.page("/dags/etl/calendar?until=2026-02-01")
    assert "3 runs by the day" in text
    assert 'title="Thu 01 Jan 2026: 1 success"' in text
    assert 'title="Fri 02 Jan 2026: 1 failed, 1 success"' in text


async def test_the_newest_page_shows_what_is_planned(home: DagHome) -> None:
    text = await home.page("/dags/etl/calendar")
    assert "later →" not in text
    older = re.search(r'href="(\?until=[^"]*)"[^>]*>← earlier', text)
    assert older is not None
    earlier = await home.page(f"/dags/etl/calendar{older[1]}")
    assert 'href="?" data-key="]">later →' in earlier
    assert "later →" in await home.page("/dags/etl/calendar?until=2020-01-01")


async def test_a_paused_dag_plans_nothing_and_says_so(home: DagHome) -> None:
    spec = a_spec("paused", file="paused.py", is_paused_upon_creation=True)
    await home.save(spec)
    assert "nothing is planned while the DAG is paused" in await home.page("/dags/paused/calendar")


async def test_planned_runs_follow_the_last_run_and_the_schedule(home: DagHome) -> None:
    def starts(found: list[dict[str, object]]) -> list[object]:
        return [info["logical_date"] for info in found]

    await home.save(a_spec(catchup=True))
    actions = home._app.state.actions
    three = starts(await actions.next_runs("etl", count=3))
    assert starts(await actions.next_runs("etl", count=2)) == three[:2]
    five = starts(await actions.next_runs("etl", count=5))
    assert five[:3] == three
    assert len(set(five)) == 5
    first = datetime.fromisoformat(str(five[0]))
    await home.add(a_run((first - DAY0).days))
    assert starts(await actions.next_runs("etl", count=4)) == five[1:]
    assert await actions.next_runs("etl", count=0) == []
