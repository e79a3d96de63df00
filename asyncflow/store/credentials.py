"""Variables and connections, encrypted at rest: functions over one connection."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from asyncflow.store.queries import SQL
from asyncflow.store.secrets import Secrets


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    value: str
    description: str = ""


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Where and as whom to reach another system. `extra` is JSON text."""

    conn_id: str
    conn_type: str
    description: str = ""
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = None
    schema: str | None = None
    extra: str | None = None


_HIDDEN = ("password", "extra")


def get_variable(db: sqlite3.Connection, secrets: Secrets, name: str) -> Variable | None:
    row = db.execute(SQL["get_variable"], {"name": name}).fetchone()
    return None if row is None else variable_of(row, secrets)


def list_variables(db: sqlite3.Connection, secrets: Secrets) -> list[Variable]:
    return [variable_of(row, secrets) for row in db.execute(SQL["list_variables"])]


def variable_of(row: tuple[str, str, str], secrets: Secrets) -> Variable:
    name, token, description = row
    return Variable(name=name, value=secrets.decrypt(token, f"Variable {name!r}"), description=description)


def set_variable(db: sqlite3.Connection, secrets: Secrets, name: str, value: str, description: str | None) -> None:
    db.execute(SQL["set_variable"], {"name": name, "value": secrets.encrypt(value), "description": description})


def get_connection(db: sqlite3.Connection, secrets: Secrets, conn_id: str) -> Connection | None:
    found = _connections(db.execute(SQL["get_connection"], {"conn_id": conn_id}), secrets)
    return found[0] if found else None


def list_connections(db: sqlite3.Connection, secrets: Secrets) -> list[Connection]:
    return _connections(db.execute(SQL["list_connections"]), secrets)


def _connections(cursor: sqlite3.Cursor, secrets: Secrets) -> list[Connection]:
    names = [column[0] for column in cursor.description]
    found = []
    for row in cursor:
        fields: dict[str, Any] = dict(zip(names, row, strict=True))
        for name in _HIDDEN:
            if fields[name] is not None:
                fields[name] = secrets.decrypt(fields[name], f"The {name} of connection {fields['conn_id']!r}")
        found.append(Connection(**fields))
    return found


def set_connection(db: sqlite3.Connection, secrets: Secrets, connection: Connection) -> None:
    params = msgspec.structs.asdict(connection)
    for name in _HIDDEN:
        if params[name] is not None:
            params[name] = secrets.encrypt(params[name])
    db.execute(SQL["set_connection"], params)
