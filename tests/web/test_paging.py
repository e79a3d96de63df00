"""The ways from one page of a list to the others."""

from __future__ import annotations

from urllib.parse import parse_qsl

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import InvalidInput
from asyncflow.web import paging
from asyncflow.web.i18n import Language
from asyncflow.web.paging import Pager, Turn

ENGLISH = Language("en")


def listed(count: int, limit: int, query: str) -> tuple[list[int], Pager]:
    """A page of the numbers below `count`, as a list with places has it."""
    params = dict(parse_qsl(query.removeprefix("?")))

    async def ask(turn: Turn, limit: int) -> list[int]:
        at = int(turn.place or -1)
        if turn.back:
            return list(range(max(0, at - limit), at))
        return list(range(at + 1, min(count, at + 1 + limit)))

    found = anyio.run(paging.read, ask, paging.turn(params), limit)
    edges = (found.rows[0], found.rows[-1]) if found.rows else None
    return found.rows, paging.pager(params, found.turn, found.more, edges)


@given(st.integers(0, 30), st.integers(1, 7))
def test_every_row_is_on_one_page_and_the_way_back_is_the_way_there(count: int, limit: int) -> None:
    ways, query = list[str](), "?q=e"
    seen, pages = list[int](), list[list[int]]()
    while query:
        rows, pager = listed(count, limit, query)
        pages.append(rows)
        seen += rows
        ways.append(query)
        query = pager.next or ""
    assert seen == list(range(count))
    for before in reversed(pages[:-1]):
        assert pager.previous is not None
        rows, pager = listed(count, limit, pager.previous)
        assert rows == before
        assert pager.next is not None
    assert (pager.first, pager.previous) == (None, None)
    assert all("q=e" in way for way in ways)


def test_a_page_in_front_of_too_few_rows_is_the_first() -> None:
    assert listed(20, 5, "?before=3") == ([0, 1, 2, 3, 4], Pager(next="?after=4"))


def test_a_page_behind_the_end_leads_back() -> None:
    assert listed(3, 5, "?after=7") == ([], Pager(first="?", previous="?before=7"))


def test_both_sides_of_a_row_are_no_page() -> None:
    with pytest.raises(InvalidInput, match="one side of a row"):
        paging.turn({"after": "1", "before": "2"})


@pytest.mark.parametrize(
    ("offset", "shown", "count", "expected"),
    [
        (0, 10, 25, Pager(None, None, "?q=e&page=2", "1 to 10 of 25")),
        (10, 10, 25, Pager("?q=e", "?q=e", "?q=e&page=3", "11 to 20 of 25")),
        (20, 5, 25, Pager("?q=e", "?q=e&page=2", None, "21 to 25 of 25")),
        (0, 11, None, Pager(None, None, "?q=e&page=2", "1 to 10")),
        (0, 10, None, Pager(None, None, None, "1 to 10")),
        (0, 0, 0, Pager(None, None, None, "0 to 0 of 0")),
    ],
)
def test_numbered_pages_say_what_they_show(offset: int, shown: int, count: int | None, expected: Pager) -> None:
    assert paging.numbered({"q": "e", "page": "9"}, offset, 10, shown, count, ENGLISH) == expected
