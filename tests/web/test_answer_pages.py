"""Tasks that ask a person: the list of them, the form of each question, and the answer."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow.core.asking import CLASSPATH
from asyncflow.core.states import RunState, TaskState
from tests.web.conftest import Site, a_run, a_ti, once_in, token_in

ASKED = {
    "subject": "Load <b>all</b>?",
    "body": "There are *7* files.",
    "options": ["Approve", "Reject"],
    "defaults": ["Reject"],
    "params": {"n": {"value": 3, "schema": {"type": "integer", "maximum": 10}}},
    "assigned": ["kim"],
    "moment": "2999-01-01T00:00:00+00:00",
}


def ask(site: Site, **changed: Any) -> str:
    """The run whose extract asks; the address of the instance."""
    run = a_run(1, state=RunState.RUNNING, ended_at=None)
    trigger = {"classpath": CLASSPATH, "kwargs": {**ASKED, **changed}}
    more = {"next_method": "execute_complete", "token": "t", "ended_at": None, "trigger": trigger}
    tis = [a_ti(run, "extract", state=TaskState.DEFERRED, **more), a_ti(run, "load", state=TaskState.NONE)]
    site.store(run, *tis)
    site.ask(site.server.scheduler.do, lambda world, now: world.load_run(run, tis, now))
    return f"/dags/etl/runs/{run.run_id}/tasks/extract"


def test_what_waits_for_an_answer_says_so_and_links_the_form(site: Site) -> None:
    path = ask(site)
    for page in (path, f"{path}/log"):
        text = site.text(page)
        assert "Load &lt;b&gt;all&lt;/b&gt;?" in text
        assert "awaiting input" in text
        assert "It waits for the answer of a person" in text
        assert '/tasks/extract/answer" data-dialog' in text


def test_it_is_shown_and_filtered_as_awaiting_input(site: Site) -> None:
    run = ask(site).partition("/tasks/")[0]
    assert 'class="c state-awaiting_input"' in site.text("/dags/etl/grid")
    assert 'state-awaiting_input"' in site.text(f"/dags/etl/graph?run={run.rpartition('/')[2].replace('+', '%2B')}")
    assert 'state=awaiting_input"' in site.text("/")
    for page in (run, "/tasks"):
        text = site.text(f"{page}?state=awaiting_input")
        assert text.count("<tr id=") == 1
        assert '<span class="badge state-awaiting_input">' in text
        assert "<tr id=" not in site.text(f"{page}?state=deferred")
    assert "awaiting input" in site.text("/dags/etl/grid?lit=awaiting_input")


def test_questions_are_listed(site: Site) -> None:
    assert "No task waits for an answer." in site.text("/answers")
    ask(site)
    text = site.text("/answers")
    assert "1 task waits for an answer" in site.text("/")
    assert "Load &lt;b&gt;all&lt;/b&gt;?" in text
    assert "kim" in text


def test_an_answer_lets_the_task_go_on_once(site: Site) -> None:
    path = ask(site)
    page = site.get(f"{path}/answer")
    assert "Without an answer by then, Reject counts:" in page.text
    assert "There are <em>7</em> files." in page.text
    assert '<button class="go" name="option" value="Approve">' in page.text
    data = {"form_token": token_in(page), "once": once_in(page), "option": "Approve", "param.n": "5"}
    for _ in range(2):
        answer = site.post(f"{path}/answer", data)
        assert (answer.status_code, answer.headers["location"].replace("%3A", ":").replace("%2B", "+")) == (303, path)
    ti = site.server.scheduler.world.task_instance(
        site.server.scheduler.world.tasks_of("etl", path.split("/")[4])[0].key
    )
    assert ti is not None
    assert ti.state is not TaskState.DEFERRED
    event = (ti.next_kwargs or {})["event"]
    assert (event["chosen_options"], event["params_input"]) == (["Approve"], {"n": 5})
    again = site.post(f"{path}/answer", {**data, "once": "another"})
    assert again.status_code == 409
    assert "does not wait for an answer now" in again.text
    assert site.get(f"{path}/answer").status_code == 409


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"option": "Maybe"}, "&#39;Maybe&#39; is no option: accepted are Approve, Reject."),
        ({}, "Choose one of Approve, Reject."),
        ({"option": "Approve", "param.n": "11"}, "11 is greater than the maximum of 10"),
        ({"option": "Approve", "param.n": "x"}, "is not a number"),
    ],
)
def test_a_mistake_comes_back_with_a_sentence(site: Site, fields: dict[str, str], sentence: str) -> None:
    path = ask(site)
    page = site.get(f"{path}/answer")
    answer = site.post(f"{path}/answer", {"form_token": token_in(page), "once": once_in(page), **fields})
    assert answer.status_code == 400
    assert sentence in answer.text


def test_many_options_are_chosen_from_a_list(site: Site) -> None:
    path = ask(site, options=["Reject", *(f"o{n}" for n in range(9))], multiple=True, moment=None)
    text = site.text(f"{path}/answer")
    assert text.count('type="checkbox" name="option"') == 10
    assert 'value="Reject" checked' in text


def test_a_task_that_asks_nothing_has_no_form(site: Site) -> None:
    from tests.web.conftest import RUN_PATH

    assert site.get(f"{RUN_PATH}/tasks/extract/answer").status_code == 409
