"""What the pages of pools show."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow.errors import InvalidInput
from asyncflow.web import pool_view
from asyncflow.web.sorting import Sort


def a_pool(name: str = "p", **changed: Any) -> dict[str, Any]:
    return {
        "name": name,
        "slots": 10,
        "description": "",
        "include_deferred": False,
        "running": 0,
        "queued": 0,
        "deferred": 0,
        "scheduled": 0,
        "open": 10,
        **changed,
    }


def bar(**changed: Any) -> list[tuple[str, int, int]]:
    return [(it.state, it.x, it.width) for it in pool_view.lines([a_pool(**changed)])[0].bar]


def test_a_bar_is_as_long_as_the_slots() -> None:
    assert bar() == []
    assert bar(running=5, queued=2, deferred=3) == [("running", 0, 500), ("queued", 500, 200)]
    assert bar(running=5, deferred=3, include_deferred=True) == [("running", 0, 500), ("deferred", 500, 300)]


def test_a_bar_holds_an_over_full_pool_one_without_limit_and_one_without_slots() -> None:
    assert bar(slots=2, running=4) == [("running", 0, 1000)]
    assert bar(slots=-1, running=3, queued=1) == [("running", 0, 750), ("queued", 750, 250)]
    assert bar(slots=0) == []
    assert bar(slots=100_000, running=1) == [("running", 0, 1)]


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", ["default_pool", "a", "B"]),
        ("-running", ["B", "a", "default_pool"]),
        ("slots", ["a", "default_pool", "B"]),
    ],
)
def test_pools_are_sorted(sort: str, names: list[str]) -> None:
    pools = [a_pool("B", running=9, slots=-1), a_pool("a", running=1, slots=1), a_pool("default_pool", slots=5)]
    assert [line.name for line in pool_view.lines(pools, sort=Sort.parse(sort))] == names


def test_pools_are_found_by_name_and_description() -> None:
    pools = [a_pool("etl"), a_pool("x", description="for ETL"), a_pool("y")]
    assert [line.name for line in pool_view.lines(pools, "etL")] == ["etl", "x"]


@pytest.mark.parametrize("slots", ["", "1.5", "many"])
def test_slots_are_a_whole_number(slots: str) -> None:
    with pytest.raises(InvalidInput, match="is not a whole number"):
        pool_view.entered({"name": "p", "slots": slots})
