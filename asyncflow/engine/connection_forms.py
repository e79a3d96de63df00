"""Connections as people list, edit and test them: a part of `engine.actions.Actions`. No answer holds a secret.

What packages say of connections is asked of a process of its own (`executors.oneshot`): the server imports none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from asyncflow.config import names_in_environment, secret_from_environment
from asyncflow.core import connection_secrets
from asyncflow.core import connections as data
from asyncflow.core.connection_types import KNOWN, ConnectionType, package_of
from asyncflow.core.secrecy import MASK, hide, is_sensitive
from asyncflow.core.sentence import Sentence, told
from asyncflow.engine.clock import Clock
from asyncflow.engine.credentials import OnConflict, made_connection
from asyncflow.errors import AsyncflowError, InvalidInput, NotFound
from asyncflow.store.database import Connection, Store

#: seconds a test may take, and a package may think about its form
TEST_LIMIT, FORM_LIMIT = 30.0, 10.0
#: seconds for which an answer about installed packages holds
_FRESH = 300.0

Question = Mapping[str, Any]
AskChild = Callable[[Question, float], Awaitable[dict[str, Any]]]
Fields = Mapping[str, Any]


class ConnectionFormActions:
    """Lists, forms, tests. Keyword arguments and answers are JSON values."""

    _store: Store
    _clock: Clock
    _ask_child: AskChild
    _set_connection: Callable[[Connection, OnConflict], Awaitable[dict[str, Any]]]
    #: answers about installed packages, by question, with the time they were given
    _learned: dict[str, tuple[float, dict[str, Any]]]

    async def find_connections(
        self,
        text: str = "",
        conn_type: str = "",
        limit: int = 100,
        offset: int = 0,
        by: str = "id",
        falling: bool = False,
    ) -> dict[str, Any]:
        """Some of the stored Connections (`by` id, type, host, port, schema or login), how many match, all types.

        `environment`: the variables of the environment that define one, by the conn_id that they are asked for by.
        """
        rows, count, types = await self._store.find_connections(text, conn_type, limit, offset, by=by, falling=falling)
        return {
            "rows": [{**row, "in_environment": _in_environment(row["conn_id"])} for row in rows],
            "count": count,
            "types": types,
            "environment": names_in_environment("CONN"),
        }

    async def connection_form(self, conn_id: str) -> dict[str, Any]:
        """The fields that may be shown: `extra` with *** in place of secrets, and whether there is a password.

        An extra that is no JSON object is not shown at all: `extra_is_hidden`.
        """
        row = await self._stored_connection(conn_id)
        extra = data.extra_dict(row.extra)
        return {
            "conn_id": row.conn_id,
            **{name: getattr(row, name) for name in ("conn_type", "description", "host", "port", "login", "schema")},
            "has_password": bool(row.password),
            "extra": _json(hide(extra)) if extra else "",
            "extra_is_hidden": not extra and (row.extra or "{}").strip() != "{}",
            "in_environment": _in_environment(conn_id),
        }

    async def edit_connection(
        self,
        conn_id: str,
        fields: Fields,
        like: str | None = None,
        forget: Sequence[str] = (),
        keep: Sequence[str] = (),
        on_conflict: OnConflict = "overwrite",
    ) -> dict[str, Any]:
        """Make or replace a Connection from a form.

        What the form hid is that of the Connection `like`, as `core.connection_secrets.filled` says it with `forget`
        and `keep`; unless it would go elsewhere than before, which raises InvalidInput.
        """
        return await self._set_connection(await self._meant(conn_id, fields, like, forget, keep), on_conflict)

    async def test_connection(
        self,
        conn_id: str,
        fields: Fields | None = None,
        like: str | None = None,
        forget: Sequence[str] = (),
        keep: Sequence[str] = (),
        limit: float = TEST_LIMIT,
    ) -> dict[str, Any]:
        """Whether its hook gets through: {"status": bool, "message": text}. With `fields`, of a form not saved yet.

        What is stored is tested, or what the environment defines under this name, as tasks would have it.
        """
        if fields is not None:
            connection = await self._meant(conn_id, fields, like, forget, keep)
        elif (text := secret_from_environment("CONN", conn_id)) is not None:
            connection = made_connection(conn_id, *_understood(text))
        else:
            connection = await self._stored_connection(conn_id)
        question = {"ask": "test", "connection": msgspec.structs.asdict(connection)}
        try:
            answer = await self._ask_child(question, limit)
        except AsyncflowError as error:
            answer = {"status": False, "message": told(error)}
        message = answer["message"]
        if not answer["status"] and message.startswith("Unknown hook type"):
            return {"status": False, "message": _no_hook(connection.conn_type)}
        return {"status": bool(answer["status"]), "message": _without_secrets(connection, message)}

    # ---- types ------------------------------------------------------------------------------------------------------

    async def connection_types(self) -> list[dict[str, Any]]:
        """The types that are known: conn_type, name, the package that brings them, and whether it is there."""
        installed = (await self._learn({"ask": "types"})).get("types", {})
        return [
            {
                "conn_type": conn_type,
                "name": KNOWN[conn_type].name if conn_type in KNOWN else conn_type,
                "package": installed.get(conn_type) or package_of(conn_type),
                "installed": conn_type in installed,
            }
            for conn_type in sorted({*KNOWN, *installed})
        ]

    async def connection_type_form(self, conn_type: str) -> dict[str, Any]:
        """What to ask for in a Connection of this type: hidden fields, labels, placeholders, fields of the extra.

        `problem`: why its installed package could not say.
        """
        known = KNOWN.get(conn_type) or ConnectionType(conn_type)
        form = {
            "hidden": list(known.hidden),
            "labels": dict(known.labels),
            "placeholders": dict(known.placeholders),
            "fields": [],
            "problem": "",
        }
        installed = (await self._learn({"ask": "types"})).get("types", {})
        if conn_type in installed and conn_type != "fs":
            said = await self._learn({"ask": "form", "conn_type": conn_type})
            form |= {name: value for name, value in said.items() if value}
        return form

    async def _learn(self, question: Question) -> dict[str, Any]:
        """What installed packages say, kept for a while; only a `problem` if they cannot be asked."""
        name, now = str(sorted(question.items())), self._clock.now().timestamp()
        asked_at, answer = self._learned.get(name, (0.0, {}))
        if now - asked_at > _FRESH:
            try:
                answer = await self._ask_child(question, FORM_LIMIT)
            except AsyncflowError as error:
                answer = {"problem": told(error)}
            self._learned[name] = now, answer
        return answer

    # ---- what forms mean --------------------------------------------------------------------------------------------

    async def _stored_connection(self, conn_id: str) -> Connection:
        fields = await self._store.connection_get(conn_id)
        if fields is None:
            raise NotFound("Connection", conn_id, [row["conn_id"] for row in (await self._store.find_connections())[0]])
        return msgspec.convert(fields, Connection)

    async def _meant(
        self, conn_id: str, fields: Fields, like: str | None, forget: Sequence[str], keep: Sequence[str]
    ) -> Connection:
        stored = msgspec.structs.asdict(await self._stored_connection(like)) if like else None
        try:
            filled, used = connection_secrets.filled(fields, stored, forget, keep)
        except ValueError as error:
            raise InvalidInput(
                "Connection {conn_id!r}: extra is not right: {error}.", conn_id=conn_id, error=told(error)
            ) from None
        connection = made_connection(conn_id, filled)
        if stored is not None:
            connection_secrets.check_place(used, msgspec.structs.asdict(connection), stored)
        return connection


def _understood(text: str) -> tuple[Fields, str | None]:
    """The fields and the URI of `made_connection` that a text of the environment stands for."""
    return ({}, text) if not text.lstrip().startswith("{") else (data.from_json(text), None)


def _no_hook(conn_type: str) -> Sentence:
    package = package_of(conn_type)
    if package:
        return Sentence(
            "No installed package knows connections of type {conn_type!r}: pip install {package}.",
            conn_type=conn_type,
            package=package,
        )
    return Sentence("No installed package knows connections of type {conn_type!r}.", conn_type=conn_type)


def _without_secrets(connection: Connection, text: str) -> str:
    secrets = [connection.password or "", *_secret_texts(data.extra_dict(connection.extra))]
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK) if len(secret) > 2 and secret in text else text
    return text


def _secret_texts(value: Any, secret: bool = False) -> list[str]:
    if isinstance(value, dict):
        return [text for name, part in value.items() for text in _secret_texts(part, secret or is_sensitive(name))]
    if isinstance(value, list):
        return [text for part in value for text in _secret_texts(part, secret)]
    return [value] if secret and isinstance(value, str) else []


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def _in_environment(conn_id: str) -> bool:
    return secret_from_environment("CONN", conn_id) is not None
