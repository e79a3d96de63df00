"""The mapped copies of a task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asyncflow.engine.instance_pages import Copy
from asyncflow.web.copies_view import Times, chosen, counts, times
from asyncflow.web.sorting import Sort

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> int:
    """In microseconds since 1970."""
    return int((T0.timestamp() + seconds) * 1_000_000)


ROWS = [
    Copy(0, "success", at(0), at(5)),
    Copy(1, "failed", at(1), at(2)),
    Copy(2, "running", at(2), None),
    Copy(3, "none", None, None),
]


@pytest.mark.parametrize(
    ("state", "sort", "order"),
    [
        ("", "index", [0, 1, 2, 3]),
        ("", "-index", [3, 2, 1, 0]),
        ("", "duration", [1, 0, 2, 3]),
        ("", "-duration", [2, 0, 1, 3]),
        ("", "-started", [2, 1, 0, 3]),
        ("", "state", [1, 2, 3, 0]),
        ("failed", "index", [1]),
        ("skipped", "index", []),
    ],
)
def test_which_are_listed_and_how(state: str, sort: str, order: list[int]) -> None:
    found = chosen(ROWS, state, Sort.parse(sort), T0 + timedelta(seconds=10))
    assert [row.map_index for row in found] == order


def test_states_link_to_those_in_them_and_back() -> None:
    found = counts(ROWS, {"state": "failed", "page": "2"})
    assert [(it.state, it.count, it.href, it.current) for it in found][:2] == [
        ("failed", 1, "?", True),
        ("running", 1, "?state=running", False),
    ]


def test_how_long_they_took() -> None:
    assert times(ROWS) == Times(1, 3, 5)
    assert times(ROWS[2:]) is None
