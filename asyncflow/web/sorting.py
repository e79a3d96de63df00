"""The order of a list: `sort=name` in its address, `sort=-name` for the same from its other end. Pure.

Each list says once which columns it has; the heads of these are links, of which a second click turns the order round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from asyncflow.web import address
from asyncflow.web.paging import PLACES


class Sort(NamedTuple):
    """An order."""

    name: str
    falling: bool = False  #: the last one first

    def __str__(self) -> str:
        return f"-{self.name}" if self.falling else self.name

    @staticmethod
    def parse(text: str) -> Sort:
        """What `str` of one made."""
        return Sort(text.removeprefix("-"), text.startswith("-"))


class Column(NamedTuple):
    """A column that sorts."""

    label: str
    name: str
    falling: bool = False  #: the first click shows the most, or the latest


class Head(NamedTuple):
    """The head of a column."""

    name: str
    label: str
    href: str
    current: bool  #: the list is in this order
    falling: bool  #: if so, with the last one first


class Columns:
    """The columns of a list that sort, and the order that it has when its address names none."""

    def __init__(self, *columns: Column, usual: str) -> None:
        self._columns = {column.name: column for column in columns}
        self.usual = Sort.parse(usual)

    def __iter__(self) -> Iterator[Column]:
        return iter(self._columns.values())

    def asked(self, params: Mapping[str, str]) -> Sort:
        """What an address asks for. Raises InvalidInput for an order there is not."""
        text = params.get("sort", "")
        if not text:
            return self.usual
        sort = Sort.parse(text)
        if sort.name not in self._columns:
            raise address.not_accepted("sort", text, self._columns)
        return sort

    def heads(self, params: Mapping[str, str], home: str = "?") -> dict[str, Head]:
        """The heads by name; each leads to the first page in its order. `home`: the address that has no query."""
        current = self.asked(params)
        return {name: self._head(column, current, params, home) for name, column in self._columns.items()}

    def _head(self, column: Column, current: Sort, params: Mapping[str, str], home: str) -> Head:
        here = current.name == column.name
        wanted = Sort(column.name, not current.falling if here else column.falling)
        href = address.query(address.without(params, *PLACES), sort=None if wanted == self.usual else wanted)
        return Head(column.name, column.label, href or home, here, here and current.falling)
