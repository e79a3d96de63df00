"""Which names say that a value is a secret, and what is shown in its place: for the server and for tasks alike."""

from __future__ import annotations

from typing import Any

from asyncflow.core.sentence import Sentence

#: a name that contains one of these holds a secret (Airflow's list)
SENSITIVE_NAMES = (
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "keyfile_dict",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "secret",
    "service_account",
    "token",
)
MASK = "***"


def is_sensitive(name: Any) -> bool:
    """Does a field or variable with this name hold a secret?"""
    return isinstance(name, str) and any(word in name.strip().lower() for word in SENSITIVE_NAMES)


def hide(value: Any) -> Any:
    """A JSON value in which everything under a sensitive name reads MASK."""
    if isinstance(value, dict):
        return {name: MASK if is_sensitive(name) and part else hide(part) for name, part in value.items()}
    return [hide(part) for part in value] if isinstance(value, list) else value


def restore(value: Any, stored: Any, name: str = "") -> Any:
    """What `hide(stored)`, perhaps edited, stands for: MASK under a sensitive name is what is stored there.

    Raises ValueError where nothing is.
    """
    if value == MASK and is_sensitive(name):
        if not stored:
            raise ValueError(
                Sentence("{name!r} reads ***, and nothing is stored in its place: write its value", name=name)
            )
        return stored
    if isinstance(value, dict):
        there = stored if isinstance(stored, dict) else {}
        return {key: restore(part, there.get(key), key) for key, part in value.items()}
    if isinstance(value, list):
        parts = stored if isinstance(stored, list) and len(stored) == len(value) else [None] * len(value)
        return [restore(part, there) for part, there in zip(value, parts, strict=True)]
    return value
