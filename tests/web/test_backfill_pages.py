"""The pages of backfills over a server that runs in this process: the form, its preview, what is begun."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from asyncflow.core.commands import SaveBackfill, SaveRun
from asyncflow.core.models import Backfill, BackfillDate, BackfillOptions
from asyncflow.core.states import BackfillState, RunState, RunType
from asyncflow.core.timetable import NullTimetable
from tests.web.conftest import DAY, DAY0, Site, a_dag, a_run, a_ti, once_in

FORM = "/dags/etl/backfill"


@pytest.fixture
def home(empty: Site) -> Site:
    """The daily DAG `etl`, whose run of the first day failed and of the second succeeded."""
    empty.add(a_dag("etl"))
    for day, state in ((0, RunState.FAILED), (1, RunState.SUCCESS)):
        run = a_run(day, state=state)
        empty.store(run, a_ti(run, "extract"), a_ti(run, "load"))
    return empty


def _listed(text: str) -> list[str]:
    """The dates of a preview, with what is said of each."""
    part = text.split('<ol class="plain-list tall"')[1].split("</ol>")[0]
    found = re.findall(r'<li><time datetime="([^T]+)T.*?</li>', part)
    again = part.count("runs again")
    return [*found, f"{again} again"]


def _begin(site: Site, **fields: str) -> str:
    """Begin one by the form; returns where it led to."""
    given = {"from": "2026-01-01", "to": "2026-01-05", **fields}
    page = f"{FORM}?{urlencode(given)}"
    answer = site.send(FORM, {**given, "once": once_in(site.get(page))}, page)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_the_form_begins_without_a_preview(home: Site) -> None:
    text = home.text(FORM)
    assert "Start the backfill" not in text
    assert "Which runs that are there run again" in text


@pytest.mark.parametrize(
    ("reprocess", "listed", "left"),
    [
        ("none", ["2026-01-03", "2026-01-04", "0 again"], "2 that are there are left alone"),
        ("failed", ["2026-01-01", "2026-01-03", "2026-01-04", "1 again"], "1 that is there is left alone"),
        ("completed", ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2 again"], "are cleared first"),
    ],
)
def test_the_preview_lists_exactly_the_runs(home: Site, reprocess: str, listed: list[str], left: str) -> None:
    text = home.text(f"{FORM}?from=2026-01-01&to=2026-01-04&reprocess={reprocess}")
    assert _listed(text) == listed
    assert left in text
    assert "Start the backfill" in text


def test_the_latest_date_can_come_first(home: Site) -> None:
    text = home.text(f"{FORM}?from=2026-01-01&to=2026-01-04&run_backwards=1")
    assert _listed(text) == ["2026-01-04", "2026-01-03", "0 again"]


def test_an_interval_that_is_not_over_is_said(home: Site) -> None:
    assert "not over yet" in home.text(f"{FORM}?from=2100-01-01")
    assert "not over yet" not in home.text(f"{FORM}?from=2026-01-03")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=yesterday", "is not a date"),
        ("from=2026-01-05&to=2026-01-01", "is after the end date"),
        ("from=2026-01-05&max_active_runs=many", "is not a whole number"),
        ("from=2026-01-05&max_active_runs=0", "above zero"),
        ("from=2026-01-05&conf=[1]", "not a JSON object"),
        ("from=2026-01-05&reprocess=some", "accepted are none, failed, completed"),
        ("from=2026-01-05&task_regex=(", "not a regular expression"),
        ("from=2026-01-01&to=2026-01-02", "All runs between these dates are there already"),
    ],
)
def test_mistakes_get_a_sentence(home: Site, query: str, sentence: str) -> None:
    assert sentence in home.text(f"{FORM}?{query}")


def test_a_dag_without_a_schedule_has_nothing_to_run(home: Site) -> None:
    home.add(a_dag("manual", timetable=NullTimetable()))
    text = home.text("/dags/manual/backfill?from=2026-01-01&to=2026-02-01")
    assert "The schedule has no run between these dates" in text
    assert "disabled" in text


def test_what_is_begun_is_what_was_shown(home: Site) -> None:
    path = _begin(home, max_active_runs="2", conf='{"k": 1}', reprocess="failed")
    assert path == "/backfills/1"
    row = home.ask(home.server.actions.get_backfill, 1)
    assert (row["dag_id"], row["runs"], row["triggered_by"]) == ("etl", 4, "ui")
    assert (row["options"]["max_active_runs"], row["options"]["conf"]) == (2, {"k": 1})
    text = home.text(path)
    assert "failed runs run again, 2 runs at a time" in text
    assert "&#34;k&#34;: 1" in text


def test_the_same_form_sent_twice_begins_one(home: Site) -> None:
    fields = {"from": "2026-02-01", "to": "2026-02-03", "once": "key"}
    for _ in range(2):
        assert home.send(FORM, fields, f"{FORM}?from=2026-02-01").headers["location"] == "/backfills/1"
    assert len(home.ask(home.server.actions.list_backfills)) == 1


def test_a_second_one_about_the_same_dates_is_refused(home: Site) -> None:
    _begin(home)
    answer = home.send(FORM, {"from": "2026-01-04", "to": "2026-01-06", "once": "other"}, FORM + "?from=2026-01-04")
    assert answer.status_code == 409
    assert "Backfill 1 is about some of these dates, too" in answer.text


def test_a_form_from_elsewhere_is_refused(home: Site) -> None:
    assert home.post(FORM, {"from": "2026-01-05"}).status_code == 403
    assert home.ask(home.server.actions.list_backfills) == []


def test_it_is_paused_resumed_and_cancelled(home: Site) -> None:
    path = _begin(home)
    assert home.send(f"{path}/pause", page=path).headers["location"] == path
    assert "Resume" in home.text(path)
    assert 'state-deferred"><span class="glyph" aria-hidden="true"></span>paused' in home.text("/backfills")
    home.send(f"{path}/resume", page=path)
    assert "Resume" not in home.text(path)
    form = home.get(f"{path}/cancel")
    assert "still to come" in form.text
    home.send(f"{path}/cancel", {"once": once_in(form)}, f"{path}/cancel")
    assert "cancelled by ui" in home.text(path)
    audit = home.text("/audit?dag_id=etl")
    assert all(action in audit for action in ("pause_backfill", "resume_backfill", "cancel_backfill", "backfill_dag"))
    assert home.send(f"{path}/explode", page=FORM).status_code == 404


def test_lists_are_of_all_or_of_one_dag(home: Site) -> None:
    home.add(a_dag("other"))
    _begin(home)
    assert "No backfills yet" in home.text("/dags/other/backfills")
    assert 'href="/backfills/1"' in home.text("/dags/etl/backfills")
    assert 'href="/dags/etl/backfills">etl' in home.text("/backfills?show=active")
    assert "No backfill matches" in home.text("/backfills?show=ended")
    assert home.get("/backfills?show=some").status_code == 400


def test_a_backfill_that_is_not_there(home: Site) -> None:
    answer = home.get("/backfills/7")
    assert answer.status_code == 404
    assert "7" in answer.text
    assert home.get("/backfills/seven").status_code == 404


def test_a_page_that_has_not_changed_is_not_sent_again(home: Site) -> None:
    path = _begin(home)
    address = home.text(path).split('id="backfill" hx-get="')[1].split('"')[0]
    assert home.get(address).status_code == 204
    home.send(f"{path}/pause", page=path)
    assert home.get(address).status_code == 200


def _stored(site: Site, count: int, done: int) -> None:
    """A backfill under way: of its `done` runs the last is running, the others succeeded."""
    dates = tuple(BackfillDate(DAY0 + n * DAY, DAY0 + n * DAY, DAY0 + (n + 1) * DAY) for n in range(10, 10 + count))
    row = Backfill(
        backfill_id=9,
        dag_id="etl",
        state=BackfillState.RUNNING,
        options=BackfillOptions(start=dates[0].logical_date, end=dates[-1].logical_date),
        dates=dates,
        position=done,
        created_at=DAY0 + timedelta(days=200),
    )
    site.ask(site.server.store.commit, [SaveBackfill(backfill=row)])
    for n in range(done):
        running: dict[str, Any] = {"state": RunState.RUNNING, "ended_at": None} if n == done - 1 else {}
        run = a_run(10 + n, run_type=RunType.BACKFILL, run_id=f"backfill__{n}", backfill_id=9, **running)
        site.ask(site.server.store.commit, [SaveRun(run=run)])


def test_a_long_one_shows_how_far_it_has_come(home: Site) -> None:
    _stored(home, 250, 40)
    text = home.text("/backfills/9")
    assert 'aria-label="39 success, 1 running, 210 to come"' in text
    assert "39 of 250" in text
    assert "left" in text
    assert text.count(">to come</span>") == 60
    assert "1 to 100 of 250" in text
    assert "201 to 250 of 250" in home.text("/backfills/9?page=3")
    assert "39 of 250" in home.text("/backfills")
    assert 'href="/backfills/9">Backfill 9' in home.text("/dags/etl/runs/backfill__1")


# ---- days of the calendar -------------------------------------------------------------------------------------------


def test_an_empty_day_offers_to_run_its_interval(home: Site) -> None:
    page = "/dags/etl/day/2026-01-05"
    text = home.text(page)
    assert "1 interval has no run" in text
    assert "Run this interval" in text
    fields = dict(re.findall(r'<input type="hidden" name="(from|to|reprocess)" value="([^"]*)"', text))
    answer = home.send(FORM, {**fields, "once": once_in(home.get(page))}, page)
    assert answer.headers["location"] == "/backfills/1"
    row = home.ask(home.server.actions.get_backfill, 1)
    assert (row["runs"], row["first_date"][:10]) == (1, "2026-01-05")


def test_a_day_that_has_its_run_says_so(home: Site) -> None:
    text = home.text("/dags/etl/day/2026-01-02")
    assert "Every interval of this day has its run" in text
    assert "scheduled__2026-01-02" in text
    assert 'href="/dags/etl/trigger?logical_date=2026-01-02T00:00:00%2B00:00"' in text


def test_a_day_to_come_says_when(home: Site) -> None:
    tomorrow = (home.server.actions.pages.now() + DAY).date()
    text = home.text(f"/dags/etl/day/{tomorrow}")
    assert "Planned" in text
    assert f'datetime="{tomorrow + DAY}T00:00:00+00:00"' in text


def test_days_without_anything(home: Site) -> None:
    home.add(a_dag("manual", timetable=NullTimetable()))
    assert "The schedule has no run on this day" in home.text("/dags/manual/day/2026-01-05")
    home.add(a_dag("asleep"), paused=True)
    assert "Nothing is planned while the DAG is paused" in home.text("/dags/asleep/day/2100-01-05")
    assert home.get("/dags/etl/day/soon").status_code == 400
    assert home.get("/dags/nobody/day/2026-01-05").status_code == 404


def test_the_date_of_an_address_is_in_the_trigger_form(home: Site) -> None:
    text = home.text("/dags/etl/trigger?logical_date=2026-01-02T00:00:00%2B00:00")
    assert 'name="logical_date" value="2026-01-02T00:00:00+00:00"' in text


def test_a_form_plans_no_more_than_can_be_worked_out_at_once(home: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncflow.web.backfill_pages._MOST", 30)
    assert "more than 30 runs between these dates" in home.text(f"{FORM}?from=2026-01-01&to=2026-03-01")
    assert "30 runs:" in home.text(f"{FORM}?from=2026-01-03&to=2026-02-01")


def test_runs_that_are_left_alone_are_not_read(home: Site) -> None:
    for which, names in (("none", []), ("failed", [a_run(0).run_id])):
        home.text(f"{FORM}?from=2026-01-01&to=2026-01-04&reprocess={which}")
        runs = home.ask(home.server.scheduler.do, lambda world, now: list(world.runs_of("etl")))
        assert [run.run_id for run in runs] == names
