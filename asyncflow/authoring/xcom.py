"""XCom values: the codec (JSON with a closed set of tagged types, never pickle), and what `xcom_pull` gives back.

What keeps its type, as in Airflow 2.11 (golden/gotchas.md, 30):

    str int float bool None list dict        as JSON; dict keys become text, other than text and numbers is an error
    tuple, namedtuple                        at the top (and inside a top-level tuple or set); elsewhere a list
    set frozenset Decimal datetime date      everywhere, as {"__classname__": ..., "__version__": 1, "__data__": ...}
    timedelta timezone UUID pendulum types
    enum members, numpy scalars              their plain value
    dataclasses, pydantic and attrs objects  a dict of their fields (a class is never imported to read a value)

Everything else, bytes and paths among it, is a TypeError that says where in the value it sits.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, cast, overload
from uuid import UUID

import pendulum

from asyncflow.authoring.api import XComRow

XCOM_RETURN_KEY = "return_value"
#: what a branch or short circuit leaves for Airflow's own readers
XCOM_SKIPMIXIN_KEY = "skipmixin_key"

_CLASS, _VERSION, _DATA = "__classname__", "__version__", "__data__"


def encode(value: Any) -> str:
    """The JSON text of a value. Raises TypeError (what, and where in the value) if it has no such form."""
    if isinstance(value, dict) and _CLASS in value:
        raise TypeError(f"XCom: the key {_CLASS!r} is reserved and cannot be used in a dict")
    try:
        return json.dumps(_plain(value, "", typed=isinstance(value, tuple | set | frozenset)), allow_nan=False)
    except RecursionError:
        raise TypeError("XCom: the value is nested too deep, or contains itself") from None


def decode(text: str) -> Any:
    """The value of a JSON text that `encode` made; tags that are not known stay dicts."""
    return json.loads(text, object_hook=_revive)


def to_json_types(value: Any) -> Any:
    """A value in JSON types, tagged as in `encode`: for messages and columns that hold JSON as such."""
    return json.loads(encode(value))


def from_json_types(value: Any) -> Any:
    """The value that `to_json_types` made."""
    return decode(json.dumps(value))


# ---- encoding -------------------------------------------------------------------------------------------------------


def _tag(name: str, data: Any) -> dict[str, Any]:
    return {_CLASS: name, _VERSION: 1, _DATA: data}


def _plain(value: Any, path: str, *, typed: bool) -> Any:
    """`value` in JSON types only. `path` says where we are; `typed`: tuples here keep their type."""
    if value is None or value is True or value is False:
        return value
    for kinds, function in _ENCODERS:
        if isinstance(value, kinds):
            return function(value, path, typed)
    return _object(value, path)


def _float(value: float, path: str, typed: bool) -> Any:
    return float(value) if math.isfinite(value) else _tag("builtins.float", str(float(value)))


def _dict(value: dict[Any, Any], path: str, typed: bool) -> Any:
    if _CLASS in value and _VERSION in value:
        raise TypeError(f"XCom: the keys {_CLASS!r} and {_VERSION!r} are reserved, at {path or 'the top'}")
    return {_key(k, path): _plain(v, f"{path}[{k!r}]", typed=typed) for k, v in value.items()}


def _key(key: Any, path: str) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, bool) or key is None:
        return json.dumps(key)
    if isinstance(key, int | float):
        return str(key)
    raise TypeError(
        f"XCom: dict keys must be text or numbers, not {type(key).__name__}: {key!r} at {path or 'the top'}"
    )


def _items(value: Iterable[Any], path: str, typed: bool) -> list[Any]:
    return [_plain(item, f"{path}[{i}]", typed=typed) for i, item in enumerate(value)]


def _tuple(value: tuple[Any, ...], path: str, typed: bool) -> Any:
    items = _items(value, path, typed)
    return _tag("builtins.tuple", items) if typed else items


def _set(value: set[Any] | frozenset[Any], path: str, typed: bool) -> Any:
    return _tag(f"builtins.{'set' if isinstance(value, set) else 'frozenset'}", _items(value, path, True))


def _decimal(value: Decimal, path: str, typed: bool) -> Any:
    # Airflow goes through int or float, so 1.50 comes back as 1.5: trailing zeros go, digits that count stay
    if not value.is_finite():
        return _tag("decimal.Decimal", str(value))
    short = value.normalize()
    return _tag("decimal.Decimal", format(short, "f") if abs(short.adjusted()) < 30 else str(short))


def _datetime(value: dt.datetime, path: str, typed: bool) -> Any:
    name = "pendulum.datetime.DateTime" if isinstance(value, pendulum.DateTime) else "datetime.datetime"
    return _tag(name, {"text": value.isoformat(), "tz": _zone_name(value.tzinfo)})


def _zone_name(zone: dt.tzinfo | None) -> str | None:
    """The IANA name of a zone that has one."""
    if isinstance(zone, zoneinfo.ZoneInfo):  # pendulum's Timezone is one, too
        return zone.key
    return "UTC" if zone is dt.UTC else None


def _zone(value: dt.tzinfo, path: str, typed: bool) -> Any:
    name = _zone_name(value)
    if name is None:
        offset = value.utcoffset(None)
        return _tag("datetime.timezone", offset.total_seconds() if offset is not None else 0.0)
    return _tag("pendulum.tz.timezone.Timezone" if isinstance(value, pendulum.Timezone) else "zoneinfo.ZoneInfo", name)


_ENCODERS: list[tuple[tuple[type, ...], Callable[[Any, str, bool], Any]]] = [
    ((enum.Enum,), lambda v, path, typed: _plain(v.value, path, typed=typed)),
    ((str,), lambda v, path, typed: str.__str__(v)),
    ((int,), lambda v, path, typed: int(v)),
    ((float,), _float),
    ((dict,), _dict),
    ((list,), _items),
    ((tuple,), _tuple),
    ((set, frozenset), _set),
    ((Decimal,), _decimal),
    ((dt.datetime,), _datetime),
    ((dt.date,), lambda v, path, typed: _tag("datetime.date", v.isoformat())),
    ((dt.timedelta,), lambda v, path, typed: _tag("datetime.timedelta", [v.days, v.seconds, v.microseconds])),
    ((dt.tzinfo,), _zone),
    ((UUID,), lambda v, path, typed: _tag("uuid.UUID", str(v))),
]


def _object(value: Any, path: str) -> Any:
    """Objects of other classes: those that know their fields become dicts, numpy scalars plain numbers."""
    kind = type(value)
    if isinstance(value, LazySelectSequence):
        return _items(value, path, False)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    elif hasattr(kind, "__attrs_attrs__"):
        fields = {f.name: getattr(value, f.name) for f in kind.__attrs_attrs__}
    elif hasattr(kind, "__pydantic_fields__"):
        fields = value.model_dump()
    elif kind.__module__ == "numpy" and hasattr(value, "item") and getattr(value, "shape", None) == ():
        return _plain(value.item(), path, typed=False)
    else:
        where = f" at {path}" if path else ""
        raise TypeError(f"XCom: a value of type {kind.__module__}.{kind.__qualname__} cannot be stored{where}")
    return _dict(fields, path, False)


# ---- decoding -------------------------------------------------------------------------------------------------------


def _revive_datetime(data: dict[str, Any], kind: type) -> dt.datetime:
    moment = dt.datetime.fromisoformat(data["text"])
    name = data.get("tz")
    if kind is pendulum.DateTime:
        made = pendulum.instance(moment, tz=moment.tzinfo or "UTC")
        if moment.tzinfo is None:
            return made.naive()
        return made.in_timezone(name) if name else made
    if name and moment.tzinfo is not None:
        return moment.astimezone(dt.UTC if name == "UTC" else zoneinfo.ZoneInfo(name))
    return moment


_REVIVERS: dict[str, Callable[[Any], Any]] = {
    "builtins.float": float,
    "builtins.tuple": tuple,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "decimal.Decimal": Decimal,
    "datetime.datetime": lambda data: _revive_datetime(data, dt.datetime),
    "pendulum.datetime.DateTime": lambda data: _revive_datetime(data, pendulum.DateTime),
    "datetime.date": dt.date.fromisoformat,
    "datetime.timedelta": lambda data: dt.timedelta(*data),
    "datetime.timezone": lambda data: dt.timezone(dt.timedelta(seconds=data)),
    "zoneinfo.ZoneInfo": zoneinfo.ZoneInfo,
    "pendulum.tz.timezone.Timezone": pendulum.timezone,
    "uuid.UUID": UUID,
}


def _revive(data: dict[str, Any]) -> Any:
    if _CLASS not in data or _VERSION not in data:
        return data
    revive = _REVIVERS.get(data[_CLASS])
    return revive(data.get(_DATA)) if revive else data


# ---- mapping over a value -------------------------------------------------------------------------------------------


def map_length(value: Any) -> int | None:
    """How many copies a task mapped over this value gets; None if it cannot be mapped over."""
    if isinstance(value, dict | LazySelectSequence):
        return len(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return len(value)
    return None


# ---- pulling --------------------------------------------------------------------------------------------------------


class LazySelectSequence(Sequence[Any]):
    """The outputs of several task instances: a read-only list that decodes a value when it is looked at."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [decode(text) for text in self._texts[index]]
        return decode(self._texts[index])

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[Any]:
        return (decode(text) for text in self._texts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LazySelectSequence([{len(self)} item{'' if len(self) == 1 else 's'}])"


def arrange(
    rows: Sequence[XComRow],
    *,
    task_ids: str | Iterable[str] | None,
    map_indexes: int | Iterable[int] | None,
    default: Any,
) -> Any:
    """What `xcom_pull` with these arguments gives for the rows found (in the order of `TaskApi.xcom_rows`).

    One task, not mapped: its value. One mapped task: a lazy sequence in order of map index. Several tasks or map
    indexes asked for: a lazy sequence in the order of the arguments, absent ones left out.
    """
    if (task_ids is None or isinstance(task_ids, str)) and not isinstance(map_indexes, Iterable):
        if not rows:
            return default
        if map_indexes is not None or rows[0].map_index < 0:
            return decode(rows[0].value)
        return LazySelectSequence([row.value for row in sorted(rows, key=lambda row: row.map_index)])
    tasks = {task: i for i, task in enumerate(_listed(task_ids))}
    indexes = {index: i for i, index in enumerate(_listed(map_indexes))}

    def place(row: XComRow) -> tuple[int | str, int]:
        task = tasks.get(row.task_id, 0) if tasks else row.task_id
        return task, indexes.get(row.map_index, 0) if indexes else row.map_index

    return LazySelectSequence([row.value for row in sorted(rows, key=place)])


def _listed(wanted: Any) -> list[Any]:
    if wanted is None or isinstance(wanted, str | int):
        return []
    return list(cast(Iterable[Any], wanted))
