"""What tasks say and read about datasets."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from asyncflow.authoring.assetevents import InletEvents, OutletEvents
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.dataset import Dataset, DatasetAlias
from asyncflow.authoring.decorators import task
from asyncflow.testing.player import play

DATA, ALIAS = Dataset("s3://data", name="data"), DatasetAlias("alias")


def test_extra_is_kept_per_outlet() -> None:
    events = OutletEvents()
    events[DATA].extra = {"rows": 3}
    assert events["s3://data"].extra == {"rows": 3}
    assert list(events) == [DATA]
    assert len(events) == 1
    with pytest.raises(KeyError):
        events[5]


def test_an_alias_takes_datasets_and_a_dataset_does_not() -> None:
    events = OutletEvents()
    events[ALIAS].add(DATA, {"a": 1})
    events[ALIAS].add("s3://other")
    events[DATA].add("s3://other")
    assert [event["dest_asset"].uri for event in events[ALIAS].asset_alias_events] == ["s3://data", "s3://other"]
    assert events[ALIAS].asset_alias_events[0]["extra"] == {"a": 1}
    assert events[DATA].asset_alias_events == []


def test_a_partition_counts_once() -> None:
    event = OutletEvents()[DATA]
    event.add_partitions("us")
    event.add_partitions(["us", "eu", "eu"], {"a": 1})
    assert (event.partition_keys, event.extra) == (["us", "eu"], {"a": 1})


def test_only_inlets_have_events_to_read() -> None:
    events = InletEvents([DATA, ALIAS, "a file"])
    assert list(events) == [DATA, ALIAS]
    for key in (DATA, Dataset.ref(name="data"), "s3://data", ALIAS, 0, -1):
        assert list(events[key]) == []
    for wrong in (Dataset("s3://other"), DatasetAlias("data")):
        with pytest.raises(KeyError):
            events[wrong]
    with pytest.raises(IndexError):
        events[2]


def test_tasks_find_the_accessors_in_their_context() -> None:
    with DAG("d", start_date=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), schedule=None) as dag:

        @task(inlets=[DATA], outlets=[ALIAS])
        def update(inlet_events: Any = None, outlet_events: Any = None) -> list[Any]:
            outlet_events[ALIAS].add(DATA)
            return list(inlet_events[DATA])

        update()
    assert play(dag, logs=False).xcoms == {"update": {"return_value": []}}
