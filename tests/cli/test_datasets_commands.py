"""`asyncflow datasets ...` over hand-written rows."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Commands
from tests.cli.fake_actions import FakeActions, a_dag, a_dataset, an_event


@pytest.mark.parametrize("group", ["datasets", "assets"])
def test_list_shows_who_makes_and_who_waits(run: Commands, group: str) -> None:
    text = run(group, "list").stdout
    assert "s3://orders" in text
    assert "etl.load" in text
    assert run.json(group, "list")[0]["producers"] == [{"dag_id": "etl", "task_id": "load"}]


def test_list_of_nothing_says_so(run: Commands, actions: FakeActions) -> None:
    actions.datasets = []
    assert "No DAG names a dataset" in run("datasets", "list").stderr


@pytest.mark.parametrize("words", [["s3://orders"], ["--uri", "s3://orders"], ["--name", "orders"]])
def test_details_by_uri_or_name(run: Commands, words: list[str]) -> None:
    assert run.json("datasets", "details", *words)["last_events"][0]["event_id"] == 1


def test_details_needs_a_dataset_that_is_there(run: Commands) -> None:
    assert "Say which dataset" in run("datasets", "details", code=2).stderr
    assert "s3://orders" in run("datasets", "details", "s3://order", code=3).stderr


def test_events_name_their_source_and_the_runs_they_led_to(run: Commands, actions: FakeActions) -> None:
    actions.events.append(an_event(source_dag_id="", extra={}))
    actions.events.append(an_event(source_map_index=3))
    rows = run("datasets", "events", "--limit", "5", "-o", "plain").stdout
    assert "etl.load scheduled__" in rows
    assert "etl.load[3] " in rows
    assert "report dataset_triggered__1" in rows
    assert actions.calls[-1] == ("list_dataset_events", {"uri": None, "limit": 5})
    assert run.json("datasets", "events")[0]["extra"] == {"rows": 3}


def test_update_says_what_happened(run: Commands, actions: FakeActions) -> None:
    result = run("datasets", "update", "s3://orders", "--extra", '{"n": 1}')
    assert "Event 7 of s3://orders" in result.stdout
    assert "No DAG's schedule names it." in result.stderr
    assert actions.calls[-1] == ("update_dataset", {"uri": "s3://orders", "extra": {"n": 1}})


def test_clear_queue_names_what_is_awaited_anew(run: Commands) -> None:
    assert "report waits anew for: s3://orders." in run("datasets", "clear-queue", "report", "s3://orders").stdout
    assert "Nothing was queued" in run("datasets", "clear-queue", "report").stdout


def test_materialize_triggers_the_one_dag_that_makes_it(run: Commands, actions: FakeActions) -> None:
    assert run.json("assets", "materialize", "--name", "orders")[0]["dag_id"] == "etl"
    assert "Say which dataset" in run("assets", "materialize", code=2).stderr
    actions.datasets = [a_dataset(producers=[])]
    assert "No DAG here makes" in run("assets", "materialize", "orders", code=1).stderr
    actions.datasets = [a_dataset(producers=[{"dag_id": name, "task_id": "t"} for name in ("b", "a")])]
    assert "is made by a, b" in run("assets", "materialize", "orders", code=1).stderr


def test_next_execution_of_a_dag_that_waits_for_datasets(run: Commands, actions: FakeActions) -> None:
    datasets = {"a": "2026-01-02T00:00:00+00:00", "b": None}
    actions.dags["etl"] = a_dag("etl", dataset_condition="a and b", datasets=datasets)
    assert "etl runs when a and b is updated; so far updated: a." in run("dags", "next-execution", "etl").stderr
    assert run.json("dags", "list", "--columns", "dag_id,waits_for")[0] == {"dag_id": "etl", "waits_for": ["b"]}
