"""All task instances of all DAGs; what people did."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from itertools import product

import httpx
import pytest

from asyncflow.core.specs import TaskGroupSpec, TaskSpec
from asyncflow.core.states import RunState, TaskState
from asyncflow.engine.browse import Matching, Place, TasksPage
from asyncflow.errors import InvalidInput
from asyncflow.store.browse import AuditLine, TaskWindow
from asyncflow.web import audit_view, browse_view
from asyncflow.web.i18n import Language
from asyncflow.web.paging import Pager
from tests.web.conftest import DAY0, RUN, RUN_PATH, Site, a_dag, a_run, a_ti

ENGLISH = Language("en")


def rows(text: str) -> list[str]:
    """The task instances of a page as task ids with the day of their run."""
    keys = re.findall(r'<tr id="ti-([^"]+)"', text)
    return [f"{key.split()[2]} {key.split('__')[-1][8:10]}" for key in keys]


def test_all_task_instances_are_listed_newest_run_first(site: Site) -> None:
    other = a_run(1, "report")
    site.store(other, a_ti(other, "load", pool="etl", operator="PythonOperator", try_number=2))
    text = site.text("/tasks")
    assert rows(text) == ["load 02", "extract 01", "load 01"]
    assert f'href="{RUN_PATH}/tasks/load/log"' in text
    assert f'<a href="{RUN_PATH}" title="{RUN}">{RUN}</a>' in text
    assert "all 3 matching task instances" in text
    assert rows(site.text("/tasks?sort=due")) == ["extract 01", "load 01", "load 02"]
    assert rows(site.text("/tasks?sort=-started")) == ["load 02", "load 01", "extract 01"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=failed", ["load 01"]),
        ("state=failed&state=success", ["load 02", "extract 01", "load 01"]),
        ("state=failed,success&dag=rep", ["load 02"]),
        ("dag_id=etl&task=ext", ["extract 01"]),
        ("dag=nothing", []),
        ("task_id=load&run=01-01", ["load 01"]),
        ("pool=etl", ["load 02"]),
        ("operator=Python", ["load 02"]),
        ("tries=more", ["load 02", "load 01"]),
        ("from=2026-01-03", ["load 02"]),
        ("to=2026-01-02", ["extract 01", "load 01"]),
        ("started_from=2026-01-03", ["load 02"]),
        ("runs=active", []),
        ("dag_id=report&run_id=scheduled__2026-01-02T00:00:00%2B00:00", ["load 02"]),
    ],
)
def test_filters_are_in_the_address(site: Site, query: str, expected: list[str]) -> None:
    other = a_run(1, "report")
    site.store(other, a_ti(other, "load", pool="etl", operator="PythonOperator", try_number=2))
    text = site.text(f"/tasks?{query}")
    assert rows(text) == expected
    assert ("No task instance matches." in text) is (not expected)


def test_a_long_list_has_pages(site: Site) -> None:
    run = a_run(1)
    site.store(run, *(a_ti(run, "load", map_index=index) for index in range(60)))
    first = site.text("/tasks?state=success")
    assert len(rows(first)) == 50
    assert "all 61 matching task instances" in first
    onward = re.findall(r'<a href="([^"]+)" rel="next"', first)[0].replace("&amp;", "&")
    second = site.text(f"/tasks{onward}")
    assert len(rows(second)) == 11
    assert '<a href="?state=success">⇤ First</a>' in second
    assert rows(site.text(f"/tasks{way(second, 'prev')}")) == rows(first)
    assert 'rel="next"' not in second


def way(text: str, rel: str) -> str:
    """Where a page's link to the one before or after leads."""
    return unescape(re.findall(rf'<a href="([^"]+)" rel="{rel}"', text)[0])


def test_a_page_that_polls_is_told_when_nothing_has_changed(site: Site) -> None:
    text = site.text("/tasks?state=failed")
    address = re.findall(r'hx-get="(/tasks/table[^"]+)"', text)[0].replace("&amp;", "&")
    assert site.get(address).status_code == 204
    site.ask(site.server.actions.mark_tasks, "etl", RUN, "load", "success")
    assert "No task instance matches." in site.get(address).text


def test_what_waits_says_why(site: Site) -> None:
    site.ask(site.server.actions.trigger_dag, "report", run_id="mine", triggered_by="cli")
    assert "The DAG &#39;report&#39; is paused." in site.text("/tasks?runs=active")


def test_hostile_names_are_text(empty: Site) -> None:
    empty.add(a_dag())
    run = a_run(run_id='manual 1/<b>"x"')
    empty.store(run, a_ti(run, "load", note="<script>", operator="<i>"))
    text = empty.text("/tasks")
    assert "<b>" not in text
    assert "manual%201%2F%3Cb%3E" in text
    assert 'value="-1 etl load manual 1/&lt;b&gt;&#34;x&#34;"' in text


@pytest.mark.parametrize(
    "query",
    [
        "state=broken",
        "sort=name",
        "after=x",
        "before=x",
        "after=1.2.-1.a&before=1.2.-1.a",
        "runs=all",
        "tries=9",
        "from=soon",
        "run_id=x",
        "look=far",
    ],
)
def test_a_wrong_address_gets_a_sentence(site: Site, query: str) -> None:
    answer = site.get(f"/tasks?{query}")
    assert answer.status_code == 400
    assert "Traceback" not in answer.text


def test_lists_of_runs_offer_to_select_them(site: Site) -> None:
    assert "the 1 matching run<" in site.text("/runs?state=success").replace("\n", "<")
    assert 'name="key" value="etl scheduled__2026-01-01T00:00:00+00:00"' in site.text("/runs")
    text = site.text("/dags/etl/runs?state=success")
    assert 'name="key" value="etl scheduled__2026-01-01T00:00:00+00:00"' in text
    assert '<input type="hidden" name="dag_id" value="etl">' in text
    assert "/audit?dag_id=etl" in text


def test_the_list_of_dags_leads_to_what_it_counts(site: Site) -> None:
    for day in (1, 2):
        run = a_run(day, state=RunState.RUNNING, ended_at=None)
        site.store(run, a_ti(run, "load", state=TaskState.FAILED))
    text = site.text("/")
    link = re.findall(r'href="(/tasks[^"]+)" title="2 failed"', text)[0].replace("&amp;", "&")
    assert rows(site.text(link)) == ["load 03", "load 02"]


# ---- what people did


def test_what_people_do_is_listed_with_its_arguments(site: Site) -> None:
    assert "Nobody has changed anything yet." in site.text("/audit")
    page = site.get("/").text
    token = re.findall(r'name="form_token" value="([^"]+)"', page)[0]
    site.post("/dags/etl/pause", {"form_token": token})
    site.post("/dags/etl/trigger", {"form_token": token, "run_id": "mine", "conf": '{"n": 1, "api_token": "hush"}'})
    text = site.text("/audit").partition("<tbody>")[2]
    assert text.index("trigger_dag") < text.index("pause_dag")
    assert '<a href="/dags/etl/runs/mine">mine</a>' in text
    assert "hush" not in text
    assert "***" in text
    assert "pause_dag" not in site.text("/audit?action=trigger_dag").partition("<tbody>")[2]
    assert "trigger_dag" in site.text("/audit?dag_id=etl&run_id=mine&via=ui").partition("<tbody>")[2]
    assert "Nothing of that kind was done." in site.text("/audit?via=cli")


def test_what_was_refused_is_listed_too(site: Site) -> None:
    token = re.findall(r'name="form_token" value="([^"]+)"', site.get("/").text)[0]
    site.post("/dags/etl/trigger", {"form_token": token, "run_id": RUN, "conf": ""})
    assert "with this run id or logical date" in site.text("/audit")


def test_the_audit_log_has_pages(site: Site) -> None:
    lines = [AuditLine(id=0, at=DAY0, via="cli", action="set_pool", arguments={"n": n}) for n in range(60)]
    site.ask(site.server.store.add_audit, lines)
    first = site.text("/audit")
    assert first.count('<tr id="audit-') == 50
    onward = re.findall(r'<a href="([^"]+)" rel="next"', first)[0]
    second = site.text(f"/audit{onward}")
    assert second.count('<tr id="audit-') == 10
    assert site.text(f"/audit{way(second, 'prev')}").count('<tr id="audit-') == 50
    oldest = site.text("/audit?sort=time")
    assert (re.findall(r'<tr id="audit-(\d+)"', oldest)[0], "?sort=time&amp;after=50" in oldest) == ("1", True)
    assert re.findall(r'<tr id="audit-(\d+)"', site.text("/audit?sort=time&before=51"))[-1] == "50"
    address = re.findall(r'hx-get="(/audit/table[^"]+)"', second)[0].replace("&amp;", "&")
    assert site.get(address).status_code == 204


@pytest.mark.parametrize("query", ["run_id=x", "via=api", "before=x", "from=soon"])
def test_a_wrong_address_of_the_audit_log_gets_a_sentence(site: Site, query: str) -> None:
    assert site.get(f"/audit?{query}").status_code == 400


# ---- pure parts


def a_page(number: int, *, complete: bool, place: Place | None = None, looked: bool = False) -> TasksPage:
    window = TaskWindow([], [], place, DAY0 if looked else None)
    return TasksPage(window, [], Matching(number, complete), None, back=False)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (a_page(1, complete=True), "the 1 matching task instance"),
        (a_page(1204, complete=True), "all 1,204 matching task instances"),
        (a_page(1000, complete=False), "all matching task instances, more than 1,000"),
        (a_page(3, complete=False), "all matching task instances"),
    ],
)
def test_how_many_match_is_said_as_far_as_it_is_known(page: TasksPage, words: str) -> None:
    assert browse_view.all_words(page.matching, ENGLISH) == words


def test_a_page_that_was_cut_short_is_followed_by_a_patient_one() -> None:
    place = Place(5, 7, "t", -1)
    looked = a_page(0, complete=False, place=place, looked=True)
    assert browse_view.pager(looked, {"pool": "x"}) == Pager(next="?pool=x&after=5.7.-1.t&look=long")
    back = browse_view.pager(looked._replace(back=True, place=Place(9, 9, "u", -1)), {})
    assert back == Pager(first="?", previous="?before=5.7.-1.t&look=long", next="?after=9.9.-1.u")
    assert browse_view.pager(a_page(0, complete=False, place=place), {"look": "long"}).next == "?after=5.7.-1.t"
    assert browse_view.pager(a_page(0, complete=True), {}) == Pager()


def test_a_chip_adds_its_state_or_takes_it_away() -> None:
    chips = {chip.state: chip for chip in browse_view.chips({"state": "failed,running", "after": "x", "dag": "d"})}
    assert chips["failed"].on
    assert chips["failed"].href == "?state=running&dag=d"
    assert chips["success"].href == "?state=failed%2Crunning%2Csuccess&dag=d"
    assert browse_view.chips({"state": "failed"})[0].href == "?"


def test_a_column_begins_with_the_latest() -> None:
    heads = browse_view.COLUMNS.heads({})
    assert (heads["due"].href, heads["started"].href) == ("?sort=due", "?sort=-started")
    heads = browse_view.COLUMNS.heads({"sort": "-started"})
    assert (heads["due"].href, heads["started"].href, heads["started"].current) == ("?", "?sort=started", True)


def test_within_one_run_there_is_no_order_of_starting() -> None:
    wanted = browse_view.search({"dag_id": "d", "run_id": "r", "sort": "started"}, ["d"])
    assert (wanted.order, wanted.run_name) == ("due", "r")
    with pytest.raises(InvalidInput, match="needs dag_id"):
        browse_view.search({"run_id": "r"}, None)


def test_a_line_of_the_audit_log_links_what_it_was_about() -> None:
    line = audit_view.line(
        AuditLine(
            id=1, at=DAY0 + timedelta(1), via="cli", who="ann", action="mark_tasks", dag_id="d", run_id="r",
            task_id="t", map_index=2, arguments={"state": "success", "what": ["a", "b"], "conf": {"n": 1}},
        )
    )  # fmt: skip
    assert (line.by, line.task, line.task_path) == ("ann (cli)", "t[2]", "/dags/d/runs/r/tasks/t?map_index=2")
    assert line.arguments == (("state", "success"), ("what", "a, b"), ("conf", '{"n":1}'))
    assert audit_view.line(AuditLine(id=1, at=DAY0, via="ui", action="set_pool", task_id="t")).task_path == ""


def test_a_run_shows_one_task_or_group_alone(empty: Site) -> None:
    tasks = {
        name: TaskSpec(task_id=name, group_id="pair" if name != "load" else None) for name in ("load", "load2", "x")
    }
    groups = {"all": TaskGroupSpec(group_id="all"), "pair": TaskGroupSpec(group_id="pair", parent="all")}
    empty.add(a_dag(tasks=tasks, groups=groups))
    run = a_run()
    empty.store(run, *(a_ti(run, name, state=TaskState.FAILED) for name in tasks))

    def shown(query: str) -> list[str]:
        return re.findall(r'<tr id="ti--1:(\w+)"', empty.text(f"{RUN_PATH}?{query}"))

    assert shown("task=load") == ["load", "load2"]
    assert shown("task_id=load") == ["load"]
    assert shown("task_id=pair") == ["load2", "x"]
    assert shown("task_id=all&task=x") == ["x"]
    assert "1 failed" in empty.text(f"{RUN_PATH}?task_id=load")
    assert 'name="all"' not in empty.text(f"{RUN_PATH}?task_id=pair")
    form = empty.get(empty.get(f"{RUN_PATH}/clear?all=1&of_task_id=load").headers["location"])
    assert "This touches 1 task instance." in form.text


def test_every_combination_of_filters_is_in_the_address(site: Site) -> None:
    """What a page shows again, after a change or when its address is opened, is what it showed."""
    other = a_run(1, "report")
    site.store(other, a_ti(other, "load", pool="etl", try_number=2), a_ti(other, "extract", state=TaskState.FAILED))
    choices = ({"state": "failed,success"}, {"dag": "rep"}, {"task": "load"}, {"tries": "more"}, {"pool": "etl"})
    for chosen in product(*(({}, choice) for choice in choices), ({}, {"sort": "-started"}, {"sort": "due"})):
        query = httpx.QueryParams({name: text for part in chosen for name, text in part.items()})
        text = site.text(f"/tasks?{query}")
        again = unescape(re.findall(r'hx-get="/tasks/table([^"]*)"', text)[0]).rpartition("have=")[0].rstrip("?&")
        assert rows(site.text(f"/tasks/table{again}")) == rows(text), query
        assert rows(site.text(f"/tasks{again}")) == rows(text), query
