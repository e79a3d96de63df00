"""Connections as data: what is refused, with which words. That URIs and JSON say it all: tests/authoring."""

from __future__ import annotations

import pytest

from asyncflow.core import connections as data
from asyncflow.core.secrecy import is_sensitive


def test_a_text_is_json_or_a_uri() -> None:
    assert data.from_text('{"conn_type": "http", "host": "h"}') == {"conn_type": "http", "host": "h"}
    assert data.from_text("http://h")["host"] == "h"


def test_json_may_use_other_names_and_an_object_as_extra() -> None:
    fields = data.from_json({"conn_id": "x", "type": "db", "user": "ann", "extra_dejson": {"a": 1}, "port": "80"})
    assert fields == {"conn_type": "db", "login": "ann", "extra": '{"a": 1}', "port": 80}
    assert data.from_json({"conn_type": "db", "host": None, "port": ""}) == {"conn_type": "db", "port": None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "must be an object"),
        ('{"pasword": "x"}', "no field 'pasword'"),
        ('{"port": "many"}', "port='many' is not a whole number"),
    ],
)
def test_json_that_is_no_connection_is_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        data.from_json(text)


def test_a_uri_with_too_many_protocols_is_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        data.from_uri("http://a://b://c")


def test_an_extra_without_json_form_is_refused() -> None:
    with pytest.raises(ValueError, match="extra is not JSON"):
        data.to_json({"a": object()})


@pytest.mark.parametrize(
    ("fields", "uri"),
    [
        ({}, "//"),
        ({"conn_type": "Google_Cloud", "port": 80}, "google-cloud://@:80"),
        ({"conn_type": "http", "host": "https://h", "port": 80, "schema": "s", "extra": '{"a": "b"}'}, None),
        ({"conn_type": "http", "password": "p", "extra": "[1]"}, "http://:p@/?__extra__=%5B1%5D"),
        ({"conn_type": "http", "login": "l", "extra": "no json"}, "http://l@/?__extra__=no+json"),
    ],
)
def test_a_uri_is_written(fields: dict[str, object], uri: str | None) -> None:
    written = data.to_uri(fields)
    assert written == (uri or "http://https://h:80/s?a=b")


def test_names_say_what_is_secret() -> None:
    assert is_sensitive("My_API_KEY ")
    assert not is_sensitive("host")
    assert not is_sensitive(None)


def test_a_uri_is_taken_apart() -> None:
    fields = data.from_uri("http://https://ann:p%2F@h:80/s?a=b")
    assert fields == {
        "conn_type": "http",
        "host": "https://h",
        "schema": "s",
        "login": "ann",
        "password": "p/",
        "port": 80,
        "extra": '{"a": "b"}',
    }
    assert data.from_uri("aws://?__extra__=%5B1%5D")["extra"] == "[1]"


def test_an_extra_that_is_no_object_is_an_empty_dict() -> None:
    assert [data.extra_dict(text) for text in (None, "", "no json", "[1]")] == [{}] * 4
    assert data.extra_dict('{"a": 1}') == {"a": 1}
