"""Stored secrets do not show in what pages show of XComs."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncflow.engine.hiding import hide_secrets
from asyncflow.store.database import Connection, Store


@pytest.mark.anyio
async def test_passwords_sensitive_extras_and_variables_are_hidden(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "asyncflow.db") as store:
        assert await hide_secrets(store, ["nothing to hide"]) == ["nothing to hide"]
        extra = '{"api_key": "battery", "region": "europe"}'
        await store.connection_set(Connection(conn_id="a", conn_type="http", password='quo"ted', extra=extra))
        await store.connection_set(Connection(conn_id="b", conn_type="http", password="ab"))
        await store.variable_set("my_secret", "staple")
        await store.variable_set("colour", "blue")
        text = '{"a": "quo\\"ted", "b": "battery europe", "c": "staple blue about"}'
        assert await hide_secrets(store, [text, "x"]) == ['{"a": "***", "b": "*** europe", "c": "*** blue about"}', "x"]
