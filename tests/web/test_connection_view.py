"""What the form of a Connection shows, and what it says when it comes back."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow.errors import InvalidInput
from asyncflow.web import connection_view as view

PLAIN: dict[str, Any] = {"hidden": [], "labels": {}, "placeholders": {}, "fields": []}
CLOUD: dict[str, Any] = {
    "hidden": ["host", "port", "login", "schema", "password"],
    "labels": {"description": "Purpose"},
    "placeholders": {"project": "my-project"},
    "fields": [
        {"name": "project", "label": "Project Id", "kind": "text"},
        {"name": "tries", "label": "Tries", "kind": "number"},
        {"name": "fast", "label": "Fast", "kind": "check"},
        {"name": "pin", "label": "PIN", "kind": "password"},
    ],
}


def test_a_plain_form_has_all_fields_and_no_secret() -> None:
    fields = {it.name: it for it in view.fields(PLAIN, {"host": "h", "port": 5, "has_password": True})}
    assert list(fields) == list(view.FIELDS)
    assert (fields["host"].value, fields["port"].value) == ("h", "5")
    assert (fields["password"].value, fields["password"].is_stored) == ("", True)


def test_a_type_hides_and_renames_fields_but_never_a_value() -> None:
    fields = {it.name: it for it in view.fields(CLOUD, {"login": "me", "has_password": True})}
    assert "host" not in fields
    assert fields["login"].value == "me"
    assert fields["password"].is_stored
    assert (fields["description"].label, fields["description"].own_label) == ("Purpose", True)


def test_parts_of_the_extra_have_fields_of_their_own() -> None:
    extra = '{"project": "p", "tries": 3, "fast": true, "pin": "1234", "more": {"a": 1}}'
    fields = {it.name: it for it in view.fields(CLOUD, {"extra": extra})}
    assert [fields[f"extra.{name}"].value for name in ("project", "tries", "fast", "pin")] == ["p", "3", "true", ""]
    assert fields["extra.pin"].is_stored
    assert fields["extra"].value == '{\n  "more": {\n    "a": 1\n  }\n}'
    assert fields["extra.project"].placeholder == "my-project"
    typed = {it.name: it for it in view.fields(CLOUD, {"extra": "", "extra.project": "q", "kept": ["pin"]})}
    assert (typed["extra.project"].value, typed["extra.pin"].is_stored) == ("q", True)


def test_an_extra_that_is_no_json_stays_as_typed() -> None:
    assert next(it.value for it in view.fields(CLOUD, {"extra": "{oops"}) if it.name == "extra") == "{oops"


KINDS = {"project": "text", "tries": "number", "fast": "check", "pin": "password"}


def test_a_form_means_its_fields() -> None:
    form = {"conn_id": " c ", "conn_type": "gcp", "host": " h ", "password": " p ", "port": "", "extra": '{"a": 1}'}
    meant = view.entered({**form, "extra.tries": "3", "extra.fast": "1", "like": "old"}, KINDS)
    assert meant.conn_id == "c"
    assert meant.fields == {
        "conn_type": "gcp",
        "host": "h",
        "password": " p ",
        "extra": {"a": 1, "tries": 3, "fast": True},
    }
    assert (meant.like, meant.keep, meant.forget) == ("old", ("pin",), ())


def test_what_is_to_be_removed_is_not_kept() -> None:
    meant = view.entered({"forget.password": "1", "forget.extra.pin": "1"}, KINDS, "c")
    assert (meant.conn_id, meant.keep, meant.forget) == ("c", (), ("password",))


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"extra.tries": "x"}, "not a whole number"),
        ({"extra": "{", "extra.project": "p"}, "Extra is not right"),
        ({"extra": "[]", "extra.project": "p"}, "an object is needed"),
    ],
)
def test_a_mistake_is_a_sentence(form: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        view.entered(form, KINDS)


def test_copies_have_no_secret() -> None:
    values = {
        "conn_id": "my.db",
        "conn_type": "postgres",
        "host": "it's",
        "login": "me",
        "port": 5,
        "extra": '{"api_key": "***"}',
        "has_password": True,
        "extra_is_hidden": False,
    }
    (_, uri), (_, text) = view.copies(values)
    assert uri == "AIRFLOW_CONN_MY.DB='postgres://me:***@it%27s:5/?api_key=***'"
    assert text.startswith('AIRFLOW_CONN_MY.DB=\'{"conn_type": "postgres"')
    assert '"password": "***"' in text
    hidden = view.copies({**values, "extra": "", "extra_is_hidden": True})
    assert "__extra__=***" in hidden[0][1]


def test_types_are_grouped_by_what_is_installed() -> None:
    types = [
        {"conn_type": "fs", "name": "File", "installed": True},
        {"conn_type": "http", "name": "HTTP", "installed": False},
    ]
    assert view.type_choices(types, "mine") == [
        ("Installed", [("fs", "File", False)]),
        ("Package is not installed", [("http", "HTTP", False), ("mine", "mine", True)]),
    ]
