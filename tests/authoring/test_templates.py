"""Rendering beyond the recorded templates: files, structures, what is left alone."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.authoring.context import Context, Lazy
from asyncflow.authoring.templates import (
    SandboxedEnvironment,
    Templater,
    ds,
    literal,
    make_environment,
    render_template,
    ts_nodash_with_tz,
)

Pair = namedtuple("Pair", "a b")


class Thing(Templater):
    template_fields = ("text", "inner")
    template_ext = (".sql",)

    def __init__(self, text: Any, inner: Any = None) -> None:
        self.text, self.inner = text, inner
        self.prepared = False

    def prepare_template(self) -> None:
        self.prepared = True


class WithEnv(Thing):
    def __init__(self, env: jinja2.Environment, text: Any, inner: Any = None) -> None:
        super().__init__(text, inner)
        self.env = env

    def get_template_env(self, dag: Any = None) -> jinja2.Environment:
        return self.env


@pytest.fixture
def env(tmp_path: Path) -> jinja2.Environment:
    (tmp_path / "query.sql").write_text("SELECT {{ n }}")
    return make_environment(searchpath=[str(tmp_path)])


CONTEXT = {"n": 3}


def test_strings_with_a_template_extension_are_files(env: jinja2.Environment) -> None:
    thing = WithEnv(env, "query.sql", ["query.sql", "{{ n }}"])
    thing.render_template_fields(CONTEXT)
    assert (thing.text, thing.inner) == ("SELECT 3", ["SELECT 3", "3"])


def test_template_files_can_be_read_beforehand(env: jinja2.Environment) -> None:
    thing = WithEnv(env, "query.sql", ["query.sql", 7])
    thing.resolve_template_files()
    assert (thing.text, thing.inner, thing.prepared) == ("SELECT {{ n }}", ["SELECT {{ n }}", 7], True)


def test_a_missing_template_file_is_an_error(env: jinja2.Environment) -> None:
    with pytest.raises(jinja2.TemplateNotFound, match=r"absent\.sql"):
        WithEnv(env, "absent.sql").render_template_fields(CONTEXT)


def test_containers_keep_their_kind() -> None:
    value = {"k {{ n }}": ("{{ n }}", {"{{ n }}"}, Pair("{{ n }}", 1))}
    assert Thing("").render_template(value, CONTEXT) == {"k {{ n }}": ("3", {"3"}, Pair("3", 1))}
    assert type(Thing("").render_template(Pair("{{ n }}", 1), CONTEXT)) is Pair


def test_template_fields_of_inner_objects_are_rendered_in_place_once() -> None:
    inner = Thing("{{ n }}")
    inner.inner = inner
    outer = Thing([inner, inner])
    outer.render_template_fields(CONTEXT)
    assert inner.text == "3"


def test_literals_and_other_objects_are_left_alone() -> None:
    other = object()
    assert Thing("").render_template([literal("{{ n }}"), other, 5], CONTEXT) == ["{{ n }}", other, 5]


def test_a_template_field_that_is_no_attribute_is_named() -> None:
    thing = Thing("x")
    del thing.inner
    with pytest.raises(AttributeError, match="'inner' is a template field of 'Thing'"):
        thing.render_template_fields(CONTEXT)


def test_values_from_other_tasks_are_not_rendered() -> None:
    value = "".join(["{{ n", " }}"])
    thing = Thing(value)
    thing._resolved_ids = frozenset({id(value)})  # type: ignore[attr-defined]
    thing.render_template_fields(CONTEXT)
    assert thing.text == "{{ n }}"


def test_only_what_a_template_names_is_worked_out() -> None:
    asked: list[str] = []
    context = Context({"n": 1, "dear": Lazy(lambda: asked.append("dear") or "d")})
    env = SandboxedEnvironment()
    assert render_template(env.from_string("{{ n }}"), context) == "1"
    assert asked == []
    assert render_template(env.from_string("{{ dear }}{{ dear }}"), context) == "dd"
    assert asked == ["dear"]


def test_included_templates_see_the_context(tmp_path: Path) -> None:
    (tmp_path / "part.txt").write_text("{{ n }}{{ m }}")
    env = make_environment(searchpath=[str(tmp_path)], macros={"m": "!"})
    assert render_template(env.from_string("{% include 'part.txt' %}"), Context(CONTEXT)) == "3!"


def test_options_of_the_dag_win() -> None:
    env = make_environment(options={"variable_start_string": "<<", "variable_end_string": ">>"})
    assert render_template(env.from_string("<< n >> {{ n }}"), CONTEXT) == "3 {{ n }}"


def test_date_filters_let_none_through() -> None:
    assert ds(None) is None
    assert ts_nodash_with_tz(None) is None


@given(st.text(st.sampled_from("ab {}%#\n\r\"'1")))
def test_text_without_templates_comes_out_as_jinja_would_give_it(text: str) -> None:
    text = text.replace("{", "(")
    assert Thing("").render_template(text, CONTEXT) == SandboxedEnvironment().from_string(text).render()
