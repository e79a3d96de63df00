"""Datasets in the store: events, queues, who waits since when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from asyncflow.core.commands import (
    SaveDatasetConsumer,
    SaveDatasetEvent,
    SaveDatasetQueue,
    SaveRun,
    TakeDatasetEvents,
)
from asyncflow.core.models import DatasetState
from asyncflow.core.timetable import DataInterval
from asyncflow.store.database import Store
from tests.store.builders import DAY, NOW, a_run, a_spec, parsed

pytestmark = pytest.mark.anyio


def event(number: int, uri: str = "a", **fields: Any) -> SaveDatasetEvent:
    """Event `number` of a run that stood for the day of that number."""
    values: dict[str, Any] = {
        "at": NOW + number * DAY,
        "span_start": NOW + number * DAY,
        "span_end": NOW + (number + 1) * DAY,
    }
    return SaveDatasetEvent(event_id=number, uri=uri, **values | fields)


async def with_consumer(store: Store, expression: Any = "a") -> None:
    spec = a_spec(dataset_expression=expression)
    await store.save_dags("d.py", [(spec, "waits")], parsed=parsed(), now=NOW, paused_at_creation=False)


async def state(store: Store) -> DatasetState:
    return await store.load_datasets(await store.load_dags())


async def test_events_come_back_in_both_orders_and_by_pages(store: Store) -> None:
    full = event(2, extra={"n": 1}, source_dag_id="d", source_run_id="r", source_task_id="t", source_map_index=3)
    await store.commit([event(1), full, event(3, "b", aliases=("x",))])
    everything = await store.dataset_events()
    assert [(found.event_id, found.uri) for found in everything] == [(1, "a"), (2, "a"), (3, "b")]
    assert everything[1].extra == {"n": 1}
    assert (everything[1].source_dag_id, everything[1].source_map_index) == ("d", 3)
    assert everything[1].at == NOW + 2 * DAY
    assert [found.event_id for found in await store.dataset_events(uri="a", newest_first=True)] == [2, 1]
    assert [found.event_id for found in await store.dataset_events(limit=1, offset=1)] == [2]
    assert [found.event_id for found in await store.dataset_events(alias="x")] == [3]
    assert await store.count_dataset_events() == 3
    assert await store.count_dataset_events(alias="nothing") == 0


async def test_an_asset_is_found_by_its_name_too(store: Store) -> None:
    await store.commit([event(1, "s3://x", name="orders"), event(2, "s3://x"), event(3, "b")])
    found = await store.dataset_events(uri="orders")
    assert [(event.event_id, event.name) for event in found] == [(1, "orders"), (2, "orders")]
    assert (await state(store)).aliases == {"orders": ("s3://x",)}
    assert await store.count_dataset_events(uri="orders") == 2
    assert [(d.uri, d.name, d.events, d.last_at) for d in await store.list_datasets()] == [
        ("b", "", 1, NOW + 3 * DAY),
        ("s3://x", "orders", 2, NOW + 2 * DAY),
    ]


async def test_a_run_gets_the_events_of_its_time(store: Store) -> None:
    await with_consumer(store)
    await store.commit([event(1), event(2), event(3, "b"), event(4), event(5)])
    taken = TakeDatasetEvents(dag_id="d", run_id="r", uris=("a",), after=NOW + DAY, upto=NOW + 4 * DAY)
    await store.commit([SaveDatasetQueue(dag_id="d", uri="a", at=NOW), SaveRun(run=a_run()), taken])
    assert [found.event_id for found in await store.events_of_run("d", "r")] == [2, 4]
    assert await store.events_of_run("d", "other") == []
    assert await store.runs_of_event(4) == [("d", "r")]
    assert await store.runs_of_event(5) == []
    assert await store.dataset_queues() == {}
    (consumer,) = (await state(store)).consumers
    assert (consumer.since, consumer.queued, consumer.before) == (NOW + 4 * DAY, {}, None)
    assert consumer.after == DataInterval(NOW + 5 * DAY, NOW + 6 * DAY)


async def test_what_is_queued_survives(store: Store) -> None:
    await with_consumer(store, {"all": ["a", "b", {"alias": "x"}]})
    await store.commit([SaveDatasetConsumer(dag_id="d", since=NOW)])
    queued: list[tuple[str, datetime]] = [("a", NOW + DAY), ("c", NOW + 2 * DAY)]
    await store.commit([event(1), event(2, "c", aliases=("x",)), event(3)])
    await store.commit([SaveDatasetQueue(dag_id="d", uri=uri, at=at) for uri, at in queued])
    await store.commit([SaveDatasetQueue(dag_id="d", uri="a", at=NOW + 9 * DAY)])
    found = await state(store)
    assert (found.last_id, found.last_at, found.aliases) == (3, NOW + 3 * DAY, {"x": ("c",)})
    (consumer,) = found.consumers
    assert consumer.expression == {"all": ["a", "b", {"alias": "x"}]}
    assert (consumer.dag_id, consumer.since, consumer.paused) == ("d", NOW, True)
    assert consumer.queued == dict(queued)
    assert consumer.before == DataInterval(NOW + DAY, NOW + 3 * DAY)
    assert consumer.after == DataInterval(NOW + 3 * DAY, NOW + 4 * DAY)


async def test_a_queue_is_trimmed_and_ends_with_the_waiting(store: Store) -> None:
    await with_consumer(store)
    await store.commit([SaveDatasetQueue(dag_id="d", uri=uri, at=NOW) for uri in "abc"])
    await store.commit([SaveDatasetConsumer(dag_id="d", since=NOW, queued=("b",))])
    assert await store.dataset_queues() == {"d": {"b": NOW}}
    await store.commit([SaveDatasetConsumer(dag_id="d", since=None)])
    assert await store.dataset_queues() == {}


async def test_a_store_without_datasets_has_nothing_to_say(store: Store) -> None:
    await store.save_dags("d.py", [(a_spec(), "v1")], parsed=parsed(), now=NOW)
    assert await state(store) == DatasetState()


async def test_a_deleted_dag_leaves_its_events_but_no_queue(store: Store) -> None:
    await with_consumer(store)
    taken = TakeDatasetEvents(dag_id="d", run_id="r", uris=("a",), after=NOW, upto=NOW + DAY)
    await store.commit([event(1), SaveRun(run=a_run()), taken])
    await store.commit([SaveDatasetQueue(dag_id="d", uri="a", at=NOW)])
    await store.delete_dag("d")
    assert await store.dataset_queues() == {}
    assert await store.count_dataset_events() == 1
    assert await store.runs_of_event(1) == []
    assert await store.check() == []
