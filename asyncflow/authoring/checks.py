"""Checks of what a DAG file passes in: ids, types, and sentences about names that do not exist."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from asyncflow.errors import InvalidDag

_KEY = re.compile(r"[\w.-]+")
_GROUP_KEY = re.compile(r"[\w-]+")
MAX_KEY = 250
MAX_GROUP_KEY = 200


def validate_key(key: Any, what: str = "id", max_length: int = MAX_KEY) -> None:
    """An id of a DAG, task or pool: letters, digits, dashes, dots, underscores. Raises TypeError or InvalidDag."""
    _check_text(key, what, max_length)
    if not _KEY.fullmatch(key):
        raise InvalidDag(f"The {what} {key!r} is not allowed: use letters, digits, dashes, dots and underscores only.")


def validate_group_key(key: Any, max_length: int = MAX_GROUP_KEY) -> None:
    """An id of a task group that prefixes its tasks: as `validate_key`, without dots."""
    _check_text(key, "group_id", max_length)
    if not _GROUP_KEY.fullmatch(key):
        raise InvalidDag(f"The group_id {key!r} is not allowed: use letters, digits, dashes and underscores only.")


def _check_text(key: Any, what: str, max_length: int) -> None:
    if not isinstance(key, str):
        raise TypeError(f"The {what} must be a string, not {type(key).__name__}: {key!r}.")
    if len(key) > max_length:
        raise InvalidDag(f"The {what} {key[:40]!r}... is {len(key)} characters long; {max_length} are allowed.")


def check_types(values: Mapping[str, Any], expected: Mapping[str, tuple[type, ...]], owner: str) -> None:
    """Values that are given (not None) must have one of their types. Raises TypeError naming `owner`."""
    for name, kinds in expected.items():
        value = values.get(name)
        if value is not None and not isinstance(value, kinds):
            words = " or ".join(kind.__name__ for kind in kinds)
            raise TypeError(f"{owner}: {name} must be {words}, not {type(value).__name__} ({value!r:.60}).")


def unknown_keywords(owner: str, unknown: Iterable[str], known: Iterable[str]) -> TypeError:
    """The error for keywords that nothing takes, with the nearest that something does."""
    accepted = list(known)
    parts = []
    for name in unknown:
        near = difflib.get_close_matches(name, accepted, n=2)
        parts.append(f"{name!r}" + (f" (did you mean {' or '.join(repr(n) for n in near)}?)" if near else ""))
    return TypeError(f"{owner} does not know the argument {', '.join(parts)}.")
