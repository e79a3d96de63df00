"""Hides stored secrets in texts that pages show: what tasks pushed is not masked by the tasks, for others need it."""

from __future__ import annotations

import re

import msgspec

from asyncflow.core.connections import extra_dict
from asyncflow.core.secrecy import MASK, is_sensitive
from asyncflow.store.database import Store

#: shorter texts are not hidden: they would garble everything
_SHORTEST = 3


async def hide_secrets(store: Store, texts: list[str]) -> list[str]:
    """The texts with the stored secrets replaced."""
    pattern = await secrets_pattern(store)
    return texts if pattern is None else [pattern.sub(MASK, text) for text in texts]


async def secrets_pattern(store: Store) -> re.Pattern[str] | None:
    """What is to be replaced: passwords and sensitive extras of Connections, and sensitive Variables.

    All of them are decrypted anew each time (50 us each), so that a secret set a moment ago is hidden, too.
    """
    secrets: set[str] = set()
    for connection in await store.list_connections():
        secrets.add(connection.password or "")
        secrets |= {str(value) for name, value in extra_dict(connection.extra).items() if is_sensitive(name)}
    secrets |= {variable.value for variable in await store.list_variables() if is_sensitive(variable.name)}
    secrets |= {msgspec.json.encode(secret).decode()[1:-1] for secret in secrets}  # as it reads inside JSON
    longest_first = sorted((text for text in secrets if len(text) >= _SHORTEST), key=len, reverse=True)
    return re.compile("|".join(re.escape(secret) for secret in longest_first)) if longest_first else None
