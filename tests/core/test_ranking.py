from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asyncflow.core.ranking import EXACT, PART, PREFIX, best, best_of_many, rank

NAMES = st.text("ab", max_size=4)


def test_the_whole_name_comes_before_its_beginning_and_that_before_a_part() -> None:
    names = ["xload", "load_2", "load", "other", "load_1"]
    assert best(names, lambda name: (name,), "load", 9) == [
        (EXACT, "load"),
        (PREFIX, "load_2"),
        (PREFIX, "load_1"),
        (PART, "xload"),
    ]


def test_the_best_of_several_names_counts() -> None:
    assert best([("xa", "a")], lambda names: names, "a", 9) == [(EXACT, ("xa", "a"))]


@given(st.lists(NAMES, max_size=20), NAMES, st.integers(0, 8))
def test_no_better_answer_is_left_out(names: list[str], wanted: str, most: int) -> None:
    found = best(names, lambda name: (name,), wanted, most)
    ranks = sorted(one for name in names if (one := rank(name, wanted)) is not None)
    assert [one for one, _ in found] == ranks[:most]
    assert all(rank(name, wanted) == one for one, name in found)
    assert [(one, names[place]) for one, place in best_of_many(names, wanted, most)] == found
