"""Variables as people list, edit and import them: a part of `engine.actions.Actions`. No answer holds a secret.

A Variable with a sensitive name is secret; one that is JSON may have secrets in it, which read ***.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from asyncflow.config import names_in_environment, secret_from_environment
from asyncflow.core.secrecy import MASK, hide, is_sensitive, restore
from asyncflow.core.sentence import told
from asyncflow.engine.credentials import OnConflict
from asyncflow.errors import Conflict, InvalidInput, NotFound
from asyncflow.store.database import Store

#: characters of a value in a list
_SHOWN = 200


class VariableFormActions:
    """Lists, forms, previews. Keyword arguments and answers are JSON values."""

    _store: Store
    set_variable: Callable[..., Awaitable[dict[str, Any]]]

    async def find_variables(
        self, text: str = "", limit: int = 100, offset: int = 0, falling: bool = False
    ) -> dict[str, Any]:
        """Some of the stored Variables by key, with the beginnings of their values, and how many match.

        `environment`: the variables of the environment that define one, by the key that they are asked for by.
        """
        rows, count = await self._store.find_variables(text, limit, offset, falling=falling)
        shown = [
            {
                "key": row.name,
                "value": shown_value(row.name, row.value),
                "secret": is_sensitive(row.name),
                "description": row.description,
                "in_environment": secret_from_environment("VAR", row.name) is not None,
            }
            for row in rows
        ]
        return {"rows": shown, "count": count, "environment": names_in_environment("VAR")}

    async def variable_keys(self, text: str = "") -> list[str]:
        """The keys of the stored Variables, of all or of those with `text` in key or description."""
        if not text:
            return await self._store.variable_names()
        return [row.name for row in (await self._store.find_variables(text))[0]]

    async def variable_form(self, key: str) -> dict[str, Any]:
        """One Variable as it may be shown; `secret`: its value is not, `masked`: parts of it are not."""
        row = await self._store.find_variable(key)
        if row is None:
            raise NotFound("Variable", key, await self._store.variable_names())
        secret = is_sensitive(key)
        value = "" if secret else _hidden(row.value)
        return {
            "key": key,
            "value": value,
            "secret": secret,
            "masked": not secret and value != row.value,
            "pretty": "" if secret else pretty(value),
            "description": row.description,
            "in_environment": secret_from_environment("VAR", key) is not None,
        }

    async def edit_variable(
        self,
        key: str,
        value: str,
        description: str = "",
        keep: bool = False,
        on_conflict: OnConflict = "overwrite",
    ) -> dict[str, Any]:
        """Make or change a Variable from a form. `keep`: the value stays; *** in it stands for what is stored."""
        row = await self._store.find_variable(key)
        if row is not None and on_conflict == "fail":
            raise Conflict("A Variable with the key {key!r} exists already.", key=key)
        if keep and row is None:
            raise InvalidInput("There is no Variable {key!r} whose value could stay.", key=key)
        if row is not None:
            value = row.value if keep else _restored(key, value, row.value)
        done: dict[str, Any] = await self.set_variable(key, value, description)
        return done

    async def preview_variables(
        self, variables: Mapping[str, Any], on_conflict: OnConflict = "overwrite"
    ) -> list[dict[str, Any]]:
        """What `import_variables` would do with each: "new", "same", "replaced", "left" or "refused"."""
        known = {row.name: row.value for row in await self._store.list_variables()}
        there = {"overwrite": "replaced", "skip": "left", "fail": "refused"}[on_conflict]
        rows = []
        for key, value in variables.items():
            what = "new" if key not in known else "same" if known[key] == value and there == "replaced" else there
            rows.append({"key": key, "value": shown_value(key, str(value)), "what": what})
        return rows


def shown_value(key: str, value: str) -> str:
    """The beginning of a value as it may be shown."""
    if is_sensitive(key):
        return MASK if value else ""
    shown = _hidden(value).strip()
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def pretty(text: str) -> str:
    """A JSON object or list, indented; "" for any other text, and for one that is indented so already."""
    found = _container(text)
    if found is None:
        return ""
    made = msgspec.json.format(msgspec.json.encode(found)).decode()
    return made if made != text else ""


def _container(text: str) -> dict[str, Any] | list[Any] | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict | list) else None


def _hidden(text: str) -> str:
    """The text; JSON with secrets in it is written anew, indented, with *** in their place."""
    found = _container(text)
    if found is None or hide(found) == found:
        return text
    return msgspec.json.format(msgspec.json.encode(hide(found))).decode()


def _restored(key: str, text: str, stored: str) -> str:
    """What a text stands for that was shown instead of `stored` and perhaps edited."""
    if text == _hidden(stored):
        return stored
    found, old = _container(text), _container(stored)
    if found is None or old is None or hide(old) == old:
        return text
    try:
        meant = restore(found, old)
    except ValueError as error:
        raise InvalidInput("Variable {key!r}: {error}.", key=key, error=told(error)) from None
    return text if meant == found else msgspec.json.format(msgspec.json.encode(meant)).decode()
