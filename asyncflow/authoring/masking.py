"""Hiding of secrets in logs and rendered fields.

Values become known by `mask_secret`: passwords of connections that were asked for, Variables with a sensitive name,
what user code registers itself. From the first one on, everything this process prints passes through `redact`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from asyncflow.core.secrecy import MASK
from asyncflow.core.secrecy import is_sensitive as is_sensitive

#: shorter texts are not hidden: they would garble every line
_SHORTEST = 3

_secrets: set[str] = set()
#: of all secrets; made again when it is next needed after a new one
_pattern: re.Pattern[str] | None = None


def mask_secret(secret: Any, name: str | None = None) -> None:
    """Hide this text from now on; of a dict, the values under sensitive names; of other collections, each member.

    With a `name`, only if the name is sensitive.
    """
    if isinstance(secret, Mapping):
        for key, value in secret.items():
            mask_secret(value, str(key))
    elif isinstance(secret, str):
        if name is None or is_sensitive(name):
            _add(secret)
    elif isinstance(secret, Iterable):
        for item in secret:
            mask_secret(item, name)


def _add(secret: str) -> None:
    global _pattern
    if len(secret) < _SHORTEST or secret in _secrets:
        return
    _secrets.update({secret, repr(secret)[1:-1], secret.replace("\\", "\\\\")})
    _pattern = None
    _cover_streams()


def forget_secrets() -> None:
    """Start without secrets again; for tests."""
    global _pattern
    _secrets.clear()
    _pattern = None


def mask_text(text: str) -> str:
    """`text` with every known secret replaced."""
    global _pattern
    if not _secrets:
        return text
    if _pattern is None:
        longest_first = sorted(_secrets, key=len, reverse=True)
        _pattern = re.compile("|".join(re.escape(secret) for secret in longest_first))
    return _pattern.sub(MASK, text)


def redact(value: Any, name: str | None = None, max_depth: int = 5) -> Any:
    """`value` with known secrets replaced in its texts, and texts under sensitive names replaced altogether."""
    if name is not None and is_sensitive(name) and value and not isinstance(value, bool):
        return _all_masked(value)
    if isinstance(value, str):
        return mask_text(value)
    if max_depth <= 0:
        return value
    if isinstance(value, Mapping):
        return {key: redact(item, str(key), max_depth - 1) for key, item in value.items()}
    if isinstance(value, list | set):
        return type(value)(redact(item, None, max_depth - 1) for item in value)
    if isinstance(value, tuple):
        return tuple(redact(item, None, max_depth - 1) for item in value)
    return value


def _all_masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _all_masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_all_masked(item) for item in value]
    return MASK if isinstance(value, str) else value


class SecretsMasker(logging.Filter):
    """Airflow's name for what is done everywhere here; as a log filter it has nothing left to do."""

    def filter(self, record: logging.LogRecord) -> bool:
        return True

    def add_mask(self, secret: Any, name: str | None = None) -> None:
        mask_secret(secret, name)

    def redact(self, item: Any, name: str | None = None, max_depth: int | None = None) -> Any:
        return redact(item, name, max_depth or 5)


class _MaskedStream:
    """A text stream that hides secrets in what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(mask_text(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _cover_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, _MaskedStream):
            setattr(sys, name, _MaskedStream(stream))
