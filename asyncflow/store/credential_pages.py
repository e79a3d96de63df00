"""Windows on Variables and Connections for their lists: only what is shown is decrypted, of Connections nothing."""

from __future__ import annotations

import sqlite3
from typing import Any

from asyncflow.store.credentials import Variable, get_variable, variable_of
from asyncflow.store.queries import SQL
from asyncflow.store.secrets import Secrets
from asyncflow.store.sqlite import Database


class CredentialReads(Database):
    """The part of the store that their pages read."""

    async def find_variables(
        self, text: str = "", limit: int = -1, offset: int = 0, *, falling: bool = False
    ) -> tuple[list[Variable], int]:
        """Those with `text` in key or description, by key; and how many there are. limit -1 = all."""
        query = "page_variables_falling" if falling else "page_variables"
        return await self._read(_variables, self._secrets, query, text, (limit, offset))

    async def find_variable(self, name: str) -> Variable | None:
        return await self._read(get_variable, self._secrets, name)

    async def variable_names(self) -> list[str]:
        return await self._read(_names)

    async def find_connections(
        self,
        text: str = "",
        conn_type: str = "",
        limit: int = -1,
        offset: int = 0,
        *,
        by: str = "id",
        falling: bool = False,
    ) -> tuple[list[dict[str, Any]], int, list[str]]:
        """Those with `text` in id, host, login or description, without secrets; how many; all types that there are.

        `by`: id, type, host, port, schema or login.
        """
        where = {"text": text, "conn_type": conn_type, "limit": limit, "offset": offset, "by": by}
        return await self._read(_connections, "page_connections_falling" if falling else "page_connections", where)


def _names(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute(SQL["variable_names"])]


def _variables(
    db: sqlite3.Connection, secrets: Secrets, query: str, text: str, window: tuple[int, int]
) -> tuple[list[Variable], int]:
    where = {"text": text, "limit": window[0], "offset": window[1]}
    rows = [variable_of(row, secrets) for row in db.execute(SQL[query], where)]
    return rows, db.execute(SQL["count_variables"], {"text": text}).fetchone()[0]


def _connections(
    db: sqlite3.Connection, query: str, where: dict[str, Any]
) -> tuple[list[dict[str, Any]], int, list[str]]:
    cursor = db.execute(SQL[query], where)
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    for row in rows:
        row |= {name: bool(row[name]) for name in ("has_password", "has_extra")}
    count = db.execute(SQL["count_connections"], where).fetchone()[0]
    return rows, count, [name for (name,) in db.execute(SQL["connection_types"])]
