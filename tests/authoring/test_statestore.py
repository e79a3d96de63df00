"""What tasks keep between tries, and of assets between runs."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from asyncflow.authoring.api import use_api
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.dataset import Dataset
from asyncflow.authoring.decorators import task
from asyncflow.authoring.statestore import NEVER_EXPIRE, AssetStateStores, task_state_store
from asyncflow.testing.memory import MemoryApi
from asyncflow.testing.player import play

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
ORDERS = Dataset("s3://orders", name="orders")


@pytest.fixture
def api() -> Iterator[MemoryApi]:
    api = MemoryApi()
    before = use_api(api)
    yield api
    use_api(before)


def test_values_are_set_deleted_and_cleared(api: MemoryApi) -> None:
    store, other = (task_state_store("d", "r", "t", index) for index in (0, 1))
    store.set("a", {"n": 1}, retention=NEVER_EXPIRE)
    store.set("b", [2])
    other.set("a", 3)
    assert (store.get("a"), store.get("b"), store.get("c", default=0)) == ({"n": 1}, [2], 0)
    store.delete("b")
    assert store.get("b") is None
    store.clear()
    assert (store.get("a"), other.get("a")) == (None, 3)
    other.clear()
    assert api.variables == {}
    with pytest.raises(ValueError, match="must not be empty"):
        store.set("", 1)


def test_coroutines_have_the_same_methods(api: MemoryApi) -> None:
    async def use() -> list[Any]:
        store = task_state_store("d", "r", "t", -1)
        await store.aset("a", 1)
        found = [await store.aget("a")]
        await store.adelete("a")
        await store.aclear()
        return [*found, await store.aget("a")]

    assert asyncio.run(use()) == [1, None]


def test_a_retry_finds_what_the_first_try_kept_and_the_next_run_what_is_the_assets() -> None:
    with DAG("d", start_date=START, schedule=None) as dag:

        @task(outlets=[ORDERS], retries=1)
        def load(task_state_store: Any = None, asset_state_store: Any = None) -> int:
            state = asset_state_store[ORDERS]
            if task_state_store.get("tried") is None:
                task_state_store.set("tried", True)
                state.set("runs", state.get("runs", 0) + 1)
                raise RuntimeError("the first try fails")
            return int(state.get("runs"))

        load()
    api = MemoryApi()
    for number in (1, 2):
        result = play(dag, START + dt.timedelta(days=number), api=api, logs=False)
        assert (result.tries, result.xcoms["load"]) == ({"load": 2}, {"return_value": number})


def test_assets_of_others_have_no_store() -> None:
    stores = AssetStateStores([ORDERS, "a file"])
    assert stores[Dataset.ref(name="orders")] is not None
    with pytest.raises(KeyError, match="neither an inlet nor an outlet"):
        stores[Dataset("s3://other")]
