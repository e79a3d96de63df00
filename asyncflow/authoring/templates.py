"""Jinja2 rendering of template fields, as in Airflow 2.11.

Owns: which strings are templates, which are names of template files, the environment (sandboxed, or native when the DAG
asks for it), the five date filters. Does not own what is in the context (`authoring.context`).

`Templater` is a base of BaseOperator; user operators override or call its methods.
"""

from __future__ import annotations

import datetime as dt
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import jinja2
import jinja2.nativetypes
import jinja2.sandbox
import jinja2.utils


def ds(moment: dt.date | None) -> str | None:
    return moment.strftime("%Y-%m-%d") if moment is not None else None


def ds_nodash(moment: dt.date | None) -> str | None:
    return moment.strftime("%Y%m%d") if moment is not None else None


def ts(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def ts_nodash(moment: dt.datetime | None) -> str | None:
    return moment.strftime("%Y%m%dT%H%M%S") if moment is not None else None


def ts_nodash_with_tz(moment: dt.datetime | None) -> str | None:
    return moment.isoformat().replace("-", "").replace(":", "") if moment is not None else None


FILTERS: dict[str, Callable[[Any], str | None]] = {
    "ds": ds,
    "ds_nodash": ds_nodash,
    "ts": ts,
    "ts_nodash": ts_nodash,
    "ts_nodash_with_tz": ts_nodash_with_tz,
}


class SandboxedEnvironment(jinja2.sandbox.SandboxedEnvironment):
    """Keeps templates from Python's internals (`__class__` and the like); names with one underscore are open."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.filters.update(FILTERS)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return not jinja2.sandbox.is_internal_attribute(obj, attr)


class NativeEnvironment(jinja2.nativetypes.NativeEnvironment):
    """Gives Python objects instead of text (`render_template_as_native_obj`)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.filters.update(FILTERS)


def make_environment(
    *,
    searchpath: Sequence[str] = (),
    undefined: type[jinja2.Undefined] = jinja2.StrictUndefined,
    native: bool = False,
    macros: Mapping[str, Any] | None = None,
    filters: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> jinja2.Environment:
    """The environment of a DAG; `options` (jinja_environment_kwargs) win over ours."""
    settings: dict[str, Any] = {
        "loader": jinja2.FileSystemLoader([str(folder) for folder in searchpath]),
        "undefined": undefined,
        "extensions": ["jinja2.ext.do"],
        "cache_size": 0,
        **(options or {}),
    }
    env: jinja2.Environment = NativeEnvironment(**settings) if native else SandboxedEnvironment(**settings)
    env.globals.update(macros or {})
    env.filters.update(filters or {})
    return env


def render_template(template: jinja2.Template, context: Mapping[str, Any]) -> Any:
    """Render with `context` looked up lazily; its names win over macros and Jinja's own globals."""
    env = template.environment
    names: Any = _Names(_lookup(context), template.globals)  # type: ignore[arg-type]
    try:
        return env.concat(template.root_render_func(template.new_context(names, shared=True)))
    except Exception:
        env.handle_exception()


class _Names(ChainMap[str, Any]):
    """Context before globals, without making a dict of either."""

    def copy(self) -> _Names:
        # Jinja copies it when it words an error
        return _Names({}, *self.maps)


def _lookup(context: Mapping[str, Any]) -> Mapping[str, Any]:
    """`context` without the deprecation warnings that Python code gets."""
    quiet = getattr(context, "quiet", None)
    return quiet() if quiet is not None else context


class Templater:
    """What makes an object's `template_fields` templates."""

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()
    template_fields_renderers: ClassVar[dict[str, str]] = {}

    def get_dag(self) -> Any:
        """The DAG whose environment is used; None = a bare environment."""
        return getattr(self, "dag", None)

    def get_template_env(self, dag: Any = None) -> jinja2.Environment:
        dag = dag or self.get_dag()
        if dag is not None:
            env: jinja2.Environment = dag.get_template_env()
            return env
        return SandboxedEnvironment(cache_size=0)

    def prepare_template(self) -> None:
        """Called after template files were read; for subclasses."""

    def resolve_template_files(self) -> None:
        """Put the text of template files in the place of their names (a field that is such a name, or lists some)."""
        env = self.get_template_env()
        for name in self.template_fields:
            value = getattr(self, name, None)
            if isinstance(value, str) and self._is_file(value):
                setattr(self, name, _source(env, value))
            elif isinstance(value, list):
                setattr(self, name, [_source(env, v) if isinstance(v, str) and self._is_file(v) else v for v in value])
        self.prepare_template()

    def _is_file(self, text: str) -> bool:
        return text.endswith(tuple(self.template_ext))

    def render_template_fields(self, context: Any, jinja_env: jinja2.Environment | None = None) -> None:
        """Render all `template_fields` of this object in place."""
        env = jinja_env or self.get_template_env()
        # values that a mapped task got from other tasks are data, not templates
        values = set(getattr(self, "_resolved_ids", ()))
        self._do_render_template_fields(self, self.template_fields, context, env, values)

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Any,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        for name in template_fields:
            try:
                value = getattr(parent, name)
            except AttributeError:
                owner = getattr(self, "task_id", type(self).__name__)
                raise AttributeError(
                    f"{name!r} is a template field of {owner!r}, but {type(parent).__name__} has no attribute {name!r}"
                ) from None
            if value:
                setattr(parent, name, self.render_template(value, context, jinja_env, seen_oids))

    def render_template(
        self,
        content: Any,
        context: Any,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """`content` with every template in it rendered.

        Strings; members of lists, tuples, sets and values of dicts; references to other tasks' outputs (anything
        with `resolve(context)`); the `template_fields` of other objects, in place. The rest is returned as it is.
        """
        seen = set() if seen_oids is None else seen_oids
        if id(content) in seen:
            return content
        env = jinja_env or self.get_template_env()
        if isinstance(content, str):
            if _is_plain(content, env) and not self._is_file(content):
                return content
            template = env.get_template(content) if self._is_file(content) else env.from_string(content)
            return self._render(template, context)
        if hasattr(content, "resolve") and hasattr(content, "iter_references"):
            return content.resolve(context)
        return self._render_container(content, context, env, seen)

    def _render_container(self, content: Any, context: Any, env: jinja2.Environment, seen: set[int]) -> Any:
        def each(items: Iterable[Any]) -> Iterator[Any]:
            return (self.render_template(item, context, env, seen) for item in items)

        if type(content) is tuple:
            return tuple(each(content))
        if isinstance(content, tuple):
            return content.__class__(*each(content))  # a namedtuple
        if isinstance(content, list):
            return list(each(content))
        if isinstance(content, dict):
            return {key: self.render_template(value, context, env, seen) for key, value in content.items()}
        if isinstance(content, set):
            return set(each(content))
        self._render_nested_template_fields(content, context, env, seen)
        return content

    def _render_nested_template_fields(
        self, value: Any, context: Any, jinja_env: jinja2.Environment, seen_oids: set[int]
    ) -> None:
        if id(value) in seen_oids:
            return
        seen_oids.add(id(value))
        fields = getattr(value, "template_fields", None)
        if fields and not isinstance(value, type):
            self._do_render_template_fields(value, fields, context, jinja_env, seen_oids)

    def _render(self, template: jinja2.Template, context: Any, dag: Any = None) -> Any:
        return render_template(template, context)


def _is_plain(text: str, env: jinja2.Environment) -> bool:
    """Would Jinja give back `text` as it is? Then there is no need to compile it. Line ends it would change."""
    return (
        "{" not in text
        and type(env) is SandboxedEnvironment
        and (env.block_start_string[0], env.variable_start_string[0], env.comment_start_string[0]) == ("{", "{", "{")
        and env.line_statement_prefix is None
        and env.line_comment_prefix is None
        and "\n" not in text[-1:]
        and "\r" not in text
    )


def _source(env: jinja2.Environment, name: str) -> str:
    if env.loader is None:
        raise jinja2.TemplateNotFound(name)
    return env.loader.get_source(env, name)[0]


class LiteralValue:
    """A value that is not to be rendered: `literal("{{ stays }}")`."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def iter_references(self) -> Iterable[Any]:
        return ()

    def resolve(self, context: Any) -> Any:
        return self.value


def literal(value: Any) -> LiteralValue:
    """Keep `value` as it is although it is given to a template field."""
    return LiteralValue(value)
