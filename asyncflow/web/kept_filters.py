"""The kept filters of a list, as the page of the list shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from asyncflow.engine.favourites import KeptFilter
from asyncflow.web import address
from asyncflow.web.paging import PLACES
from asyncflow.web.ports import Actions


class Shown(NamedTuple):
    """For `macros.kept_filters`."""

    path: str  #: address of the list
    links: list[tuple[str, str, bool]]  #: name, address, whether the list shows it now
    query: str  #: what would be kept; "" while there are no filters


def state(query: str) -> str:
    """Filters and order of an address' query, without the page, in an order that makes equal ones equal texts."""
    return urlencode(sorted(address.without(dict(parse_qsl(query)), *PLACES, "have", "first").items()))


def shown(path: str, kept: list[KeptFilter], params: Mapping[str, str]) -> Shown:
    """The filters of a list, and which of them is the one that `params` are."""
    now = state(urlencode(dict(params)))
    return Shown(path, [(one.name, f"{path}?{one.query}", one.query == now) for one in kept], now)


async def of_list(actions: Actions, path: str, params: Mapping[str, str]) -> Shown:
    """Those that are kept for a list."""
    return shown(path, await actions.kept_filters(path), params)
