"""The heads of the columns of a list that can be sorted: links, of which a second click turns the order round. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from asyncflow.web import address


class Head(NamedTuple):
    """One head."""

    name: str  #: of the order, as in the address
    label: str
    href: str
    current: bool  #: the list is in this order
    falling: bool  #: if so, with the last one first


def heads(
    columns: Iterable[tuple[str, str]],
    params: Mapping[str, str],
    sort: str,
    falling: bool,
    falling_first: Collection[str],
    home: str = "?",
) -> list[Head]:
    """Of (label, name), for addresses with `sort=` and `order=falling`.

    `falling_first`: columns whose first click shows the most, or the latest. `home`: the address without any of it.
    """
    found = []
    for label, name in columns:
        current = name == sort
        wanted = not falling if current else name in falling_first
        href = address.query(
            params,
            sort=name if name != "name" or wanted else None,
            order="falling" if wanted else None,
            page=None,
        )
        found.append(Head(name, label, href or home, current, falling))
    return found
