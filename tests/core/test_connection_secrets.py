"""Secrets that a form leaves as they are: they are put back, and go nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow.core.connection_secrets import check_place, filled
from asyncflow.errors import InvalidInput

STORED = {
    "conn_type": "http",
    "host": "h",
    "port": 80,
    "login": "me",
    "password": "pa55word",
    "extra": '{"token": "t", "timeout": "30", "ssl": false}',
}


@pytest.mark.parametrize(
    ("typed", "forget", "keep", "password", "extra", "used"),
    [
        ({}, (), (), "pa55word", None, ["password"]),
        ({"password": "new"}, (), (), "new", None, []),
        ({}, ("password",), (), None, None, []),
        ({"extra": '{"token":"***"}'}, ("password",), (), None, '{"token": "t"}', ["token"]),
        ({"extra": {"token": "u"}}, ("password",), ("token",), None, '{"token": "u"}', []),
        ({"extra": '{"a":1}'}, ("password",), ("token",), None, '{"token": "t", "a": 1}', ["token"]),
        ({}, ("password",), ("token",), None, '{"token": "t"}', ["token"]),
    ],
)
def test_what_a_form_leaves_is_what_is_stored(
    typed: dict[str, Any], forget: Any, keep: Any, password: str | None, extra: str | None, used: list[str]
) -> None:
    fields, names = filled({"host": "", **typed}, STORED, forget, keep)
    assert (fields.get("password"), fields.get("extra"), names) == (password, extra, used)
    assert "host" not in fields


def test_an_extra_that_is_no_object_stays_as_a_whole() -> None:
    assert filled({}, {"extra": "a secret text"}, (), ()) == ({"extra": "a secret text"}, ["extra"])
    assert filled({}, {"extra": "a secret text"}, ("extra",), ()) == ({}, [])
    assert filled({"host": "h"}, None, (), ()) == ({"host": "h"}, [])
    with pytest.raises(ValueError, match="an object is needed"):
        filled({"extra": "[1]"}, None, (), ())


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"host": "evil"}, "host"),
        ({"host": None, "port": 81}, "host, port"),
        ({"login": "you", "conn_type": "ftp"}, "conn_type, login"),
        ({"extra": '{"token": "t", "proxy": "evil"}'}, "extra"),
        ({"extra": None}, "extra"),
    ],
)
def test_a_stored_secret_goes_nowhere_else(changed: dict[str, Any], names: str) -> None:
    made = {**STORED, **changed}
    with pytest.raises(InvalidInput, match=f"this changes {names}: type password again"):
        check_place(["password"], made, STORED)
    check_place([], made, STORED)


def test_how_the_form_writes_the_same_is_no_change() -> None:
    check_place(["password"], {**STORED, "extra": '{"timeout": 30, "token": "t"}'}, STORED)
    check_place(["password"], {**STORED, "extra": None, "host": ""}, {**STORED, "extra": " {} ", "host": None})
    nested = '{"a": {"b": [1]}, "c": ""}'
    check_place(["password"], {**STORED, "extra": nested}, {**STORED, "extra": nested})
