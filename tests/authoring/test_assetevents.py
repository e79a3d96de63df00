"""What tasks say and read about datasets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from asyncflow.authoring.api import DatasetEventRow, use_api
from asyncflow.authoring.assetevents import (
    DatasetEvent,
    InletEvents,
    OutletEvents,
    TriggeringEvents,
    events_of,
    triggering_by_uri,
)
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.dataset import Dataset, DatasetAlias, Metadata
from asyncflow.authoring.decorators import task
from asyncflow.core.messages import RunContext
from asyncflow.core.models import TaskKey
from asyncflow.core.states import RunType
from asyncflow.testing.memory import MemoryApi
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


# ---- events of other tasks ------------------------------------------------------------------------------------------

NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


def row(number: int, uri: str = "s3://data", **fields: Any) -> DatasetEventRow:
    return DatasetEventRow(event_id=number, uri=uri, at=NOON + dt.timedelta(hours=number), **fields)


@pytest.fixture
def api() -> Iterator[MemoryApi]:
    api = MemoryApi()
    before = use_api(api)
    yield api
    use_api(before)


def test_events_of_an_inlet_are_asked_for_as_they_are_looked_at(api: MemoryApi) -> None:
    api.events = [row(1), row(2, "s3://other"), row(3, aliases=("alias",)), row(4)]
    events = InletEvents([DATA, ALIAS])[DATA]
    assert [event.id for event in events] == [1, 3, 4]
    assert (len(events), events[0].id, events[-1].id, events[-3].id) == (3, 1, 4, 1)
    assert [event.id for event in events[1:]] == [3, 4]
    assert events
    for place in (3, -4):
        with pytest.raises(IndexError):
            events[place]
    assert [event.id for event in InletEvents([DATA, ALIAS])[1]] == [3]
    api.events = [row(number) for number in range(1001)]
    assert len(list(events)) == 1001


def test_an_event_leads_to_the_run_and_the_task_that_made_it(api: MemoryApi) -> None:
    source: dict[str, Any] = {
        "source_dag_id": "maker",
        "source_run_id": "r",
        "source_task_id": "make",
        "source_map_index": 2,
    }
    event = DatasetEvent(row(1, extra={"rows": 3}, aliases=("alias",), **source), api)
    assert (event.uri, event.extra, event.timestamp.hour) == ("s3://data", {"rows": 3}, 13)
    assert (event.dataset.uri, event.asset.uri, event.source_aliases) == ("s3://data", "s3://data", [ALIAS])
    assert [event.source_dag_run] == [None]
    api.runs["maker", "r"] = RunContext(run_id="r", dag_id="maker", data_interval_start=NOON)
    assert event.source_dag_run.data_interval_start == NOON
    maker = event.source_task_instance
    assert maker is not None
    assert maker.xcom_pull(default="nothing") == "nothing"
    api.xcom_set(TaskKey("maker", "r", "make", 2), "return_value", "[1]")
    assert maker.xcom_pull() == [1]
    assert "maker/r/make[2]" in repr(event)


def test_an_event_from_outside_has_no_source(api: MemoryApi) -> None:
    event = DatasetEvent(row(1), api)
    assert (event.source_dag_id, event.source_dag_run, event.source_task_instance) == (None, None, None)


def test_triggering_events_by_uri_and_by_asset(api: MemoryApi) -> None:
    events = [DatasetEvent(row(1), api), DatasetEvent(row(2, "data", aliases=("alias",)), api)]
    by_uri = triggering_by_uri(events)
    assert {uri: len(found) for uri, found in by_uri.items()} == {"s3://data": 1, "data": 1}
    assert by_uri["s3://nothing"] == []
    by_asset = TriggeringEvents(events)
    assert [asset.uri for asset in by_asset] == ["s3://data", "data"]
    assert len(by_asset) == 2
    assert [event.id for event in by_asset[DATA]] == [1, 2]
    assert [event.id for event in by_asset["s3://data"]] == [1]
    assert [event.id for event in by_asset[ALIAS]] == [2]


def test_a_task_says_what_it_updated() -> None:
    said = OutletEvents()
    said[DATA].extra = {"at": NOON}
    said[ALIAS].add("s3://new", {"n": 1})
    said[DatasetAlias("second")].add("s3://new", {"n": 1})
    said[ALIAS].add("s3://new", {"n": 2})
    plain = Dataset("s3://plain")
    assert events_of([DATA, "a file", plain, ALIAS, DatasetAlias("second")], said) == (
        {"uri": "s3://data", "name": "data", "extra": {"at": str(NOON)}},
        {"uri": "s3://plain", "name": "", "extra": {}},
        {"uri": "s3://new", "name": "", "extra": {"n": 1}, "aliases": ["alias", "second"]},
        {"uri": "s3://new", "name": "", "extra": {"n": 2}, "aliases": ["alias"]},
    )


def test_a_played_dag_emits_events_and_reads_them() -> None:
    with DAG("assets", schedule=None) as dag:

        @task(outlets=[DATA, ALIAS])
        def write() -> Any:
            yield Metadata(DATA, {"rows": 3})
            yield Metadata("s3://new", {"rows": 4}, alias=ALIAS)
            return 7

        @task(inlets=[DATA])
        def read(inlet_events: Any, triggering_dataset_events: Any) -> list[Any]:
            event = inlet_events[DATA][-1]
            return [event.extra["rows"], event.source_task_instance.xcom_pull(), len(triggering_dataset_events)]

        write() >> read()
    api = MemoryApi()
    result = play(dag, api=api)
    assert result.xcoms["read"]["return_value"] == [3, 7, 0]
    assert [(event.uri, event.extra, event.aliases) for event in api.events] == [
        ("s3://data", {"rows": 3}, ()),
        ("s3://new", {"rows": 4}, ("alias",)),
    ]


def test_a_run_made_for_events_knows_them() -> None:
    api = MemoryApi()
    with DAG("consumer", schedule=[DATA], start_date=NOON, render_template_as_native_obj=True) as dag:

        @task(templates_dict={"rows": "{{ (triggering_dataset_events.values() | first | first).extra['rows'] }}"})
        def read(triggering_asset_events: Any, templates_dict: Any) -> list[Any]:
            return [templates_dict["rows"], triggering_asset_events[DATA][0].extra["rows"]]

        read()
    run_id = "dataset_triggered__1"
    api.triggered_by["consumer", run_id] = [row(1, extra={"rows": 5})]
    result = play(dag, run_id=run_id, run_type=RunType.DATASET_TRIGGERED, api=api)
    assert result.xcoms["read"]["return_value"] == [5, 5]
