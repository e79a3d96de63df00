"""The pages of a list: where one begins, in its address, and the ways from it to the first, previous and next. Pure.

A list that is counted has numbered pages: `page=3`. One that is not, since nobody can say what two million rows
without a look at each come to, has places: `after=` names the row that a page begins behind, `before=` the one that it
ends in front of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from asyncflow.errors import InvalidInput
from asyncflow.web import address
from asyncflow.web.i18n import Language

T = TypeVar("T")

#: names in an address that say which page it is, or what was done to come to it
PLACES = ("page", "after", "before", "look", "done", "name", "n", "undo")


class Turn(NamedTuple):
    """Which page an address asks for."""

    place: str = ""  #: of a row; "" = the beginning
    back: bool = False  #: the page that ends in front of it


class Pager(NamedTuple):
    """Links to the other pages, None where there is none."""

    first: str | None = None
    previous: str | None = None
    next: str | None = None
    words: str = ""  #: what part is shown


class Rows(NamedTuple, Generic[T]):
    """One page."""

    rows: list[T]
    turn: Turn  #: how it was come to
    more: bool  #: there are others in that direction


def turn(params: Mapping[str, str]) -> Turn:
    """What an address asks for. Raises InvalidInput for both at once."""
    after, before = params.get("after", ""), params.get("before", "")
    if after and before:
        raise InvalidInput("The address has both after= and before=: a page is on one side of a row.")
    return Turn(before, True) if before else Turn(after)


async def read(ask: Callable[[Turn, int], Awaitable[list[T]]], wanted: Turn, limit: int) -> Rows[T]:
    """A page of `ask`, which gives so many rows of a side of a place, those next to it, in the order of the list.

    Where too few are in front of a place to fill a page, it is the first one that is meant.
    """
    rows = await ask(wanted, limit + 1)
    if wanted.back and len(rows) < limit:
        wanted = Turn()
        rows = await ask(wanted, limit + 1)
    more = len(rows) > limit
    return Rows(rows[-limit:] if wanted.back else rows[:limit], wanted, more)


def pager(
    params: Mapping[str, str], page: Turn, more: bool, edges: tuple[object, object] | None, home: str = "?"
) -> Pager:
    """The ways from a page of a list with places. `edges`: those of its first and last row; None: it has no rows."""
    base = address.without(params, *PLACES)
    begins = not page.place
    at = edges or (page.place, page.place)
    return Pager(
        first=None if begins or (page.back and not more) else address.query(base) or home,
        previous=address.query(base, before=at[0]) if (more if page.back else not begins) else None,
        next=address.query(base, after=at[1]) if more or page.back else None,
    )


def offset(params: Mapping[str, str], limit: int) -> int:
    """How many rows are before a numbered page. Raises InvalidInput for what is no number."""
    return (address.number(params, "page", 1, least=1) - 1) * limit


def numbered(
    params: Mapping[str, str],
    offset: int,
    limit: int,
    shown: int,
    count: int | None,
    _: Language,
    home: str = "?",
) -> Pager:
    """The ways from a numbered page. `count` None: not known, and `shown` is one more when there are more."""
    base = address.without(params, *PLACES)
    number, last = offset // limit + 1, offset + min(shown, limit)
    more = offset + shown < count if count is not None else shown > limit
    first = f"{min(offset + 1, last):,}"
    words = _("{first} to {last}", first=first, last=f"{last:,}")
    if count is not None:
        words = _("{first} to {last} of {n}", first=first, last=f"{last:,}", n=f"{count:,}")
    return Pager(
        first=(address.query(base) or home) if number > 1 else None,
        previous=(address.query(base, page=number - 1 if number > 2 else None) or home) if number > 1 else None,
        next=address.query(base, page=number + 1) if more else None,
        words=words,
    )
