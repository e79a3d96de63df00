"""Connections: parts, URIs, JSON, and where they come from."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.authoring import masking
from asyncflow.authoring.api import use_api
from asyncflow.authoring.connection import Connection
from asyncflow.authoring.exceptions import AirflowException, AirflowNotFoundException
from asyncflow.authoring.masking import mask_text
from asyncflow.testing.memory import MemoryApi

PARTS = ("conn_type", "host", "login", "password", "schema", "port")


@pytest.fixture(autouse=True)
def _server() -> Iterator[None]:
    before = use_api(MemoryApi(connections={"db": {"conn_type": "postgres", "host": "there", "port": 5432}}))
    yield
    use_api(before)
    masking.forget_secrets()


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("postgres://ann:pw1@db.test:5432/sales", ("postgres", "db.test", "ann", "pw1", "sales", 5432)),
        ("postgresql://db.test", ("postgres", "db.test", None, None, "", None)),
        ("google-cloud-platform://", ("google_cloud_platform", "", None, None, "", None)),
        ("http://https://api.test/v1", ("http", "https://api.test", None, None, "v1", None)),
        ("ftp://us%40er:p%2Fw@h", ("ftp", "h", "us@er", "p/w", "", None)),
    ],
)
def test_a_uri_is_taken_apart(uri: str, parts: tuple[object, ...]) -> None:
    connection = Connection(uri=uri)
    assert tuple(getattr(connection, name) for name in PARTS) == parts


def test_the_query_of_a_uri_is_the_extra() -> None:
    assert Connection(uri="aws://?region=eu&retries=").extra_dejson == {"region": "eu", "retries": ""}
    assert Connection(uri="aws://?__extra__=%7B%22a%22%3A%20%5B1%5D%7D").extra_dejson == {"a": [1]}


@given(
    st.fixed_dictionaries(
        {
            "conn_type": st.just("mysql"),
            "host": st.from_regex(r"[a-z][a-z0-9.]{0,10}[a-z]", fullmatch=True),
            "login": st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8),
            "password": st.text(st.characters(codec="utf-8"), min_size=1, max_size=2),
            "schema": st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
            "port": st.integers(1, 65535),
            "extra": st.dictionaries(
                st.text("abc", min_size=1), st.text("xyz", min_size=1) | st.integers(), max_size=2
            ),
        }
    )
)
def test_a_uri_says_it_all(fields: dict[str, object]) -> None:
    given_one = Connection(**fields)  # type: ignore[arg-type]
    again = Connection(uri=given_one.get_uri())
    assert [getattr(again, name) for name in PARTS] == [getattr(given_one, name) for name in PARTS]
    assert again.extra_dejson == given_one.extra_dejson


def test_uri_and_parts_together_are_refused() -> None:
    with pytest.raises(AirflowException, match="not both"):
        Connection(uri="http://x", host="y")


def test_json_and_back() -> None:
    connection = Connection("c", "http", host="h", port=80, extra={"a": 1})
    again = Connection.from_json(connection.as_json(), "c")
    assert again.to_dict() == connection.to_dict()
    assert json.loads(connection.as_json()) == {"conn_type": "http", "host": "h", "port": 80, "extra": {"a": 1}}


def test_extra_that_is_no_json_is_an_empty_dict() -> None:
    assert Connection("c", extra="not json").extra_dejson == {}
    assert Connection("c", extra='{"inner": "[1, 2]"}').get_extra_dejson(nested=True) == {"inner": [1, 2]}


def test_the_server_is_asked() -> None:
    assert Connection.get("db").get_uri() == "postgres://there:5432"


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DB", "mysql://elsewhere")
    assert Connection.get("db").host == "elsewhere"
    monkeypatch.setenv("AIRFLOW_CONN_DB", '{"conn_type": "http", "host": "json"}')
    assert Connection.get("db").host == "json"


def test_an_absent_connection_is_named() -> None:
    with pytest.raises(AirflowNotFoundException, match="`nope` isn't defined"):
        Connection.get("nope")


def test_passwords_and_sensitive_extras_are_hidden() -> None:
    Connection("c", password="correct horse", extra={"api_key": "battery", "host": "staple"})
    assert mask_text("correct horse battery staple") == "*** *** staple"
