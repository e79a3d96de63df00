"""What is kept."""

from __future__ import annotations

from asyncflow.web.kept import Kept


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
