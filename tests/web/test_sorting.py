"""How the order of a list is said in its address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import InvalidInput
from asyncflow.web.sorting import Column, Columns, Head, Sort

COLUMNS = Columns(Column("Pool", "name"), Column("Slots", "slots", falling=True), usual="name")


def test_a_column_turns_the_order_and_keeps_the_filter() -> None:
    heads = COLUMNS.heads({"q": "e", "sort": "-slots", "page": "4"})
    assert heads["slots"] == Head("slots", "Slots", "?q=e&sort=slots", True, True)
    assert (heads["name"].current, heads["name"].href) == (False, "?q=e")


def test_the_first_click_shows_the_most_or_the_first() -> None:
    heads = COLUMNS.heads({})
    assert heads["slots"].href == "?sort=-slots"
    assert heads["name"] == Head("name", "Pool", "?sort=-name", True, False)


def test_the_usual_order_is_not_in_the_address() -> None:
    assert COLUMNS.heads({"sort": "-name"}, home="/pools")["name"].href == "/pools"


@pytest.mark.parametrize("text", ["odd", "-", "--name", "name "])
def test_an_order_there_is_not_gets_a_sentence(text: str) -> None:
    with pytest.raises(InvalidInput, match="accepted are name"):
        COLUMNS.asked({"sort": text})


@given(st.sampled_from(["name", "slots"]), st.booleans())
def test_what_is_written_is_what_is_read(name: str, falling: bool) -> None:
    sort = Sort(name, falling)
    assert COLUMNS.asked({"sort": str(sort)}) == sort
    assert [head.name for head in COLUMNS.heads({"sort": str(sort)}).values() if head.current] == [name]
