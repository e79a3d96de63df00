"""Structs to SQL parameters and rows back to structs, by field name.

A column holds the field of the same name: `datetime` as integer microseconds since 1970 UTC, `dict` and `tuple` as
JSON text, an enum as its word, a bool as 0 or 1. The only place where times and JSON are converted.
"""

from __future__ import annotations

import json
import sqlite3
import types
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
Convert = Callable[[Any], Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime | None) -> int | None:
    """Integer microseconds since 1970 UTC. Raises ValueError for a naive datetime."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone, so it cannot be stored")
    return (moment - EPOCH) // _MICROSECOND


def from_micros(value: int | None) -> datetime | None:
    """The aware UTC datetime of integer microseconds."""
    return None if value is None else EPOCH + timedelta(microseconds=value)


def to_json(value: Any) -> str | None:
    """JSON text; None stays None (SQL NULL)."""
    return None if value is None else msgspec.json.encode(value).decode()


def names_json(values: Iterable[Any] | None) -> str | None:
    """A list parameter for `json_each(:name)`; None means "do not filter"."""
    return None if values is None else json.dumps([str(v) if isinstance(v, str) else v for v in values])


def _converters(hint: Any) -> tuple[Convert | None, Convert | None]:
    """(to SQL, from SQL) of a field's type; None = stored as it is."""
    kinds = [a for a in get_args(hint) if a is not types.NoneType] if _is_union(hint) else [hint]
    kind = kinds[0]
    origin = get_origin(kind) or kind
    if origin is datetime:
        return to_micros, from_micros
    if origin in (dict, tuple, list) or (isinstance(origin, type) and issubclass(origin, msgspec.Struct)):
        return to_json, lambda text: None if text is None else msgspec.json.decode(text, type=kind)
    if isinstance(origin, type) and issubclass(origin, Enum):
        # The word itself: sqlite3 takes a slow road for subclasses of str.
        return lambda member: None if member is None else member.value, {m.value: m for m in origin}.get
    if origin is bool:
        return int, bool
    return None, None


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


class RowCodec(Generic[T]):
    """Both directions for one struct type."""

    def __init__(self, kind: type[T]) -> None:
        hints = get_type_hints(kind)
        self.kind = kind
        self.fields = kind.__struct_fields__
        both = {name: _converters(hints[name]) for name in self.fields}
        self._plain = [name for name in self.fields if both[name][0] is None]
        self._to_sql = [(name, convert) for name, (convert, _) in both.items() if convert is not None]
        self._from_sql = {name: convert for name, (_, convert) in both.items()}

    def params(self, item: T) -> dict[str, Any]:
        """`:name` parameters, one for each field."""
        params = {name: getattr(item, name) for name in self._plain}
        for name, convert in self._to_sql:
            params[name] = convert(getattr(item, name))
        return params

    def load(self, cursor: sqlite3.Cursor) -> list[T]:
        """Every row of a cursor; columns that are no fields are left out."""
        known = [
            (place, column[0], self._from_sql[column[0]])
            for place, column in enumerate(cursor.description)
            if column[0] in self._from_sql
        ]
        kind = self.kind
        return [
            kind(**{name: row[at] if convert is None else convert(row[at]) for at, name, convert in known})
            for row in cursor
        ]

    def load_one(self, cursor: sqlite3.Cursor) -> T | None:
        """The first row of a cursor, None when there is none."""
        rows = self.load(cursor)
        return rows[0] if rows else None
