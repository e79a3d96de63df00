"""Which names say that a value is a secret, and what is shown in its place: for the server and for tasks alike."""

from __future__ import annotations

from typing import Any

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
