"""The page of one task instance, what happened to it, its XComs, and the copies of a mapped task."""

from __future__ import annotations

import json

from asyncflow.core.commands import Journal, SaveXComs
from asyncflow.core.models import Pool, TaskKey
from asyncflow.core.specs import TaskSpec
from asyncflow.core.states import RunState, TaskState
from asyncflow.web import address
from tests.web.conftest import DAY0, RUN, RUN_PATH, Site, a_dag, a_run, a_ti

EXTRACT = f"{RUN_PATH}/tasks/extract"
KEY = TaskKey("etl", RUN, "extract")


def push(site: Site, **values: object) -> None:
    texts = {name: json.dumps(value) for name, value in values.items()}
    site.ask(site.server.store.commit, [SaveXComs(key=KEY, values=texts)])


def test_xcoms_have_types_and_long_ones_an_address_of_their_own(site: Site) -> None:
    push(site, return_value={"a": [1, "<b>"]}, long="x" * 300_000)
    text = site.text(EXTRACT)
    assert "dict, 1" in text
    assert "&lt;b&gt;" in text
    assert len(text) < 60_000
    assert "All 300,002 characters" in text
    answer = site.get(f"{EXTRACT}/xcom?key=long")
    assert (answer.headers["content-type"], len(answer.text)) == ("application/json", 300_002)
    assert site.get(f"{EXTRACT}/xcom?key=nothing").status_code == 404


def test_no_secret_is_shown_not_even_a_part_of_one(site: Site) -> None:
    site.ask(site.server.actions.set_variable, "api_token", "hunter2hunter2")
    push(site, value="x" * 9_992 + "hunter2hunter2" + "y" * 9000)
    assert "hunter" not in site.text(EXTRACT)
    assert "hunter" not in site.get(f"{EXTRACT}/xcom?key=value").text


def test_extra_links_lead_where_the_operator_says(site: Site) -> None:
    push(site, _link_Report="https://reports.example/7")
    text = site.text(EXTRACT)
    assert 'href="https://reports.example/7"' in text
    assert "_link_" not in text


def test_what_happened_to_it_is_listed_and_nothing_else(site: Site) -> None:
    lines = [
        Journal(at=DAY0, event="task.queued", dag_id="etl", run_id=RUN, task_id=task_id, after="queued")
        for task_id in ("extract", "load")
    ]
    site.ask(site.server.store.commit, lines)
    text = site.text(f"{EXTRACT}/events")
    assert text.count("task.queued") == 1
    assert "Nothing more." in site.text(f"{EXTRACT}/events?after=100000")


def test_what_it_waits_for_is_linked(empty: Site) -> None:
    tasks = {name: TaskSpec(task_id=name, operator="BashOperator", pool="few") for name in ("one", "two")}
    empty.add(a_dag(tasks=tasks))
    run = a_run(state=RunState.RUNNING, ended_at=None)
    more = {"pool": "few", "ended_at": None}
    one = a_ti(run, "one", state=TaskState.RUNNING, token="t", **more)
    two = a_ti(run, "two", state=TaskState.SCHEDULED, started_at=None, try_number=0, **more)
    empty.store(run, one, two)
    empty.ask(empty.server.scheduler.do, lambda world, now: world.put_pool(Pool(name="few", slots=1)))
    empty.ask(empty.server.scheduler.do, lambda world, now: world.load_run(run, [one, two], now))
    for page in ("", "/log"):
        text = empty.text(f"{RUN_PATH}/tasks/two{page}")
        assert "is full (1 of 1 slots taken)" in text
        assert '<a href="/pools/few">few</a>' in text
        assert f'<a href="{RUN_PATH}/tasks/one">one</a>' in text


def test_the_copies_of_a_mapped_task(empty: Site) -> None:
    empty.add(a_dag())
    run = a_run()
    states = [TaskState.SUCCESS, TaskState.FAILED, TaskState.SUCCESS]
    empty.store(run, *(a_ti(run, "extract", map_index=n % 250, state=states[n % 3]) for n in range(250)))
    for page in ("", "/log"):
        answer = empty.get(f"{EXTRACT}{page}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"{EXTRACT}/copies")
    text = empty.text(f"{EXTRACT}/copies")
    assert text.count('<tr id="ti-') == 100
    assert "1 to 100 of 250" in text
    assert "83 failed" in text
    failed = empty.text(f"{EXTRACT}/copies?state=failed&sort=-index")
    assert failed.count('<tr id="ti-') == 83
    assert failed.index("extract[247]") < failed.index("extract[1]")
    assert "No task instance matches." in empty.text(f"{EXTRACT}/copies?state=running")
    assert empty.get(f"{EXTRACT}/copies?sort=colour").status_code == 400
    assert f'href="{EXTRACT}/copies"' in empty.text(f"{EXTRACT}?map_index=1")


def test_the_same_task_of_the_runs_beside_is_a_key_away(site: Site) -> None:
    site.store(a_run(1), a_ti(a_run(1), "load"))
    there = address.task_path("etl", a_run(1).run_id, "load")
    for page in ("", "/log"):
        assert f'href="{there}{page}" data-key="]"' in site.text(f"{RUN_PATH}/tasks/load{page}")
        assert f'href="{RUN_PATH}/tasks/load{page}" data-key="["' in site.text(f"{there}{page}")


def test_documentation_of_a_task_is_markdown(empty: Site) -> None:
    empty.add(a_dag(tasks={"load": TaskSpec(task_id="load", operator="BashOperator", doc_md="Loads *all* <b>")}))
    empty.store(a_run(), a_ti(a_run(), "load"))
    assert "Loads <em>all</em> &lt;b&gt;" in empty.text(f"{RUN_PATH}/tasks/load")
