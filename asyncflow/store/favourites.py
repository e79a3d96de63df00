"""What people keep for themselves: DAGs that they look at most, and filters of lists under names."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec
from asyncflow.store.sqlite import Database


class KeptFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Filters and order of a list."""

    list: str  #: its address
    name: str
    query: str  #: of the address, without "?"


_FILTERS = RowCodec(KeptFilter)


def _favourites(db: sqlite3.Connection) -> list[str]:
    return [dag_id for (dag_id,) in db.execute(SQL["list_favourites"])]


def _filters(db: sqlite3.Connection) -> list[KeptFilter]:
    return _FILTERS.load(db.execute(SQL["list_kept_filters"]))


def _star(db: sqlite3.Connection, dag_ids: Sequence[str], starred: bool) -> None:
    for dag_id in dag_ids:
        db.execute(SQL["add_favourite" if starred else "drop_favourite"], {"dag_id": dag_id})


def _keep(db: sqlite3.Connection, filters: Sequence[KeptFilter]) -> None:
    for one in filters:
        db.execute(SQL["keep_filter"], _FILTERS.params(one))


def _drop(db: sqlite3.Connection, path: str, name: str) -> None:
    db.execute(SQL["drop_filter"], {"list": path, "name": name})


class FavouriteStore(Database):
    """The methods of `Store` for them."""

    async def favourites(self) -> list[str]:
        """The DAGs, by id; such as are in the folder no more, too."""
        return await self._read(_favourites)

    async def star(self, dag_ids: Sequence[str], starred: bool) -> None:
        """Make DAGs favourites, or no more."""
        await self._change(_star, dag_ids, starred)

    async def kept_filters(self) -> list[KeptFilter]:
        """All of them, by list and name."""
        return await self._read(_filters)

    async def keep_filters(self, filters: Sequence[KeptFilter]) -> None:
        """Keep some; those with a name that the list has are replaced."""
        await self._change(_keep, filters)

    async def drop_filter(self, path: str, name: str) -> None:
        """Forget one."""
        await self._change(_drop, path, name)
