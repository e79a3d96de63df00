from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from cryptography.fernet import Fernet

from asyncflow.core.models import Pool
from asyncflow.errors import InvalidInput, StoreBroken
from asyncflow.store.database import Connection, Store, Variable
from asyncflow.store.secrets import Secrets

pytestmark = pytest.mark.anyio

FULL = Connection(
    conn_id="pg",
    conn_type="postgres",
    host="h",
    port=5432,
    login="me",
    password="s3cret",
    schema="db",
    extra='{"k":"kept-in-extra"}',
)


async def test_variables_are_set_read_listed_and_deleted(store: Store) -> None:
    await store.variable_set("b", "1", "about b")
    await store.variable_set("a", "")
    await store.variable_set("b", "2")
    assert await store.variable_get("b") == "2"
    assert await store.variable_get("c") is None
    assert await store.list_variables() == [
        Variable(name="a", value=""),
        Variable(name="b", value="2", description="about b"),
    ]
    assert await store.variable_delete("b")
    assert not await store.variable_delete("b")


async def test_connections_are_set_read_listed_and_deleted(store: Store) -> None:
    await store.connection_set(Connection(conn_id="pg", conn_type="old", password="gone"))
    await store.connection_set(FULL)
    await store.connection_set(Connection(conn_id="a", conn_type="http"))
    found = await store.connection_get("pg")
    assert found is not None
    assert Connection(**found) == FULL
    assert await store.connection_get("nobody") is None
    assert [c.conn_id for c in await store.list_connections()] == ["a", "pg"]
    assert await store.connection_delete("pg")
    assert not await store.connection_delete("pg")


async def test_secrets_are_not_in_the_file_in_clear(store: Store, path: Path) -> None:
    await store.variable_set("v", "variable-in-clear")
    await store.connection_set(FULL)
    await store.close()
    written = await anyio.Path(path).read_bytes()
    assert b"postgres" in written
    assert not [secret for secret in (b"variable-in-clear", b"s3cret", b"kept-in-extra") if secret in written]


async def test_the_key_is_made_once_and_only_its_owner_may_read_it(store: Store, path: Path) -> None:
    key = path.parent / "secret.key"
    assert not key.exists()
    await store.variable_set("v", "1")
    assert key.stat().st_mode & 0o777 == 0o600
    made = key.read_text()
    await store.close()
    async with await Store.open(path) as again:
        assert await again.variable_get("v") == "1"
    assert key.read_text() == made


async def test_another_key_is_told_by_name_of_what_it_cannot_open(store: Store, path: Path) -> None:
    await store.variable_set("v", "1")
    old, new = (path.parent / "secret.key").read_text(), Fernet.generate_key().decode()
    async with await Store.open(path, secret_key=new) as other:
        with pytest.raises(
            StoreBroken, match="Variable 'v' was encrypted with another key than the one in ASYNCFLOW_SECRET_KEY"
        ):
            await other.variable_get("v")
    async with await Store.open(path, secret_key=f"{new}, {old}") as both:
        assert await both.variable_get("v") == "1"


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    key.write_bytes(Fernet.generate_key())
    key.chmod(0o644)
    with pytest.raises(InvalidInput, match=f"chmod 600 {key}"):
        Secrets(key).encrypt("x")


@pytest.mark.parametrize("key", ["short", "é" * 44, ","])
def test_a_key_that_is_none_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidInput, match="not a Fernet key"):
        Secrets(tmp_path / "secret.key", key).encrypt("x")


async def test_a_damaged_secret_is_named(store: Store, path: Path) -> None:
    await store.connection_set(FULL)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE connection SET password = 'é'")
    with pytest.raises(StoreBroken, match="The password of connection 'pg'"):
        await store.list_connections()


async def test_pools_are_put_listed_and_deleted(store: Store) -> None:
    await store.put_pool(Pool(name="b", slots=1))
    await store.put_pool(Pool(name="a", slots=-1, include_deferred=True))
    changed = Pool(name="b", slots=5, description="five")
    await store.put_pool(changed)
    assert await store.list_pools() == [Pool(name="a", slots=-1, include_deferred=True), changed]
    assert await store.delete_pool("a")
    assert not await store.delete_pool("a")
    with pytest.raises(StoreBroken, match="slots >= -1"):
        await store.put_pool(Pool(name="bad", slots=-2))
