"""What people keep for themselves: favourite DAGs, filters of lists under names. A part of `engine.actions.Actions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from asyncflow.engine.changes import Changes
from asyncflow.engine.lookup import Lookup
from asyncflow.errors import InvalidInput, NotFound
from asyncflow.store.favourites import KeptFilter

__all__ = ["LISTS", "FavouriteActions", "KeptFilter"]

#: the lists whose filters can be kept -> what they are called
LISTS = {"/": "DAGs", "/runs": "Runs", "/tasks": "Tasks", "/audit": "Audit log", "/datasets": "Datasets"}
#: characters of a name and of what it stands for, and how many one list has at most
_LONGEST_NAME, _LONGEST_QUERY, _MOST = 60, 2000, 50


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    """What is exported."""

    favourites: list[str] = []
    filters: list[KeptFilter] = []


class FavouriteActions(Lookup):
    """Errors are those of `asyncflow.errors`."""

    _changes: Changes

    async def mark_favourite(self, dag_id: str, on: bool = True) -> None:
        """Make a DAG a favourite, or no more."""
        await self._stored(dag_id)
        await self._store.star([dag_id], on)
        self._changes.noted(dag_id)

    async def kept_filters(self, path: str) -> list[KeptFilter]:
        """Those of one list, by name."""
        return [one for one in await self._store.kept_filters() if one.list == path]

    async def save_filter(self, path: str, name: str, query: str) -> KeptFilter:
        """Keep the filters of a list; one of the same name is replaced."""
        one = _checked(KeptFilter(list=path, name=name.strip(), query=query))
        others = [kept for kept in await self.kept_filters(path) if kept.name != one.name]
        if len(others) >= _MOST:
            raise InvalidInput("A list keeps {n} filters at most: forget another one first.", n=_MOST)
        await self._store.keep_filters([one])
        self._changes.noted()
        return one

    async def forget_filter(self, path: str, name: str) -> None:
        """Forget one. Raises NotFound."""
        known = [one.name for one in await self.kept_filters(path)]
        if name not in known:
            raise NotFound("filter", name, known)
        await self._store.drop_filter(path, name)
        self._changes.noted()

    async def kept(self) -> dict[str, Any]:
        """All that is kept, for a file: favourites (ids of DAGs) and filters (list, name, query)."""
        found = _Kept(await self._store.favourites(), await self._store.kept_filters())
        return {"favourites": found.favourites, "filters": [msgspec.structs.asdict(one) for one in found.filters]}

    async def import_kept(self, kept: Mapping[str, Any]) -> int:
        """Take over what `kept` gave, beside what there is; how much that was. Raises InvalidInput."""
        try:
            found = msgspec.convert(dict(kept), _Kept)
        except msgspec.ValidationError as error:
            raise InvalidInput("That is no file of favourites and filters: {error}.", error=str(error)) from None
        filters: Sequence[KeptFilter] = [_checked(one) for one in found.filters]
        await self._store.star(found.favourites, True)
        await self._store.keep_filters(filters)
        self._changes.noted()
        return len(found.favourites) + len(filters)


def _checked(one: KeptFilter) -> KeptFilter:
    if one.list not in LISTS:
        raise InvalidInput("Filters are kept for the lists {row}.", row=tuple(LISTS))
    if not one.name or len(one.name) > _LONGEST_NAME or not one.name.isprintable():
        raise InvalidInput("The name of a filter has 1 to {most} characters.", most=_LONGEST_NAME)
    if not one.query or len(one.query) > _LONGEST_QUERY:
        raise InvalidInput("There are no filters to keep: choose some first.")
    return one
