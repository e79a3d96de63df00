"""Pools as pages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from asyncflow.core.specs import TaskSpec
from asyncflow.core.states import RunState, TaskState
from tests.web.conftest import Site, a_dag, a_run, a_ti, once_in

HOSTILE = "p/<script>?x=1&y#z"
HOSTILE_PATH = "/pools/p%2F%3Cscript%3E%3Fx%3D1%26y%23z"


@pytest.fixture
def busy(empty: Site) -> Site:
    """A pool `db` of two slots: one runs, one is queued, two wait."""
    tasks = {f"t{number}": TaskSpec(task_id=f"t{number}", operator="BashOperator", pool="db") for number in range(4)}
    spec = a_dag(tasks=tasks)
    empty.ask(empty.server.actions.set_pool, "db", 2, "queries")
    empty.add(spec)
    run = a_run(state=RunState.RUNNING, ended_at=None)
    states = (TaskState.RUNNING, TaskState.QUEUED, TaskState.SCHEDULED, TaskState.SCHEDULED)
    tis = [
        a_ti(run, f"t{number}", state=state, ended_at=None, pool="db", token=f"token{number}")
        for number, state in enumerate(states)
    ]
    empty.store(run, *tis)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    empty.ask(empty.server.scheduler.do, lambda world, _now: world.load_run(run, tis, now))
    return empty


def test_the_list_shows_who_has_what(busy: Site) -> None:
    text = busy.text("/pools")
    assert 'href="/pools/db"' in text
    assert 'aria-label="0 of 2 slots open"' in text
    assert '<rect class="state-running" x="0" width="500"' in text
    assert '<rect class="state-queued" x="500" width="500"' in text
    assert 'href="/pools/db#waiting">2<' in text
    assert "default_pool" in text


def test_a_pools_page_names_those_who_run_and_wait_and_why(busy: Site) -> None:
    text = busy.text("/pools/db")
    for number in range(4):
        assert f"/tasks/t{number}" in text
    assert text.count("is full (2 of 2 slots taken) by etl.t0, etl.t1") == 2
    assert '<a href="/dags/etl">etl</a> <span class="number">4 tasks</span>' in text


def test_a_page_that_has_it_gets_nothing(busy: Site) -> None:
    text = busy.text("/list/pools")
    have = text.partition("have=")[2].partition('"')[0]
    assert busy.get(f"/list/pools?have={have}").status_code == 204
    busy.ask(busy.server.actions.set_pool, "db", 3)
    assert busy.get(f"/list/pools?have={have}").status_code == 200
    assert busy.get("/list/pool?name=db").status_code == 200


def test_a_pool_is_added_changed_and_deleted(empty: Site) -> None:
    fields = {"name": HOSTILE, "slots": "3", "description": "<b>", "once": once_in(empty.get("/add/pool"))}
    answer = empty.send("/add/pool", fields, page="/add/pool")
    assert (answer.status_code, answer.headers["location"].startswith("/pools?done=added")) == (303, True)
    assert "&lt;script&gt;?x=1&amp;y#z was added." in empty.text(answer.headers["location"])
    assert "<h1>p/&lt;script&gt;" in empty.text(HOSTILE_PATH)
    edit = {"name": HOSTILE, "slots": "-1", "include_deferred": "1"}
    assert empty.send("/edit/pool", edit, page="/add/pool").status_code == 303
    row = empty.ask(empty.server.actions.get_pool, HOSTILE)
    assert (row["slots"], row["include_deferred"], row["description"]) == (-1, True, "")
    assert "This cannot be undone." in empty.text(f"/delete/pools?name={HOSTILE_PATH[7:]}")
    answer = empty.send("/delete/pools", {"name": HOSTILE}, page="/add/pool")
    assert "was deleted." in empty.text(answer.headers["location"])
    assert empty.get(HOSTILE_PATH).status_code == 404


def test_the_same_form_twice_acts_once(empty: Site) -> None:
    fields = {"name": "p", "slots": "3", "once": "one-key"}
    first, second = (empty.send("/add/pool", fields, page="/add/pool") for _ in range(2))
    assert first.headers["location"] == second.headers["location"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "p", "slots": "x"}, "is not a whole number"),
        ({"name": "p", "slots": "-2"}, "0 or more slots"),
        ({"name": "", "slots": "1"}, "1 to 256 characters"),
        ({"name": "default_pool", "slots": "1"}, "exists already"),
    ],
)
def test_a_mistake_is_a_sentence_in_the_form(empty: Site, fields: dict[str, str], words: str) -> None:
    answer = empty.send("/add/pool", fields, page="/add/pool")
    assert answer.status_code == 400
    assert words in answer.text
    assert f'value="{fields["slots"]}"' in answer.text


def test_a_pool_that_went_away_is_not_made_anew_by_an_edit(empty: Site) -> None:
    answer = empty.send("/edit/pool", {"name": "gone", "slots": "1"}, page="/add/pool")
    assert answer.status_code == 400
    assert "There is no pool" in answer.text


def test_deleting_says_first_who_is_concerned(busy: Site) -> None:
    text = busy.text("/delete/pools?name=db&name=gone")
    assert "db: 2 slots are taken; the tasks go on. 2 slots are waited for: in vain" in text
    assert "1 that was selected is not there any more." in text


def test_default_pool_stays(empty: Site) -> None:
    answer = empty.send("/delete/pools", {"name": "default_pool"}, page="/add/pool")
    assert answer.status_code == 409
    assert "default_pool cannot be deleted" in answer.text


def test_nothing_selected_is_said(empty: Site) -> None:
    assert "Nothing is selected." in empty.text("/delete/pools")
    assert empty.get("/delete/other").status_code == 404
