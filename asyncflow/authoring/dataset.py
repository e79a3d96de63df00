"""Datasets (assets in Airflow 3): names of data that tasks update and that start DAGs, as in Airflow 2.11."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_MAX = 3000


class BaseAsset:
    """A dataset, or a condition over several; `|` and `&` combine them."""

    def __or__(self, other: Any) -> DatasetAny:
        _check(other)
        return DatasetAny(self, other)

    def __and__(self, other: Any) -> DatasetAll:
        _check(other)
        return DatasetAll(self, other)

    def as_expression(self) -> Any:
        """As JSON: a URI, `{"alias": name}`, `{"any": [...]}`, `{"all": [...]}`."""
        raise NotImplementedError

    def iter_datasets(self) -> Iterator[tuple[str, Dataset]]:
        """The datasets in it, by URI."""
        raise NotImplementedError


class Dataset(BaseAsset):
    """A piece of data, named by a URI. `Asset(name=..., uri=...)` of Airflow 3 is the same."""

    def __init__(
        self,
        uri: str | None = None,
        extra: dict[str, Any] | None = None,
        *,
        name: str | None = None,
        group: str = "asset",
        watchers: Iterable[Any] = (),
        access_control: AssetAccessControl | None = None,
    ) -> None:
        """One of `uri` and `name` is enough. Raises ValueError for a URI that is empty, no ASCII, or reserved."""
        self.uri = _checked_uri(uri if uri is not None else name)
        self.name = name or self.uri
        self.extra = extra
        self.group = group
        self.watchers = list(watchers)
        self.access_control = access_control

    def __fspath__(self) -> str:
        return self.uri

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dataset):
            return NotImplemented
        return (self.uri, self.extra) == (other.uri, other.extra)

    def __hash__(self) -> int:
        return hash(self.uri)

    def __repr__(self) -> str:
        return f"Dataset(uri={self.uri!r}, extra={self.extra!r})"

    @property
    def normalized_uri(self) -> str:
        """The URI."""
        return self.uri

    @staticmethod
    def ref(*, name: str = "", uri: str = "") -> Dataset:
        """A dataset that is defined elsewhere."""
        return Dataset(uri or None, name=name or None)

    def as_expression(self) -> Any:
        return self.uri

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        plain: dict[str, Any] = {"uri": self.uri}
        if self.name != self.uri:
            plain["name"] = self.name
        return plain | ({"extra": self.extra} if self.extra else {})

    def iter_datasets(self) -> Iterator[tuple[str, Dataset]]:
        yield self.uri, self


class DatasetAlias(BaseAsset):
    """A name under which datasets are updated that are only known when the task runs."""

    def __init__(self, name: str, *, group: str = "asset") -> None:
        self.name = name
        self.group = group

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, DatasetAlias) else NotImplemented

    def __hash__(self) -> int:
        return hash((DatasetAlias, self.name))

    def __repr__(self) -> str:
        return f"DatasetAlias(name={self.name!r})"

    def as_expression(self) -> Any:
        return {"alias": self.name}

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"alias": self.name}

    def iter_datasets(self) -> Iterator[tuple[str, Dataset]]:
        return iter(())


class _Condition(BaseAsset):
    word = ""

    def __init__(self, *objects: BaseAsset) -> None:
        for item in objects:
            _check(item)
        self.objects = list(objects)

    def as_expression(self) -> Any:
        return {self.word: [item.as_expression() for item in self.objects]}

    def iter_datasets(self) -> Iterator[tuple[str, Dataset]]:
        seen = set()
        for item in self.objects:
            for uri, dataset in item.iter_datasets():
                if uri not in seen:
                    seen.add(uri)
                    yield uri, dataset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.objects == other.objects

    def __hash__(self) -> int:
        return hash((self.word, *self.objects))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.objects))})"


class DatasetAny(_Condition):
    """One of them is enough."""

    word = "any"

    def __or__(self, other: Any) -> DatasetAny:
        _check(other)
        return DatasetAny(*self.objects, other)


class DatasetAll(_Condition):
    """All of them are needed."""

    word = "all"

    def __and__(self, other: Any) -> DatasetAll:
        _check(other)
        return DatasetAll(*self.objects, other)


class Metadata:
    """Yielded by a task to add `extra` to the event of a dataset."""

    def __init__(self, target: Any, extra: Mapping[str, Any] | None = None, alias: Any = None) -> None:
        self.uri = target if isinstance(target, str) else target.uri
        self.asset = target
        self.extra = dict(extra or {})
        self.alias_name = getattr(alias, "name", alias)


class AssetAccessControl:
    """Which teams' events count for an asset in Airflow 3.3; kept with the asset: there are no teams here."""

    def __init__(
        self,
        *,
        producer_teams: Iterable[str] = (),
        consumer_teams: Iterable[str] = (),
        allow_global: bool = True,
    ) -> None:
        self.producer_teams = list(producer_teams)
        self.consumer_teams = list(consumer_teams)
        self.allow_global = allow_global


class AssetWatcher:
    """A trigger that watches an asset from outside; kept with the asset."""

    def __init__(self, name: str, trigger: Any) -> None:
        self.name = name
        self.trigger = trigger

    def __repr__(self) -> str:
        return f"AssetWatcher({self.name!r})"


def expand_alias_to_datasets(alias: str | DatasetAlias) -> list[BaseAsset]:
    """What an alias stands for is known to the server only: here nothing."""
    return []


def _check(value: Any) -> None:
    if not isinstance(value, BaseAsset):
        raise TypeError(f"Datasets combine with datasets, not with {type(value).__name__} ({value!r:.60}).")


def _checked_uri(uri: Any) -> str:
    if not isinstance(uri, str):
        raise ValueError(f"The URI of a dataset must be a text, not {type(uri).__name__}.")
    if not uri.strip() or len(uri) > _MAX:
        raise ValueError(f"The URI of a dataset must have 1 to {_MAX} characters that are not blank.")
    if not uri.isascii():
        raise ValueError(f"The URI of a dataset must be plain ASCII: {uri!r}.")
    if re.match(r"airflow(:|$)", uri):
        raise ValueError("The scheme 'airflow' of a dataset's URI is reserved.")
    return uri
