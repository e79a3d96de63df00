"""How far a backfill has come, and what its form asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.core.models import BackfillOptions
from asyncflow.core.states import BackfillState, Reprocess
from asyncflow.errors import InvalidInput
from asyncflow.web import backfill_view
from asyncflow.web.i18n import Language

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COUNTS = st.dictionaries(st.sampled_from(["success", "failed", "running", "queued"]), st.integers(0, 5000))


def _progress(states: dict[str, int], position: int, total: int, active: bool = True) -> backfill_view.Progress:
    return backfill_view.progress(states, position, total, active=active, started=NOW, now=NOW + timedelta(minutes=10))


def test_the_bar_is_made_of_runs_and_of_what_is_to_come() -> None:
    seen = _progress({"success": 5, "running": 1}, 6, 10)
    assert [(part.state, part.count) for part in seen.parts] == [("success", 5), ("running", 1), ("none", 4)]
    assert [(part.start, part.width) for part in seen.parts] == [(0, 500), (500, 100), (600, 400)]
    assert (seen.done, seen.total) == (5, 10)


def test_dates_whose_run_is_none_of_its_own_were_left_alone() -> None:
    seen = _progress({"success": 2}, 6, 6)
    assert [(part.state, part.count) for part in seen.parts] == [("success", 2), ("left", 4)]
    assert seen.done == 6


def test_what_is_left_is_guessed_by_what_it_took() -> None:
    assert _progress({"success": 5}, 5, 10).left == timedelta(minutes=10)
    assert _progress({"success": 5}, 5, 10, active=False).left is None
    assert _progress({"running": 1}, 1, 10).left is None
    assert _progress({"success": 10}, 10, 10).left is None


@given(COUNTS, st.integers(0, 20_000), st.integers(0, 20_000))
def test_parts_follow_each_other_and_fill_the_bar(states: dict[str, int], position: int, total: int) -> None:
    seen = _progress(states, position, total)
    ends = [0, *(part.start + part.width for part in seen.parts)]
    assert all(part.start <= end + 1 for part, end in zip(seen.parts, ends, strict=False))
    assert all(part.count > 0 and part.width > 0 for part in seen.parts)
    assert sum(part.count for part in seen.parts) >= total


def test_a_paused_one_looks_paused_unless_it_ends() -> None:
    assert backfill_view.status(BackfillState.RUNNING, True) == "paused"
    assert backfill_view.status(BackfillState.CANCELLING, True) == "cancelling"
    assert {state.value for state in BackfillState} | {"paused"} == backfill_view.LOOKS.keys()


def test_options_in_words() -> None:
    options = BackfillOptions(
        start=NOW, end=NOW, reprocess=Reprocess.FAILED, run_backwards=True, max_active_runs=1, tasks=("a",), pool="p"
    )
    words = ["failed runs run again", "latest date first", "1 run at a time", "1 task only", "in the pool p"]
    assert backfill_view.how(options, Language("en")) == words
    assert backfill_view.how(BackfillOptions(start=NOW, end=NOW), Language("en")) == []


@pytest.mark.parametrize(
    ("fields", "start", "end"),
    [
        ({"from": "2026-01-01", "to": "2026-01-03"}, "2026-01-01", "2026-01-03T23:59:59.999999"),
        ({"from": "2026-01-01"}, "2026-01-01", "2026-01-01T23:59:59.999999"),
        ({"to": "2026-01-03"}, "2026-01-03", "2026-01-03T23:59:59.999999"),
        ({"from": "2026-01-01T04:00", "to": "2026-01-01T05:00"}, "2026-01-01T04:00", "2026-01-01T05:00"),
    ],
)
def test_a_date_alone_is_the_whole_day(fields: dict[str, str], start: str, end: str) -> None:
    asked = backfill_view.wish(fields).arguments({})
    assert (asked["start_date"], asked["end_date"]) == (start, end)


def test_the_hidden_fields_ask_for_the_same() -> None:
    fields = {"from": "2026-01-01", "to": "2026-01-03", "run_backwards": "1", "pool": "p", "max_active_runs": "3"}
    asked = backfill_view.wish(fields)
    assert backfill_view.wish(dict(asked.fields)).arguments({}) == asked.arguments({})
    assert not backfill_view.wish({}).has_dates


@pytest.mark.parametrize("most", ["0", "-1", "many", "1.5", "٣"])
def test_a_limit_that_is_none_is_refused(most: str) -> None:
    with pytest.raises(InvalidInput, match="whole number above zero"):
        backfill_view.wish({"from": "2026-01-01", "max_active_runs": most}).arguments({})
