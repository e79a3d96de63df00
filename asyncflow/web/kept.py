"""Results that are dear to make, kept by what they were made from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """A bounded table: what was not asked for the longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._results: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """What is kept under a key."""
        found = self._results.get(key)
        if found is not None:
            self._results.move_to_end(key)
        return found

    def keep(self, results: Iterable[tuple[Hashable, T]]) -> None:
        """Keep some more; equal keys replace."""
        for key, result in results:
            self._results[key] = result
            self._results.move_to_end(key)
        while len(self._results) > self._most:
            self._results.popitem(last=False)

    def __len__(self) -> int:
        return len(self._results)


class Made(Generic[T]):
    """What is made of others, kept by a key as long as these are the same; not kept longer than in `Kept`."""

    def __init__(self, most: int) -> None:
        self._kept = Kept[tuple[tuple[object, ...], T]](most)

    def of(self, sources: tuple[object, ...], key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, or gave when it was asked under this key for what is made of the same."""
        known = self._kept.get(key)
        if known is None or known[0] != sources:
            known = (sources, make())
            self._kept.keep([(key, known)])
        return known[1]
