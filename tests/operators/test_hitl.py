"""Operators that ask a person, where nobody can answer."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from asyncflow.authoring.dag import DAG
from asyncflow.operators.empty import EmptyOperator
from asyncflow.operators.hitl import ApprovalOperator, HITLBranchOperator, HITLEntryOperator, HITLOperator
from asyncflow.testing.player import PlayResult, play

SOON = dt.timedelta(milliseconds=1)


def played(make: Any, **kwargs: Any) -> PlayResult:
    with DAG("d", start_date=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), schedule=None) as dag:
        asked = make(task_id="ask", subject="{{ ds }}?", **kwargs)
        asked >> [EmptyOperator(task_id="a"), EmptyOperator(task_id="b")]
    return play(dag, dt.datetime(2024, 1, 2, tzinfo=dt.UTC), logs=False)


def test_defaults_count_when_the_time_is_up() -> None:
    heard: list[str] = []
    result = played(
        HITLOperator,
        options=["x", "y"],
        defaults="x",
        response_timeout=SOON,
        params={"n": 5},
        notifiers=lambda context: heard.append(context["task"].subject),
    )
    assert result.state == "success"
    assert result.xcoms["ask"]["return_value"]["chosen_options"] == ["x"]
    assert result.xcoms["ask"]["return_value"]["params_input"] == {"n": 5}
    assert heard == ["2024-01-02?"]


def test_without_defaults_it_fails_at_once() -> None:
    assert "Nobody can answer without a server" in played(HITLEntryOperator, retries=3).errors["ask"]


def test_a_branch_goes_where_the_default_says() -> None:
    result = played(
        HITLBranchOperator, options=["A", "b"], defaults=["A"], options_mapping={"A": "a"}, response_timeout=SOON
    )
    assert result.tasks == {"ask": "success", "a": "success", "b": "skipped"}


@pytest.mark.parametrize(
    ("options", "states"),
    [
        ({"defaults": "Approve"}, ["success", "success"]),
        ({"defaults": "Reject"}, ["success", "skipped"]),
        ({"defaults": "Reject", "ignore_downstream_trigger_rules": True}, ["success", "skipped"]),
        ({"defaults": "Reject", "fail_on_reject": True}, ["failed", "upstream_failed"]),
    ],
)
def test_a_no_skips_or_fails(options: dict[str, Any], states: list[str]) -> None:
    result = played(ApprovalOperator, response_timeout=SOON, **options)
    assert [result.tasks["ask"], result.tasks["a"]] == states


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"options": []}, "cannot be empty"),
        ({"options": ["x"], "defaults": ["z"]}, "are no options"),
        ({"options": ["x", "y"], "defaults": ["x", "y"]}, "needs multiple=True"),
    ],
)
def test_options_must_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HITLOperator(task_id="t", subject="?", **options)


def test_the_link_names_dag_and_run() -> None:
    with DAG("d", schedule=None) as dag:
        HITLOperator(
            task_id="ask",
            subject="?",
            options=["x"],
            defaults="x",
            response_timeout=SOON,
            on_success_callback=lambda context: links.append(
                HITLOperator.generate_link_to_ui_from_context(context=context, base_url="http://h")
            ),
        )
    links: list[str] = []
    result = play(dag, logs=False)
    assert links == [f"http://h/dags/d/runs/{result.run_id}"]


def test_nobody_has_answered_and_there_are_no_defaults() -> None:
    assert "HITLTimeoutError" in played(HITLOperator, options=["x"], response_timeout=SOON).errors["ask"]


def test_those_who_should_answer_are_named() -> None:
    made = HITLOperator(task_id="t", subject="?", options=["x"], assigned_users=[{"id": "1", "name": "Kim"}, "lee"])
    assert made._trigger({"params": {}}).asked["assigned"] == ["Kim", "lee"]
