"""What pages show, worked out from rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asyncflow.web import views
from tests.web.fake_actions import a_dag

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_missing_state_is_named() -> None:
    assert views.badge(None).label == "no status"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (-0.01, "0.00 s"),
        (0.4, "0.40 s"),
        (12.34, "12.3 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (3600, "1 h"),
        (276000, "3 d 4 h"),
        (59.97, "60.0 s"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert views.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        (timedelta(0), "now"),
        (timedelta(seconds=5), "in 5 s"),
        (timedelta(hours=3, minutes=50), "in 3 h"),
        (timedelta(days=2), "in 2 d"),
        (timedelta(minutes=-2), "2 min ago"),
    ],
)
def test_distance(delta: timedelta, text: str) -> None:
    assert views.relative_text(NOW + delta, NOW) == text


@pytest.mark.parametrize(
    ("iso", "text"),
    [
        (None, ""),
        ("2026-01-01T10:00:00.123456+00:00", "2026-01-01 10:00:00 UTC"),
        ("2026-01-01T10:00:00+02:00", "2026-01-01 10:00:00 +0200"),
    ],
)
def test_moment(iso: str | None, text: str) -> None:
    assert views.moment_text(iso) == text


def test_copies_of_mapped_tasks_are_named_by_label_or_index() -> None:
    assert views.instance_name("t", -1) == "t"
    assert views.instance_name("t", 0) == "t[0]"
    assert views.instance_name("t", 0, "Rome") == "t[Rome]"


def test_a_dag_says_how_many_of_its_datasets_were_updated() -> None:
    datasets = {"a": "2026-01-02T00:00:00+00:00", "b": None}
    (line,) = views.dag_lines([a_dag(dataset_condition="a and b", datasets=datasets)], NOW)
    assert line.datasets_words == "1 of 2 datasets updated"
    assert [(one.uri, one.updated_at is None) for one in line.datasets] == [("a", False), ("b", True)]
    (line,) = views.dag_lines([a_dag(dataset_condition="a", datasets={"a": None})], NOW)
    assert line.datasets_words == "when a is updated"
    (line,) = views.dag_lines([a_dag()], NOW)
    assert line.datasets_words == ""
