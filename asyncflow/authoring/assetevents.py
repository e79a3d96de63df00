"""What a task says about the datasets it updates (`outlet_events`), and reads about those it uses (`inlet_events`).

Also `triggering_dataset_events`: the updates that its run was made for.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import pendulum

from asyncflow.authoring import xcom
from asyncflow.authoring.api import DatasetEventRow, TaskApi, current_api
from asyncflow.authoring.dataset import Dataset, DatasetAlias

#: how many events are asked for at once
_PAGE = 500


class DatasetEvent:
    """One update of a dataset. Attribute names are Airflow's; those of the source are None for one from outside."""

    def __init__(self, row: DatasetEventRow, api: TaskApi) -> None:
        self._api = api
        self.id = row.event_id
        self.uri = row.uri
        self._name = row.name
        self.extra = row.extra
        self.timestamp = pendulum.instance(row.at)
        self.source_dag_id = row.source_dag_id or None
        self.source_run_id = row.source_run_id or None
        self.source_task_id = row.source_task_id or None
        self.source_map_index = row.source_map_index
        self.source_aliases = [DatasetAlias(name) for name in row.aliases]

    @property
    def dataset(self) -> Dataset:
        """The dataset, as far as the event knows it."""
        return Dataset(self.uri, name=self._name or None)

    asset = dataset

    @property
    def source_dag_run(self) -> Any:
        """The run whose task made the update; None if there is none (any more)."""
        from asyncflow.authoring.taskinstance import DagRun

        if self.source_dag_id is None or self.source_run_id is None:
            return None
        found = self._api.dag_runs(self.source_dag_id, run_ids=[self.source_run_id])
        return DagRun(found[0], self.source_dag_id, api=self._api) if found else None

    @property
    def source_task_instance(self) -> SourceTask | None:
        """The task instance that made the update: its XComs can be pulled."""
        return SourceTask(self, self._api) if self.source_dag_id is not None else None

    def __repr__(self) -> str:
        return (
            f"DatasetEvent(id={self.id}, uri={self.uri!r}, extra={self.extra!r}, "
            f"source={self.source_dag_id}/{self.source_run_id}/{self.source_task_id}[{self.source_map_index}])"
        )


class SourceTask:
    """The task instance that made an update."""

    def __init__(self, event: DatasetEvent, api: TaskApi) -> None:
        self._api = api
        self.dag_id, self.run_id, self.task_id = event.source_dag_id, event.source_run_id, event.source_task_id
        self.map_index = event.source_map_index

    def xcom_pull(self, *, key: str = xcom.XCOM_RETURN_KEY, default: Any = None) -> Any:
        """What it pushed under a key."""
        rows = self._api.xcom_rows(
            dag_id=str(self.dag_id),
            run_id=str(self.run_id),
            task_ids=[str(self.task_id)],
            key=key,
            map_indexes=[self.map_index],
        )
        return xcom.decode(rows[0].value) if rows else default


class EventSequence(Sequence[DatasetEvent]):
    """The events of one dataset or alias, oldest first; asked for when they are looked at, and only those."""

    def __init__(self, target: Dataset | DatasetAlias) -> None:
        self._filter = {"alias": target.name} if isinstance(target, DatasetAlias) else {"uri": target.uri}

    def __len__(self) -> int:
        return current_api().count_dataset_events(**self._filter)

    @overload
    def __getitem__(self, place: int) -> DatasetEvent: ...
    @overload
    def __getitem__(self, place: slice) -> list[DatasetEvent]: ...
    def __getitem__(self, place: int | slice) -> DatasetEvent | list[DatasetEvent]:
        if isinstance(place, slice):
            return list(self)[place]
        offset = place if place >= 0 else -place - 1
        found = self._page(offset, 1, newest_first=place < 0)
        if not found:
            raise IndexError(f"there are only {len(self)} events")
        return found[0]

    def __iter__(self) -> Iterator[DatasetEvent]:
        offset = 0
        while page := self._page(offset, _PAGE):
            yield from page
            offset += len(page)

    def __bool__(self) -> bool:
        return bool(self._page(0, 1))

    def _page(self, offset: int, limit: int, *, newest_first: bool = False) -> list[DatasetEvent]:
        api = current_api()
        rows = api.dataset_events(**self._filter, newest_first=newest_first, limit=limit, offset=offset)
        return [DatasetEvent(row, api) for row in rows]


def triggering_by_uri(events: Iterable[DatasetEvent]) -> dict[str, list[DatasetEvent]]:
    """`triggering_dataset_events`: by URI; a dataset that was not updated has an empty list."""
    found: dict[str, list[DatasetEvent]] = defaultdict(list)
    for event in events:
        found[event.uri].append(event)
    return found


class TriggeringEvents(Mapping[Any, Sequence[DatasetEvent]]):
    """`triggering_asset_events` of Airflow 3: by asset, alias or URI; iterates over the assets."""

    def __init__(self, events: Iterable[DatasetEvent]) -> None:
        self._events = list(events)

    def __getitem__(self, key: Any) -> Sequence[DatasetEvent]:
        if isinstance(key, DatasetAlias):
            return [event for event in self._events if key in event.source_aliases]
        target = _target(key)
        return [event for event in self._events if _names(event.asset) & _names(target)]

    def __iter__(self) -> Iterator[Any]:
        return iter(dict.fromkeys(event.asset for event in self._events))

    def __len__(self) -> int:
        return len({event.uri for event in self._events})


def events_of(outlets: Iterable[Any], said: OutletEvents) -> tuple[dict[str, Any], ...]:
    """The updates that a task which has succeeded made, as `TryResult.dataset_events` wants them.

    One for each dataset among its outlets; of an alias, one for each dataset and `extra` that was added to it.
    """
    events: list[dict[str, Any]] = []
    under: dict[tuple[str, str], dict[str, Any]] = {}
    for outlet in outlets:
        if isinstance(outlet, Dataset):
            events.append(_event(outlet, said[outlet].extra))
        elif isinstance(outlet, DatasetAlias):
            for added in said[outlet].asset_alias_events:
                event = _event(added["dest_asset"], added["extra"])
                event = under.setdefault((event["uri"], json.dumps(event["extra"], sort_keys=True)), event)
                event["aliases"] = sorted({*event.get("aliases", ()), added["source_alias_name"]})
    return (*events, *under.values())


def _event(dataset: Dataset, extra: Mapping[str, Any]) -> dict[str, Any]:
    name = dataset.name if dataset.name != dataset.uri else ""
    plain = json.loads(json.dumps(dict(extra), default=str))  # what JSON does not know travels as its text
    return {"uri": dataset.uri, "name": name, "extra": plain}


class OutletEvent:
    """What travels with the event of one outlet: `extra`, and of an alias the datasets it stands for."""

    def __init__(self, key: Dataset | DatasetAlias | str) -> None:
        self.key = key
        self.extra: dict[str, Any] = {}
        #: per dataset that was added to an alias: {"source_alias_name", "dest_asset", "extra"}
        self.asset_alias_events: list[dict[str, Any]] = []
        self.partition_keys: list[str] = []

    def add(self, dataset: Dataset | str, extra: Mapping[str, Any] | None = None) -> None:
        """Of an alias: this dataset is updated, too. Of a dataset, nothing happens."""
        if isinstance(self.key, Dataset):
            return
        target = Dataset(dataset) if isinstance(dataset, str) else dataset
        event = {
            "source_alias_name": self.key if isinstance(self.key, str) else self.key.name,
            "dest_asset": target,
            "extra": dict(extra or {}),
        }
        self.asset_alias_events.append(event)

    def add_partitions(self, keys: str | Sequence[str], extra: Mapping[str, Any] | None = None) -> None:
        """The parts of the dataset that are updated; a key counts once."""
        given = [keys] if isinstance(keys, str) else keys
        self.partition_keys += [key for key in dict.fromkeys(given) if key not in self.partition_keys]
        self.extra.update(extra or {})

    def __repr__(self) -> str:
        return f"OutletEvent({self.key!r}, extra={self.extra!r})"


class OutletEvents(Mapping[Any, OutletEvent]):
    """`outlet_events[dataset]`, of a dataset, an alias, or a URI or an alias' name; made when it is first asked for."""

    def __init__(self) -> None:
        self._events: dict[Any, OutletEvent] = {}

    def __getitem__(self, key: Any) -> OutletEvent:
        if not isinstance(key, str | Dataset | DatasetAlias):
            raise KeyError(f"{key!r:.80} is no dataset.")
        name = key if isinstance(key, str) else key.uri if isinstance(key, Dataset) else key.name
        return self._events.setdefault(name, OutletEvent(key))

    def __iter__(self) -> Iterator[Any]:
        return (event.key for event in self._events.values())

    def __len__(self) -> int:
        return len(self._events)


class InletEvents(Mapping[Any, Sequence[DatasetEvent]]):
    """`inlet_events[dataset]`: the events of one of the task's inlets, oldest first; by number, those of that inlet.

    Raises KeyError for what is no inlet of the task.
    """

    def __init__(self, inlets: Sequence[Any]) -> None:
        self._inlets = [inlet for inlet in inlets if isinstance(inlet, Dataset | DatasetAlias)]

    def __getitem__(self, key: Any) -> Sequence[DatasetEvent]:
        if isinstance(key, int):
            return EventSequence(self._inlets[key])
        target = _target(key)
        if not any(_names(inlet) & _names(target) for inlet in self._inlets):
            raise KeyError(target)
        return EventSequence(target)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inlets)

    def __len__(self) -> int:
        return len(self._inlets)


class TriggeringAssetEventsAccessor(Mapping[Any, Sequence[Any]]):
    """Airflow 3's name of the type of `triggering_asset_events`, for annotations."""


class AssetEventDagRunReferenceResult:
    """Airflow 3's name of the type of one triggering event, for annotations."""


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
