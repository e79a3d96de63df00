"""What a task says about the datasets it updates (`outlet_events`), and reads about those it uses (`inlet_events`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from asyncflow.authoring.dataset import Dataset, DatasetAlias


class OutletEvent:
    """What travels with the event of one outlet: `extra`, and of an alias the datasets it stands for."""

    def __init__(self, key: Dataset | DatasetAlias) -> None:
        self.key = key
        self.extra: dict[str, Any] = {}
        #: per dataset that was added to an alias: {"source_alias_name", "dest_asset", "extra"}
        self.asset_alias_events: list[dict[str, Any]] = []
        self.partition_keys: list[str] = []

    def add(self, dataset: Dataset | str, extra: Mapping[str, Any] | None = None) -> None:
        """Of an alias: this dataset is updated, too. Of a dataset, nothing happens."""
        if not isinstance(self.key, DatasetAlias):
            return
        target = Dataset(dataset) if isinstance(dataset, str) else dataset
        event = {"source_alias_name": self.key.name, "dest_asset": target, "extra": dict(extra or {})}
        self.asset_alias_events.append(event)

    def add_partitions(self, keys: str | Sequence[str], extra: Mapping[str, Any] | None = None) -> None:
        """The parts of the dataset that are updated; a key counts once."""
        given = [keys] if isinstance(keys, str) else keys
        self.partition_keys += [key for key in dict.fromkeys(given) if key not in self.partition_keys]
        self.extra.update(extra or {})

    def __repr__(self) -> str:
        return f"OutletEvent({self.key!r}, extra={self.extra!r})"


class OutletEvents(Mapping[Any, OutletEvent]):
    """`outlet_events[dataset]`, of a dataset, an alias or a URI; made when it is first asked for."""

    def __init__(self) -> None:
        self._events: dict[Any, OutletEvent] = {}

    def __getitem__(self, key: Any) -> OutletEvent:
        target = _target(key)
        return self._events.setdefault(_name(target), OutletEvent(target))

    def __iter__(self) -> Iterator[Any]:
        return (event.key for event in self._events.values())

    def __len__(self) -> int:
        return len(self._events)


class InletEvents(Mapping[Any, Sequence[Any]]):
    """`inlet_events[dataset]`: the events of one of the task's inlets, oldest first; by number, those of that inlet.

    Raises KeyError for what is no inlet of the task.
    """

    def __init__(self, inlets: Sequence[Any]) -> None:
        self._inlets = [inlet for inlet in inlets if isinstance(inlet, Dataset | DatasetAlias)]

    def __getitem__(self, key: Any) -> Sequence[Any]:
        if isinstance(key, int):
            self._inlets[key]
            return ()
        target = _target(key)
        if not any(_names(inlet) & _names(target) for inlet in self._inlets):
            raise KeyError(target)
        return ()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inlets)

    def __len__(self) -> int:
        return len(self._inlets)


def _target(key: Any) -> Dataset | DatasetAlias:
    if isinstance(key, str):
        return Dataset(key)
    if isinstance(key, Dataset | DatasetAlias):
        return key
    raise KeyError(f"{key!r:.80} is no dataset.")


def _name(target: Dataset | DatasetAlias) -> tuple[str, str]:
    return ("alias", target.name) if isinstance(target, DatasetAlias) else ("uri", target.uri)


def _names(target: Dataset | DatasetAlias) -> set[tuple[str, str]]:
    """A dataset that is only referred to may be called by its name instead of its URI."""
    if isinstance(target, DatasetAlias):
        return {("alias", target.name)}
    return {("uri", target.uri), ("uri", target.name)}
