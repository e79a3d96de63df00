"""`asyncflow tasks list-required-actions` and `answer`: tasks that wait for a person."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Commands
from tests.cli.fake_actions import RUN, FakeActions

ASKED = ("tasks", "answer", "etl", "load", RUN)


@pytest.fixture(autouse=True)
def question(actions: FakeActions) -> dict[str, object]:
    row = {"dag_id": "etl", "run_id": RUN, "task_id": "load", "map_index": -1, "subject": "Load it?"}
    row |= {"options": ["Approve", "Reject"], "multiple": False, "assigned": [], "until": None}
    actions.questions = [row]
    return row


def test_they_are_listed_of_all_dags_or_of_one(run: Commands) -> None:
    assert "Load it?" in run("tasks", "list-required-actions").stdout
    assert run.json("tasks", "list-required-actions", "-d", "etl")[0]["options"] == ["Approve", "Reject"]
    assert run("tasks", "list-required-actions", "-d", "other").stderr == "No task waits for a person.\n"


def test_an_answer_is_asked_about_then_given(run: Commands, actions: FakeActions) -> None:
    flags = ("--option", "Approve", "--params", '{"n": 3}')
    run(*ASKED, *flags, input="n\n", code=1)
    assert actions.calls == []
    result = run(*ASKED, *flags, input="y\n")
    assert "Load it? Approve?" in result.stderr
    assert result.stdout == f"Answered load of {RUN}: Approve.\n"
    given = {"dag_id": "etl", "run_id": RUN, "task_id": "load", "map_index": -1, "options": ["Approve"]}
    assert actions.calls == [("answer_task", {**given, "params": {"n": 3}})]


def test_without_an_option_it_says_what_is_asked(run: Commands) -> None:
    said = run(*ASKED, "--yes", code=2).stderr
    assert 'Load it? Answer it with one of: --option "Approve" --option "Reject"' in said


def test_a_question_with_one_option_needs_none(
    run: Commands, actions: FakeActions, question: dict[str, object]
) -> None:
    question["options"] = ["OK"]
    run(*ASKED, "--yes")
    assert actions.calls[0][1]["options"] == ["OK"]


def test_a_task_that_asks_nothing_is_refused(run: Commands) -> None:
    assert "does not wait for an answer" in run("tasks", "answer", "etl", "extract", RUN, "--yes", code=4).stderr
