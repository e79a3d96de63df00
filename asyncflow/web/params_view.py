"""A form for the params of a DAG, made from their JSON schemas, and the values that come back from it. Pure.

As Airflow's trigger form: a text field unless the schema says number, boolean, date, enum, list or object; `title`,
`description`, `examples`, `values_display` and `section` are shown; a blank field is null where the schema allows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from asyncflow.core.sentence import Sentence, told
from asyncflow.core.specs import ParamSpec
from asyncflow.errors import InvalidFields, InvalidInput

#: what the names of the form's fields begin with
PREFIX = "param."


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One param as a form field."""

    name: str  #: of the field
    label: str
    kind: str  #: text, area, number, check, choice, several, lines, json, date, time, datetime
    value: str
    help: str
    required: bool
    choices: tuple[tuple[str, str, bool, str], ...] = ()  #: (value, label, chosen, as JSON)
    examples: tuple[str, ...] = ()
    least: str = ""
    most: str = ""
    step: str = ""
    pattern: str = ""
    wrong: str = ""  #: what is wrong with the value
    default: str = ""  #: as JSON, "" for none
    nullable: bool = False  #: a blank field is null


_FORMATS = {"date": "date", "time": "time", "date-time": "datetime", "multiline": "area"}


def sections(
    params: Mapping[str, ParamSpec],
    conf: Mapping[str, Any],
    sent: Mapping[str, Sequence[str]] | None = None,
    wrong: Mapping[str, str] | None = None,
) -> list[tuple[str, list[Field]]]:
    """(section, its fields), in the order of the params; those of no section first under "".

    `sent`: the fields of a form that comes back, which then hold what they held, right or wrong; `wrong`: what is
    wrong with them, by the name of the param.
    """
    found: dict[str, list[Field]] = {"": []}
    for name, param in params.items():
        field = _field(name, param, conf)
        if sent is not None:
            field = _refilled(field, sent.get(field.name, ()))
        field = replace(field, wrong=(wrong or {}).get(name, ""))
        found.setdefault(str(param.schema.get("section", "")), []).append(field)
    return [(section, fields) for section, fields in found.items() if fields]


def _refilled(field: Field, texts: Sequence[str]) -> Field:
    if field.kind == "check":
        return replace(field, value="true" if texts else "false")
    choices = tuple((value, label, value in texts, json) for value, label, _, json in field.choices)
    return replace(field, value=texts[0] if texts else "", choices=choices)


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    kind = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(kind)


def _kind(schema: Mapping[str, Any], value: Any) -> str:
    types = [kind for kind in _types(schema) if kind != "null"]
    if "enum" in schema:
        return "choice"
    kind = types[0] if types else _guess(value)
    if kind == "array":
        if "examples" in schema:
            return "several"
        items = schema.get("items", {}).get("type", "string") if isinstance(schema.get("items", {}), dict) else ""
        return "lines" if items == "string" and all(isinstance(one, str) for one in value or ()) else "json"
    if kind == "string":
        return _FORMATS.get(str(schema.get("format", "")), "text")
    return {"boolean": "check", "integer": "number", "number": "number", "object": "json"}.get(kind, "text")


def _guess(value: Any) -> str:
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (list, "array"), (dict, "object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "string")


def _field(name: str, param: ParamSpec, conf: Mapping[str, Any]) -> Field:
    schema = param.schema
    value = conf.get(name, param.value if param.has_value else None)
    kind = _kind(schema, param.value if param.has_value else value)
    nullable = "null" in _types(schema) or (not _types(schema) and "const" not in schema)
    options = schema.get("enum") if kind == "choice" else schema.get("examples") if kind == "several" else None
    display = schema.get("values_display") or {}
    chosen = value if kind == "several" and isinstance(value, list) else [value]
    return Field(
        name=f"{PREFIX}{name}",
        label=str(schema.get("title") or name),
        kind=kind,
        value=_text(value, kind),
        help=str(param.description or schema.get("description") or schema.get("description_md") or ""),
        required=not nullable and kind not in ("check", "several", "lines", "json") and schema.get("minLength", 1) > 0,
        choices=tuple(
            (_text(one, ""), str(display.get(one, one)), one in chosen, _dumps(one)) for one in options or ()
        ),
        examples=tuple(str(one) for one in schema.get("examples", ())) if kind == "text" else (),
        least=_text(schema.get("minimum"), ""),
        most=_text(schema.get("maximum"), ""),
        step="1" if "integer" in _types(schema) else "any",
        pattern=str(schema.get("pattern", "")),
        default=_dumps(param.value) if param.has_value else "",
        nullable=_nullable(param),
    )


def _nullable(param: ParamSpec) -> bool:
    """Whether a blank field is null."""
    return (param.has_value and param.value is None) or "null" in _types(param.schema)


def _dumps(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _text(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "lines":
        return "\n".join(value)
    if kind == "datetime" and isinstance(value, str):
        return value[:16]
    return value if isinstance(value, str) and kind != "json" else msgspec.json.encode(value).decode()


def values(
    params: Mapping[str, ParamSpec], form: Mapping[str, Any], several: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """What the fields of a form say, for params that differ from their default. Raises InvalidFields.

    `several`: all values of the fields with more than one.
    """
    found, wrong = read(params, form, several)
    if wrong:
        name = next(iter(wrong))
        raise InvalidFields(Sentence("Param {name!r}: {message}", name=name, message=wrong[name]), wrong)
    return found


def read(
    params: Mapping[str, ParamSpec], form: Mapping[str, Any], several: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """As `values`, and of the fields that hold no value, what is wrong."""
    found: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, param in params.items():
        field = f"{PREFIX}{name}"
        kind = _kind(param.schema, param.value)
        if field not in form and kind not in ("check", "several"):
            continue
        try:
            value = _value(param, kind, str(form.get(field, "")), several.get(field, ()))
        except msgspec.DecodeError as error:
            text = str(form.get(field, ""))
            wrong[name] = Sentence("{text!r} is not JSON ({error}).", text=text, error=told(error))
            if kind == "number":
                wrong[name] = Sentence("{text!r} is not a number.", text=text)
            continue
        if value != param.value if param.has_value else value not in ("", None) or _nullable(param):
            found[name] = value
    return found, wrong


def _value(param: ParamSpec, kind: str, text: str, several: Sequence[str]) -> Any:
    if kind == "check":
        return bool(text)
    if kind == "several":
        known = {_text(one, ""): one for one in param.schema["examples"]}
        return [known.get(one, one) for one in several]
    if kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind == "choice":
        return next((one for one in param.schema["enum"] if _text(one, "") == text), text)
    if kind in ("number", "json"):
        return msgspec.json.decode(text) if text.strip() else None
    if not text and _nullable(param):
        return None
    if kind == "datetime" and len(text) == len("2026-01-01T00:00"):
        same = isinstance(param.value, str) and param.value[:16] == text
        return param.value if same else f"{text}:00+00:00"
    if kind == "time" and len(text) == len("10:20"):
        return f"{text}:00"  # browsers leave out the seconds when they are none
    return text.replace("\r\n", "\n")


def json_object(text: str, what: str) -> dict[str, Any]:
    """The JSON object in a field, {} for an empty one. Raises InvalidInput; `what` begins the sentence."""
    if not text.strip():
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InvalidInput("{what} is not a JSON object: {error}.", what=what, error=told(error)) from None


def pretty(value: Any) -> str:
    """A value as JSON that people read; "" for none."""
    return msgspec.json.format(msgspec.json.encode(value)).decode() if value else ""
