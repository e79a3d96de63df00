"""The form made from params, and back."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow.core.specs import ParamSpec
from asyncflow.errors import InvalidInput
from asyncflow.web.params_view import PREFIX, Field, sections, values

Schema = dict[str, Any]


def field(param: ParamSpec, conf: dict[str, Any] | None = None) -> Field:
    """The one field of a form."""
    ((_, (found,)),) = sections({"p": param}, conf or {})
    return found


@pytest.mark.parametrize(
    ("value", "schema", "kind", "text"),
    [
        ("a", {}, "text", "a"),
        (3, {}, "number", "3"),
        (1.5, {"type": "number"}, "number", "1.5"),
        (True, {}, "check", "true"),
        (False, {"type": "boolean"}, "check", "false"),
        (["a", "b"], {}, "lines", "a\nb"),
        ([1, 2], {"type": "array", "items": {"type": "integer"}}, "json", "[1,2]"),
        ({"a": 1}, {}, "json", '{"a":1}'),
        (None, {"type": ["null", "string"]}, "text", ""),
        ("2026-01-01", {"type": "string", "format": "date"}, "date", "2026-01-01"),
        ("2026-01-01T02:03:04+00:00", {"type": "string", "format": "date-time"}, "datetime", "2026-01-01T02:03"),
        ("a\nb", {"type": "string", "format": "multiline"}, "area", "a\nb"),
        (2, {"enum": [1, 2]}, "choice", "2"),
        (["a"], {"type": "array", "examples": ["a", "b"]}, "several", '["a"]'),
    ],
)
def test_the_schema_chooses_the_field(value: Any, schema: Schema, kind: str, text: str) -> None:
    found = field(ParamSpec(value=value, schema=schema))
    assert (found.kind, found.value) == (kind, text)


def test_words_and_bounds_of_a_field() -> None:
    schema = {"type": "integer", "title": "How many", "minimum": 1, "maximum": 9}
    found = field(ParamSpec(value=3, schema=schema, description="of them"), {"p": 5})
    assert (found.label, found.help, found.value, found.required) == ("How many", "of them", "5", True)
    assert (found.least, found.most, found.step) == ("1", "9", "1")


def test_choices_have_their_names() -> None:
    found = field(ParamSpec(value=2, schema={"enum": [1, 2], "values_display": {2: "two"}}))
    assert found.choices == (("1", "1", False, "1"), ("2", "two", True, "2"))


def test_fields_stand_in_their_sections() -> None:
    params = {"a": ParamSpec(value=1), "b": ParamSpec(value=1, schema={"section": "More"}), "c": ParamSpec(value=1)}
    names = [(section, [one.label for one in fields]) for section, fields in sections(params, {})]
    assert names == [("", ["a", "c"]), ("More", ["b"])]


@pytest.mark.parametrize(
    ("default", "schema", "sent", "value"),
    [
        ("a", {}, "b", "b"),
        (3, {}, "4", 4),
        (3, {"type": "number"}, "4.5", 4.5),
        (True, {}, None, False),
        (False, {}, "true", True),
        ([], {"type": "array"}, " a \n\nb\n", ["a", "b"]),
        ({}, {"type": "object"}, '{"a": [1]}', {"a": [1]}),
        ("x", {"type": ["null", "string"]}, "", None),
        ("x", {"type": "string"}, "", ""),
        (1, {"enum": [1, 2, None]}, "2", 2),
        (1, {"enum": [1, 2, None]}, "", None),
        ("x", {"type": "string", "format": "date-time"}, "2026-01-01T02:03", "2026-01-01T02:03:00+00:00"),
        (3, {"type": ["null", "integer"]}, "", None),
    ],
)
def test_what_is_sent_becomes_a_value_of_the_type(default: Any, schema: Schema, sent: str | None, value: Any) -> None:
    form = {} if sent is None else {f"{PREFIX}p": sent}
    assert values({"p": ParamSpec(value=default, schema=schema)}, form, {}) == {"p": value}


def test_several_choices_come_together() -> None:
    param = ParamSpec(value=["a"], schema={"type": "array", "examples": ["a", "b"]})
    assert values({"p": param}, {f"{PREFIX}p": "b"}, {f"{PREFIX}p": ["a", "b"]}) == {"p": ["a", "b"]}


def test_what_was_left_as_it_is_is_not_in_the_conf() -> None:
    params = {
        "a": ParamSpec(value="x"),
        "at": ParamSpec(value="2026-01-01T02:03:04+09:00", schema={"type": "string", "format": "date-time"}),
        "unsent": ParamSpec(value=1),
        "needed": ParamSpec(has_value=False, schema={"type": "string"}),
    }
    form = {f"{PREFIX}a": "x", f"{PREFIX}at": "2026-01-01T02:03", f"{PREFIX}needed": "y"}
    assert values(params, form, {}) == {"needed": "y"}


def test_what_is_not_json_is_said() -> None:
    with pytest.raises(InvalidInput, match="Param 'p': 'x' is not JSON"):
        values({"p": ParamSpec(value={})}, {f"{PREFIX}p": "x"}, {})


def test_a_browser_leaves_out_seconds_that_are_none() -> None:
    param = ParamSpec(value="10:00:00", schema={"type": "string", "format": "time"})
    assert values({"p": param}, {f"{PREFIX}p": "10:20"}, {}) == {"p": "10:20:00"}


def test_several_of_some_numbers_are_numbers() -> None:
    param = ParamSpec(value=[1], schema={"type": "array", "examples": [1, 2]})
    assert values({"p": param}, {}, {f"{PREFIX}p": ["1", "2"]}) == {"p": [1, 2]}


def test_a_blank_field_without_default_is_no_value() -> None:
    assert values({"p": ParamSpec(has_value=False, schema={"type": "string"})}, {f"{PREFIX}p": ""}, {}) == {}
    nullable = ParamSpec(has_value=False, schema={"type": ["null", "string"]})
    assert values({"p": nullable}, {f"{PREFIX}p": ""}, {}) == {"p": None}
