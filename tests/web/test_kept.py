"""What is kept."""

from __future__ import annotations

from asyncflow.web.kept import Kept, Made


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    kept = Kept[str](2)
    kept.keep([("a", "A"), ("b", "B")])
    assert kept.get("a") == "A"
    kept.keep([("c", "C")])
    assert [kept.get(key) for key in "abc"] == ["A", None, "C"]
    assert len(kept) == 2


def test_equal_keys_replace() -> None:
    kept = Kept[str](2)
    kept.keep([("a", "A"), ("a", "B")])
    assert kept.get("a") == "B"
    assert len(kept) == 1


def test_what_is_made_of_others_is_made_anew_when_these_are_others() -> None:
    made, calls = Made[int](2), iter(range(10))
    assert [made.of((sources,), "key", lambda: next(calls)) for sources in ("a", "a", "b", "a")] == [0, 0, 1, 2]
    assert made.of(("a",), "another key", lambda: next(calls)) == 3
