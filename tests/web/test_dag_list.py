"""The first page."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import unquote

import pytest

from asyncflow.core.states import RunState
from asyncflow.core.timetable import NullTimetable
from asyncflow.engine.dag_rows import DagPage, DagQuery
from tests.web.conftest import DAY0, RUN, RUN_PATH, Site, a_dag, a_run, a_ti, once_in, token_in


def test_the_list_shows_each_dag_with_its_runs(site: Site) -> None:
    text = site.text("/")
    assert 'href="/dags/etl"' in text
    assert f'href="{RUN_PATH}"' in text
    assert "Every day at 00:00" in text
    assert "1 success" in text
    assert "Moves &lt;things&gt;" in text


def test_dags_that_left_the_folder_are_left_out(site: Site) -> None:
    site.ask(site.server.store.file_gone, "etl.py")
    assert 'id="dag-etl"' not in site.text("/")


def test_import_errors_come_first_with_place_and_traceback(site: Site) -> None:
    site.break_file("etl.py", "invalid syntax", 3)
    text = site.text("/")
    assert "1 file cannot be loaded" in text
    assert text.index("etl.py:3") < text.index('href="/dags/etl"')
    assert "Traceback: &lt;b&gt;here&lt;/b&gt;" in text
    assert "etl.py:3 cannot be loaded; the last good version runs" in text
    assert 'id="dag-report"' not in site.text("/?status=broken")


def test_no_folder_says_what_to_do(empty: Site) -> None:
    text = empty.text("/")
    assert "The DAG folder does not exist" in text
    assert str(empty.server.settings.dags) in text
    assert "hello.py" in text


def test_an_empty_folder_says_what_to_do(empty: Site) -> None:
    empty.server.settings.dags.mkdir()
    empty.server.loader._looked.set()
    text = empty.text("/list/table?first=1")
    assert "The folder is empty" in text
    assert text.count("have=") == 1  # what asks again says only what it has now
    assert empty.get(re.search(r'hx-get="([^"]+)"', text)[1].replace("&amp;", "&")).status_code == 204  # type: ignore[index]


def test_files_without_dags_say_why(empty: Site) -> None:
    folder = empty.server.settings.dags
    folder.mkdir()
    (folder / "<b>.py").write_text("print('hello')")
    text = empty.text("/")
    assert "&lt;b&gt;.py" in text
    assert "does not contain the words &#34;dag&#34; and" in text


def test_the_page_without_dags_gives_way_to_the_list(empty: Site) -> None:
    empty.add(a_dag())
    answer = empty.get("/list/table?first=1&have=x")
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (204, "true")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=REP", ["report"]),
        ("q=nightly", ["etl", "report"]),
        ("tags=nightly,none", ["etl", "report"]),
        ("tags=none", []),
        ("owner=data&status=paused", ["report"]),
        ("status=active", ["etl"]),
        ("status=failed", []),
        ("sort=-name", ["report", "etl"]),
        ("sort=last", ["etl", "report"]),
        ("sort=-last", ["etl", "report"]),
        ("sort=paused", ["etl", "report"]),
        ("sort=-paused", ["report", "etl"]),
        ("sort=-tasks", ["etl", "report"]),
        ("sort=tasks", ["report", "etl"]),
        ("sort=-duration", ["etl", "report"]),
        ("sort=-failed", ["etl", "report"]),
        ("limit=1&page=2", ["report"]),
        ("limit=1&page=9", []),
    ],
)
def test_filters_and_order_are_in_the_address(site: Site, query: str, found: list[str]) -> None:
    rows = [part.partition('"')[0] for part in site.text(f"/?{query}").split('<tr id="dag-')[1:]]
    assert rows == found


def test_a_page_links_the_others_and_keeps_the_filters(site: Site) -> None:
    text = site.text("/?limit=1&q=nightly")
    assert 'href="?limit=1&amp;q=nightly&amp;page=2"' in text
    assert "1 to 1 of 2" in text


def test_a_fragment_that_is_known_is_not_sent_again(site: Site) -> None:
    address = site.text("/").split('id="dags-table" hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert site.get(address).status_code == 204
    site.ask(site.server.actions.pause_dag, "etl")
    assert site.get(address).status_code == 200


def test_the_circles_lead_to_what_they_count(site: Site) -> None:
    text = site.text("/")
    assert 'href="/runs?dag_id=etl&amp;state=success"' in text
    assert f'href="{RUN_PATH}?state=failed"' in text


def test_the_list_follows_what_changes(site: Site) -> None:
    assert "1 success" in site.text("/")
    site.ask(site.server.actions.mark_run, "etl", RUN, "failed")
    assert 'title="1 failed"' in site.text("/")
    site.ask(site.server.actions.trigger_dag, "report", run_id="mine")
    assert 'href="/dags/report/runs/mine"' in site.text("/")
    site.ask(site.server.actions.delete_dag, "report")
    assert "mine" not in site.text("/")


# ---- why nothing runs -------------------------------------------------------------------------


def test_what_is_kept_of_the_list_is_as_if_made_anew(site: Site) -> None:
    pages = site.server.actions.pages

    def seen() -> DagPage:
        return site.ask(pages.dags, DagQuery())

    before = seen()
    for dag_id, state in (("etl", "failed"), ("etl", "success")):
        run_id = site.ask(site.server.actions.trigger_dag, dag_id, run_id=f"{dag_id}-{state}")["run_id"]
        running = seen()
        site.ask(site.server.actions.mark_run, dag_id, run_id, state)
        over = seen()
        assert running.statuses["running"] > over.statuses["running"]
        site.server.changes.noted()  # something has changed that is of no DAG: all is read again
        assert (seen().rows, seen().statuses) == (over.rows, over.statuses)
    assert seen().rows != before.rows


def test_idle_dags_say_why(empty: Site) -> None:
    empty.add(a_dag("manual", timetable=NullTimetable(), schedule_text="None"))
    empty.add(a_dag("ended", timetable=NullTimetable(), end_date=DAY0 + timedelta(days=1)))
    empty.add(a_dag("data", timetable=NullTimetable(), dataset_expression={"any": ["a"]}))
    text = empty.text("/")
    assert "runs when triggered" in text
    assert "its end date has passed" in text
    assert "waits for datasets" in text


def test_a_full_dag_says_that_runs_wait(empty: Site) -> None:
    empty.add(a_dag(max_active_runs=1))
    empty.store(a_run(0, state=RunState.RUNNING, ended_at=None))
    empty.store(a_run(1, state=RunState.QUEUED, ended_at=None, started_at=None))
    assert "1 runs wait: 1 may run at once" in empty.text("/")


# ---- switch -----------------------------------------------------------------------------------


def test_the_switch_pauses(site: Site) -> None:
    answer = site.send("/dags/etl/pause", {"from": "list"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/#dag-etl")
    assert site.ask(site.server.actions.get_dag, "etl")["paused"]


def test_the_switch_leads_back_to_the_filtered_list(site: Site) -> None:
    data = {"form_token": token_in(site.get("/")), "from": "list"}
    answer = site.post("/dags/etl/pause", data, Referer="http://localhost:8080/?q=etl")
    assert answer.headers["location"] == "/?q=etl#dag-etl"
    answer = site.post("/dags/etl/pause", data, Referer="http://evil.example/?q=etl")
    assert answer.headers["location"] == "/#dag-etl"


def test_unpausing_asks_what_of_the_missed_intervals_shall_run(site: Site) -> None:
    answer = site.send("/dags/report/unpause", {"from": "list"})
    assert answer.status_code == 200
    assert "intervals have no run yet" in answer.text
    assert site.ask(site.server.actions.get_dag, "report")["paused"]
    text = site.text("/dags/report/unpause")
    assert "intervals have no run yet" in text
    assert 'value="latest" checked' in text  # as Airflow does where there is no catchup


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ({"missed": "none"}, 0),
        ({"missed": "range", "start": "2026-01-03", "end": "2026-01-05"}, 3),
    ],
)
def test_unpausing_runs_what_was_chosen(site: Site, choice: dict[str, str], made: int) -> None:
    answer = site.send("/dags/report/unpause", choice)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dags/report")
    assert not site.ask(site.server.actions.get_dag, "report")["paused"]
    assert len(site.ask(site.server.actions.list_runs, "report")) == made


def test_a_dag_that_missed_nothing_is_just_turned_on(empty: Site) -> None:
    empty.add(a_dag(timetable=NullTimetable()), paused=True)
    assert empty.send("/dags/etl/unpause").status_code == 303


# ---- many, and delete -------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["dag_id=etl&dag_id=report", "all=1&q=nightly"])
def test_what_is_done_to_many_is_shown_first(site: Site, query: str) -> None:
    page = site.get(f"/list/selected?do=pause&{query}", referer=f"{site.base_url}/?q=nightly&sort=name&done=paused&n=1")
    assert "This is about 2 DAGs" in page.text
    assert 'name="back" value="/?q=nightly&amp;sort=name"' in page.text
    answer = site.post(
        "/list/selected",
        {
            "form_token": token_in(page),
            "do": "pause",
            "dag_id": ["etl", "report"],
            "once": once_in(page),
            "back": "/?q=nightly&sort=name",
        },
    )
    assert answer.headers["location"] == "/?q=nightly&sort=name&done=paused&n=2"
    assert "2 DAGs were paused." in site.text(answer.headers["location"])
    assert site.ask(site.server.actions.get_dag, "etl")["paused"]


def test_nothing_selected_is_said(site: Site) -> None:
    assert "No DAG is selected" in site.text("/list/selected?do=delete")


def test_what_cannot_be_done_is_said_and_the_rest_is_done(site: Site) -> None:
    answer = site.send("/list/selected", {"do": "trigger", "dag_id": ["none", "etl"]})
    assert answer.status_code == 409
    assert "There is no DAG &#39;none&#39;" in answer.text
    assert len(site.ask(site.server.actions.list_runs, "etl")) == 2


def test_deleting_asks_and_deletes(site: Site) -> None:
    assert "1 run with all its task instances" in site.text("/dags/etl/delete")
    assert 'href="/dags/etl/delete"' in site.text("/dags/etl/grid")
    assert site.send("/dags/etl/delete").headers["location"] == "/?done=deleted&name=etl"
    assert "etl was deleted." in site.text("/?done=deleted&name=etl")
    assert 'id="dag-etl"' not in site.text("/")


def test_a_dag_with_a_running_run_cannot_be_deleted(site: Site) -> None:
    run = a_run(1, state=RunState.RUNNING, ended_at=None)
    site.store(run, a_ti(run, "extract"))
    assert "mark it failed first" in site.text("/dags/etl/delete")
    assert site.send("/dags/etl/delete").status_code == 409


# ---- runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["1", "0"]),
        ("state=success", ["0"]),
        ("type=manual", []),
        ("dag=ETL", ["1", "0"]),
        ("dag=none", []),
        ("dag_id=etl&state=failed", ["1"]),
        ("run=01-02", ["1"]),
        ("from=2026-01-03", ["1"]),
        ("to=2026-01-02", ["0"]),
        ("page=2", []),
    ],
)
def test_runs_are_found_by_the_address(site: Site, query: str, found: list[str]) -> None:
    site.store(a_run(1, state=RunState.FAILED, note="look <here>"))
    rows = [unquote(part.partition('"')[0]) for part in site.text(f"/runs?{query}").split('<tr id="run-etl-')[1:]]
    assert [str(int(row[len("scheduled__2026-01-") :][:2]) - 1) for row in rows] == found
    if "1" in found:
        assert "look &lt;here&gt;" in site.text(f"/runs?{query}")


def test_no_runs_is_said(empty: Site) -> None:
    assert "No runs yet." in empty.text("/runs")
    assert "No run matches." in empty.text("/runs?state=failed")
