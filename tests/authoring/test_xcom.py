"""The XCom codec: what keeps its type, what is refused; and how pulled rows are arranged."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import zoneinfo
from collections import namedtuple
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.authoring.api import XComRow
from asyncflow.authoring.xcom import LazySelectSequence, arrange, decode, encode, map_length

Point = namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Order:
    number: int
    lines: list[tuple[str, int]]


def there_and_back(value: Any) -> Any:
    return decode(encode(value))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(plain)
def test_json_values_come_back_as_they_were(value: Any) -> None:
    assert there_and_back(value) == value


@given(st.lists(plain).map(tuple))
def test_a_top_level_tuple_stays_one(value: tuple[Any, ...]) -> None:
    assert there_and_back(value) == value


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        frozenset({"a"}),
        ((1, 2), (3,)),
        {"deep": [{1, 2}]},
        Decimal("3.25"),
        Decimal("12345678901234567890.5"),
        Decimal("-Infinity"),
        dt.date(2024, 2, 29),
        dt.timedelta(days=-1, microseconds=5),
        dt.datetime(2024, 1, 1, 12, 30, tzinfo=dt.UTC),
        dt.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Amsterdam")),
        dt.datetime(2024, 7, 1),
        dt.timezone(dt.timedelta(hours=2)),
        zoneinfo.ZoneInfo("Asia/Tokyo"),
        UUID(int=7),
        float("inf"),
        [None, True, 1.5],
    ],
    ids=repr,
)
def test_tagged_types_come_back_equal_and_of_the_same_class(value: Any) -> None:
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


def test_pendulum_moments_keep_class_and_zone() -> None:
    moment = pendulum.datetime(2024, 3, 31, 1, tz="Europe/Amsterdam")
    back = there_and_back(moment)
    assert (type(back), back, back.timezone_name) == (pendulum.DateTime, moment, "Europe/Amsterdam")
    naive = pendulum.naive(2024, 1, 1)
    assert there_and_back(naive).tzinfo is None


def test_a_zone_named_utc_stays_the_standard_one() -> None:
    assert there_and_back(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)).tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), Decimal("1.5")),
        ({"nested": (1, (2,))}, {"nested": [1, [2]]}),
        (Point(1, 2), (1, 2)),
        ({7: "a", 2.5: "b", None: "c", True: "d"}, {"7": "a", "2.5": "b", "null": "c", "true": "d"}),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Order(1, [("a", 2)]), {"number": 1, "lines": [["a", 2]]}),
        (LazySelectSequence(["1", "2"]), [1, 2]),
    ],
    ids=repr,
)
def test_these_come_back_as_their_plain_form(value: Any, expected: Any) -> None:
    back = there_and_back(value)
    assert back == expected
    assert type(back) is type(expected)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"raw", "builtins.bytes"),
        (Path("/x"), "pathlib"),
        (range(3), "builtins.range"),
        (1 + 2j, "builtins.complex"),
        (Exception("x"), "builtins.Exception"),
        ({"a": [0, b"raw"]}, "at ['a'][1]"),
        ({(1, 2): 0}, "not tuple: (1, 2)"),
        ({"__classname__": "x"}, "reserved"),
        ([{"__classname__": "x", "__version__": 1}], "reserved"),
    ],
    ids=repr,
)
def test_what_has_no_form_is_refused_with_its_place(value: Any, words: str) -> None:
    with pytest.raises(TypeError) as caught:
        encode(value)
    assert words in str(caught.value)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(TypeError, match="contains itself"):
        encode(value)


def test_the_text_is_strict_json() -> None:
    json.loads(encode([float("nan"), float("-inf")]), parse_constant=pytest.fail)


def test_unknown_tags_stay_dicts() -> None:
    text = '{"__classname__": "os.system", "__version__": 1, "__data__": "true"}'
    assert decode(text) == json.loads(text)


@pytest.mark.parametrize(
    ("value", "length"), [([1, 2], 2), ({"a": 1}, 1), ((), 0), ("text", None), (b"x", None), (7, None), ({1}, None)]
)
def test_lists_and_dicts_can_be_mapped_over(value: Any, length: int | None) -> None:
    assert map_length(value) == length


# ---- pulled rows ----------------------------------------------------------------------------------------------------


def row(task_id: str, value: Any, map_index: int = -1) -> XComRow:
    return XComRow(
        dag_id="d", task_id=task_id, run_id="r", map_index=map_index, key="return_value", value=encode(value)
    )


def test_one_unmapped_task_gives_its_newest_value() -> None:
    assert arrange([row("a", "new"), row("a", "old")], task_ids="a", map_indexes=None, default=None) == "new"


def test_nothing_found_gives_the_default() -> None:
    assert arrange([], task_ids="a", map_indexes=None, default="fallback") == "fallback"


def test_one_mapped_task_gives_a_lazy_sequence_in_order() -> None:
    pulled = arrange([row("a", "y", 1), row("a", "x", 0)], task_ids="a", map_indexes=None, default=None)
    assert isinstance(pulled, LazySelectSequence)
    assert list(pulled) == ["x", "y"]


def test_several_tasks_come_in_the_order_asked_for() -> None:
    rows = [row("a", 1), row("b", 2)]
    assert list(arrange(rows, task_ids=["b", "absent", "a"], map_indexes=None, default=None)) == [2, 1]


def test_several_map_indexes_come_in_the_order_asked_for() -> None:
    rows = [row("a", n, n) for n in (0, 2)]
    assert list(arrange(rows, task_ids="a", map_indexes=[2, 0], default=None)) == [2, 0]


def test_a_lazy_sequence_behaves_like_a_list() -> None:
    lazy = LazySelectSequence([encode(n) for n in (1, 2, 3)])
    assert (len(lazy), lazy[-1], lazy[1:], 2 in lazy, list(reversed(lazy))) == (3, 3, [2, 3], True, [3, 2, 1])
    assert lazy == [1, 2, 3]
    assert lazy != [1, 2]
    assert lazy != "123"
    assert repr(lazy) == "LazySelectSequence([3 items])"
    assert str(LazySelectSequence(["1"])) == "LazySelectSequence([1 item])"
