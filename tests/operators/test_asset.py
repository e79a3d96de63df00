"""@asset: an asset and its DAG from one function; generators that yield Metadata."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow import DAG, task
from asyncflow.authoring.current import collecting
from asyncflow.authoring.dataset import AssetWatcher, Dataset, Metadata
from asyncflow.operators.asset import asset
from asyncflow.testing.player import play


def test_function_becomes_an_asset_with_a_dag_of_its_own() -> None:
    seen: list[Any] = []
    with collecting() as registered:

        @asset(schedule=None, uri="s3://raw", group="g", tags=["x"])
        def raw() -> None:
            """Raw data."""

        @asset(schedule=raw)
        def clean(self: Any, context: Any, raw: Any) -> int:
            seen.extend([self.uri, context["ti"].task_id, raw.name])
            return 3

    first, second = registered
    assert (first.dag_id, first.description, first.tags, second.timetable.summary) == (
        "raw",
        "Raw data.",
        ["x"],
        "Dataset",
    )
    assert (raw.uri, raw.name, raw.group, clean.uri) == ("s3://raw", "raw", "g", "clean")
    made = second.get_task("clean")
    assert (made.inlets, made.outlets, made.operator_name) == ([Dataset(name="raw")], [clean], "@asset")
    assert play(second, logs=False).xcoms["clean"] == {"return_value": 3}
    assert seen == ["clean", "clean", "raw"]


def test_several_assets_by_one_function() -> None:
    a, b = Dataset("a"), Dataset("b")
    with collecting() as registered:

        @asset.multi(schedule="@daily", outlets=[a, b])
        def both() -> None: ...

    assert registered[0].get_task("both").outlets == [a, b]
    assert both.as_expression() == {"all": ["a", "b"]}
    assert [uri for uri, _ in both.iter_datasets()] == ["a", "b"]


def test_asset_needs_a_schedule() -> None:
    with pytest.raises(TypeError, match="schedule"):
        asset()  # type: ignore[call-arg]


def test_generator_is_run_to_its_end_and_its_metadata_kept(caplog: pytest.LogCaptureFixture) -> None:
    target = Dataset("s3://x")
    events = {}

    @task(outlets=[target])
    def work(**context: Any) -> Any:
        events.update({"all": context["outlet_events"]})
        yield Metadata(target, {"rows": 5})
        yield "something else"
        return "done"

    with DAG("d") as dag:
        work()
    assert play(dag, logs=False).xcoms["work"] == {"return_value": "done"}
    assert events["all"][target].extra == {"rows": 5}
    assert "Ignoring unknown data of <class 'str'>" in caplog.text


def test_watchers_stay_with_their_asset() -> None:
    watcher = AssetWatcher("w", trigger=None)
    assert Dataset(name="n", watchers=[watcher]).watchers == [watcher]
    assert repr(watcher) == "AssetWatcher('w')"
