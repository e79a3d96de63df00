"""XComs, links, and what an instance waits for, as its page shows them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from asyncflow.authoring.xcom import encode
from asyncflow.core.blockers import Blockers
from asyncflow.core.models import TaskKey
from asyncflow.engine.instance_pages import XComHead
from asyncflow.web.instance_view import Link, links, waits_for, xcoms

AT = datetime(2026, 1, 1, tzinfo=UTC)
HERE = TaskKey("etl", "r 1", "load")


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("3", "int", "3"),
        ("2.5", "float", "2.5"),
        ("true", "bool", "true"),
        ("null", "None", "null"),
        ('"a\\nb"', "str", "a\nb"),
        ("[1,2]", "list, 2", "[\n  1,\n  2\n]"),
        ('{"a":1}', "dict, 1", '{\n  "a": 1\n}'),
        ('{"__classname__": "decimal.Decimal", "__version__": 1, "__data__": "1.5"}', "Decimal", "1.5"),
        ('{"__classname__": "builtins.set", "__version__": 1, "__data__": [1]}', "set", None),
        ("not json", "None", "not json"),
    ],
)
def test_values_have_their_type(text: str, kind: str, shown: str | None) -> None:
    (row,) = xcoms([XComHead("k", text, len(text), AT)], "/t", "", 100)
    assert row.kind == kind
    assert not row.cut
    assert row.text == shown or shown is None


def test_a_long_value_is_cut_and_linked() -> None:
    (row,) = xcoms([XComHead("a b", '"xxx', 5000, AT)], "/t", "map_index=3", 4)
    assert (row.cut, row.text, row.kind, row.href) == (True, "xxx", "str", "/t/xcom?map_index=3&key=a+b")


def test_what_is_cut_in_an_escape_is_shown_as_it_was_cut() -> None:
    assert xcoms([XComHead("k", '"a\\u00', 50, AT)], "/t", "", 5)[0].text == '"a\\u00'
    assert xcoms([XComHead("k", '"a\\', 50, AT)], "/t", "", 3)[0].text == "a"


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ((1, 2), "tuple", "[\n  1,\n  2\n]"),
        (datetime(2026, 1, 1, tzinfo=UTC), "datetime", "2026-01-01T00:00:00+00:00"),
        ({"a": (date(2026, 1, 1),)}, "dict, 1", '{\n  "a": [\n    "2026-01-01"\n  ]\n}'),
        (Decimal("1.5"), "Decimal", "1.5"),
    ],
)
def test_values_that_json_has_no_type_for_are_shown_without_their_tags(value: object, kind: str, text: str) -> None:
    head = encode(value)
    (row,) = xcoms([XComHead("k", head, len(head), AT)], "/t", "", 1000)
    assert (row.kind, row.text) == (kind, text)


def test_extra_links_are_links_and_no_xcoms() -> None:
    heads = [
        XComHead("_link_Logs", '"https://x.example/1"', 21, AT),
        XComHead("_link_Logs", '"https://x.example/0"', 21, AT),
        XComHead("_link_Evil", '"javascript:alert(1)"', 21, AT),
        XComHead("_link_Also", '"//evil.example"', 16, AT),
        XComHead("_link_Odd", "[1]", 3, AT),
        XComHead("_link_Here", '"/dags/x"', 9, AT),
    ]
    assert links(heads) == [Link("Logs", "https://x.example/1"), Link("Here", "/dags/x")]
    assert xcoms(heads, "/t", "", 100) == []


def test_what_it_waits_for_says_where_it_is() -> None:
    tasks = (TaskKey("etl", "r 1", "a"), TaskKey("etl", "r2", "a", 4), TaskKey("b", "r", "x"))
    found = waits_for(Blockers(tasks=tasks, runs=(("etl", "r0"),), pool="p/q"), HERE)
    assert [(it.name, it.href) for it in found] == [
        ("p/q", "/pools/p%2Fq"),
        ("a", "/dags/etl/runs/r%201/tasks/a"),
        ("a[4] (r2)", "/dags/etl/runs/r2/tasks/a?map_index=4"),
        ("b.x (r)", "/dags/b/runs/r/tasks/x"),
        ("r0", "/dags/etl/runs/r0"),
    ]
