"""What people can do with Variables, Connections and pools: a part of `engine.actions.Actions`.

Values are given in clear only to those who ask with `reveal`; else passwords, extras and variables with a sensitive
name read "***".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from asyncflow.core import connections as data
from asyncflow.core.models import Pool
from asyncflow.core.secrecy import MASK, is_sensitive
from asyncflow.core.sentence import Sentence, told
from asyncflow.engine.changes import CONNECTIONS, POOLS, VARIABLES, Changes
from asyncflow.engine.jsonable import struct_dict
from asyncflow.engine.scheduler import Scheduler
from asyncflow.errors import Conflict, InvalidInput, NotAccepted, NotFound
from asyncflow.store.database import Connection, Store, Variable

OnConflict = Literal["overwrite", "skip", "fail"]

#: Airflow's rule for keys, and its limits
_CONN_ID = re.compile(r"[\w.~:-]{1,200}")
_LONGEST_KEY = 250


class CredentialActions:
    """Variables, Connections, pools. Errors are sentences; keyword arguments and answers are JSON values."""

    _store: Store
    _scheduler: Scheduler
    _changes: Changes
    #: told what was set or deleted, so that files that read it while they are imported are loaded again
    _variable_changed: Callable[[str], None]
    _connection_changed: Callable[[str], None]

    # ---- variables --------------------------------------------------------------------------------------------------

    async def list_variables(self, reveal: bool = False) -> list[dict[str, Any]]:
        """All stored Variables by key; those of the environment are not among them."""
        return [_variable_row(row, reveal) for row in await self._store.list_variables()]

    async def get_variable(self, key: str, reveal: bool = False) -> dict[str, Any]:
        """One stored Variable."""
        rows = {row.name: row for row in await self._store.list_variables()}
        if key not in rows:
            raise NotFound("Variable", key, rows)
        return _variable_row(rows[key], reveal)

    async def set_variable(self, key: str, value: str, description: str | None = None) -> dict[str, Any]:
        """Make or change a Variable; a description that is not given stays."""
        if not key or len(key) > _LONGEST_KEY:
            raise InvalidInput(
                "The key of a Variable has 1 to {most} characters, this one {n}.", most=_LONGEST_KEY, n=len(key)
            )
        await self._store.variable_set(key, value, description)
        self._tell_variable(key)
        return {"key": key}

    async def delete_variable(self, key: str) -> dict[str, Any]:
        """Delete a Variable."""
        if not await self._store.variable_delete(key):
            raise NotFound("Variable", key, [row.name for row in await self._store.list_variables()])
        self._tell_variable(key)
        return {"key": key}

    async def import_variables(
        self, variables: Mapping[str, Any], on_conflict: OnConflict = "overwrite"
    ) -> dict[str, Any]:
        """Set many; a value is a text, or {"value": text, "description": text}. Nothing is set if one may not be."""
        known = {row.name for row in await self._store.list_variables()}
        taken = _taken(known, variables, on_conflict, "Variables")
        chosen = {key: value for key, value in variables.items() if key not in taken}
        for key, value in chosen.items():
            given = value if isinstance(value, Mapping) else {"value": value}
            await self.set_variable(key, str(given["value"]), given.get("description"))
        return {"imported": sorted(chosen), "skipped": sorted(taken)}

    # ---- connections ------------------------------------------------------------------------------------------------

    async def list_connections(self, reveal: bool = False) -> list[dict[str, Any]]:
        """All stored Connections by conn_id; those of the environment are not among them."""
        return [_connection_row(row, reveal) for row in await self._store.list_connections()]

    async def get_connection(self, conn_id: str, reveal: bool = False) -> dict[str, Any]:
        """One stored Connection."""
        rows = {row.conn_id: row for row in await self._store.list_connections()}
        if conn_id not in rows:
            raise NotFound("Connection", conn_id, rows)
        return _connection_row(rows[conn_id], reveal)

    async def set_connection(
        self,
        conn_id: str,
        fields: Mapping[str, Any] | None = None,
        uri: str | None = None,
        on_conflict: OnConflict = "overwrite",
    ) -> dict[str, Any]:
        """Make or replace a Connection by its fields (names of `core.connections.FIELDS`), its URI, or both."""
        return await self._set_connection(made_connection(conn_id, fields or {}, uri), on_conflict)

    async def _set_connection(self, connection: Connection, on_conflict: OnConflict) -> dict[str, Any]:
        conn_id = connection.conn_id
        if on_conflict != "overwrite" and await self._store.connection_get(conn_id) is not None:
            raise Conflict("A connection with the conn_id {conn_id!r} exists already.", conn_id=conn_id)
        await self._store.connection_set(connection)
        self._tell_connection(conn_id)
        return _connection_row(connection, reveal=False)

    def _tell_connection(self, conn_id: str) -> None:
        self._connection_changed(conn_id)
        self._changes.noted(CONNECTIONS)

    def _tell_variable(self, key: str) -> None:
        self._variable_changed(key)
        self._changes.noted(VARIABLES)

    async def delete_connection(self, conn_id: str) -> dict[str, Any]:
        """Delete a Connection."""
        if not await self._store.connection_delete(conn_id):
            raise NotFound("Connection", conn_id, [row.conn_id for row in await self._store.list_connections()])
        self._tell_connection(conn_id)
        return {"conn_id": conn_id}

    async def import_connections(
        self, connections: Mapping[str, Any], on_conflict: OnConflict = "skip"
    ) -> dict[str, Any]:
        """Set many, each given as URI, JSON text or object. Nothing is set if one of them cannot be."""
        known = {row.conn_id for row in await self._store.list_connections()}
        taken = _taken(known, connections, on_conflict, "Connections")
        made = [_imported(conn_id, value) for conn_id, value in connections.items() if conn_id not in taken]
        for connection in made:
            await self._store.connection_set(connection)
            self._tell_connection(connection.conn_id)
        return {"imported": sorted(row.conn_id for row in made), "skipped": sorted(taken)}

    # ---- pools ------------------------------------------------------------------------------------------------------

    async def list_pools(self) -> list[dict[str, Any]]:
        """Pools with their live use."""
        usage = self._scheduler.world.pool_usage()
        return [{**struct_dict(pool), **usage.get(pool.name, {})} for pool in await self._store.list_pools()]

    async def get_pool(self, name: str) -> dict[str, Any]:
        """One pool with its live use."""
        rows = {row["name"]: row for row in await self.list_pools()}
        if name not in rows:
            raise NotFound("pool", name, rows)
        return rows[name]

    async def set_pool(
        self, name: str, slots: int, description: str = "", include_deferred: bool = False
    ) -> dict[str, Any]:
        """Make or change a pool; slots -1 = without limit."""
        pool = _pool(name, {"slots": slots, "description": description, "include_deferred": include_deferred})
        await self._store.put_pool(pool)
        await self._scheduler.do(lambda world, _now: world.put_pool(pool))
        self._changes.noted(POOLS)
        return struct_dict(pool)

    async def delete_pool(self, name: str) -> dict[str, Any]:
        """Delete a pool other than default_pool."""
        if name == "default_pool":
            raise InvalidInput("default_pool cannot be deleted.")
        if not await self._store.delete_pool(name):
            raise NotFound("pool", name, [pool.name for pool in await self._store.list_pools()])
        await self._scheduler.do(lambda world, _now: world.remove_pool(name))
        self._changes.noted(POOLS)
        return {"name": name}

    async def import_pools(self, pools: Mapping[str, Any]) -> dict[str, Any]:
        """Set many, each given as {"slots", "description", "include_deferred"}. Nothing is set if one cannot be."""
        made = [_pool(name, value) for name, value in pools.items()]
        for pool in made:
            await self.set_pool(pool.name, pool.slots, pool.description, pool.include_deferred)
        return {"imported": [pool.name for pool in made]}


def _variable_row(row: Variable, reveal: bool) -> dict[str, Any]:
    hidden = not reveal and is_sensitive(row.name)
    return {"key": row.name, "value": MASK if hidden else row.value, "description": row.description}


def _connection_row(row: Connection, reveal: bool) -> dict[str, Any]:
    fields = msgspec.structs.asdict(row)
    if not reveal:
        for name in ("password", "extra"):
            fields[name] = MASK if fields[name] else fields[name]
    return {**fields, "uri": data.to_uri(fields) if reveal else None}


def made_connection(conn_id: str, fields: Mapping[str, Any], uri: str | None = None) -> Connection:
    """The Connection that fields, a URI, or both describe. Raises InvalidInput."""
    if not _CONN_ID.fullmatch(conn_id):
        raise InvalidInput(
            "conn_id={conn_id!r}: letters, digits and _ . ~ : - are accepted, at most 200.", conn_id=conn_id
        )
    try:
        found = {**(data.from_uri(uri) if uri else {}), **data.from_json(fields)}
        connection = msgspec.convert({"conn_id": conn_id, "conn_type": "", **found}, Connection)
    except (ValueError, msgspec.ValidationError) as error:
        raise InvalidInput("Connection {conn_id!r}: {error}.", conn_id=conn_id, error=told(error)) from None
    if not connection.conn_type:
        raise InvalidInput(
            "Connection {conn_id!r} needs a conn_type (or a URI that begins with one, like http://).", conn_id=conn_id
        )
    return connection


def _imported(conn_id: str, value: Any) -> Connection:
    if isinstance(value, list) and len(value) == 1:  # the shape of older exports
        value = value[0]
    if isinstance(value, str):
        return made_connection(conn_id, {}, value) if not value.lstrip().startswith("{") else _from_json(conn_id, value)
    if isinstance(value, Mapping):
        return made_connection(conn_id, value)
    raise InvalidInput(
        "Connection {conn_id!r} must be a URI or an object, not {value}.", conn_id=conn_id, value=f"{value!r:.60}"
    )


def _from_json(conn_id: str, text: str) -> Connection:
    try:
        fields = data.from_json(text)
    except ValueError as error:
        raise InvalidInput("Connection {conn_id!r}: {error}.", conn_id=conn_id, error=told(error)) from None
    return made_connection(conn_id, fields)


def _taken(known: set[str], given: Mapping[str, Any], on_conflict: str, what: str) -> set[str]:
    """Those that exist and are to be left alone. Raises Conflict if none may exist."""
    if on_conflict not in ("overwrite", "skip", "fail"):
        raise NotAccepted("on_conflict", on_conflict, ("overwrite", "skip", "fail"))
    both = known & given.keys()
    if both and on_conflict == "fail":
        raise Conflict("These {what} exist already: {names}.", what=Sentence(what), names=tuple(sorted(both)))
    return both if on_conflict == "skip" else set()


def _pool(name: str, fields: Any) -> Pool:
    try:
        pool = msgspec.convert({**fields, "name": name}, Pool)
    except (TypeError, msgspec.ValidationError) as error:
        raise InvalidInput("Pool {name!r}: {error}.", name=name, error=told(error)) from None
    if not name or len(name) > 256:
        raise InvalidInput("The name of a pool has 1 to 256 characters, this one {n}.", n=len(name))
    if pool.slots < -1:
        raise InvalidInput(
            "Pool {name!r}: slots={slots}; a pool has 0 or more slots, or -1 for no limit.", name=name, slots=pool.slots
        )
    return pool
