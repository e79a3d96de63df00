"""What pages show, worked out from rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asyncflow.web import views
from asyncflow.web.i18n import Language
from asyncflow.web.templating import fingerprint

NOW = datetime(2026, 1, 1, tzinfo=UTC)


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


def test_copies_of_mapped_tasks_are_named_by_label_or_index() -> None:
    assert views.instance_name("t", -1) == "t"
    assert views.instance_name("t", 0) == "t[0]"
    assert views.instance_name("t", 0, "Rome") == "t[Rome]"


def test_a_dag_says_how_many_of_its_datasets_were_updated() -> None:
    updated = views.DatasetLine(uri="a", updated_at="2026-01-02T00:00:00+00:00")
    awaited = views.DatasetLine(uri="b", updated_at=None)
    assert views.datasets_words("a and b", [updated, awaited]) == "1 of 2 datasets updated"
    assert views.datasets_words("b", [awaited]) == "when b is updated"
    assert views.datasets_words(None, []) == ""


def test_what_goes_on_is_counted_by_the_page_and_does_not_make_another_fragment() -> None:
    one, later = (views.lasted(NOW, None, NOW + timedelta(seconds=seconds)) for seconds in (5, 75.9))
    assert (one, later) == (5, 75.9)
    assert fingerprint(one) == fingerprint(later)
    assert [Language(code).so_far(later or 0) for code in ("en", "ko")] == ["1 min 15 s", "1분 15초"]
    assert Language("en").so_far(5.9) == "5 s"
    assert views.lasted(NOW, NOW + timedelta(seconds=1), NOW) == 1
    assert views.lasted(None, None, NOW) is None
