"""What the pages of Connections show, and what their form says. Pure; no secret comes here but those just typed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from asyncflow.core import connections as data
from asyncflow.core.secrecy import MASK
from asyncflow.core.sentence import Sentence, told
from asyncflow.errors import InvalidInput
from asyncflow.web.sorting import Column, Columns

#: fields of the form, in its order, with the label that they have unless a type says another
FIELDS = {
    "description": "Description",
    "host": "Host",
    "schema": "Schema",
    "login": "Login",
    "password": "Password",
    "port": "Port",
    "extra": "Extra",
}
#: what the names of fields for parts of the extra begin with
PREFIX = "extra."
COLUMNS = Columns(
    Column("Connection", "id"),
    Column("Type", "type"),
    Column("Host", "host"),
    Column("Port", "port"),
    Column("Schema", "schema"),
    Column("Login", "login"),
    usual="id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the form. A secret has no value: `is_stored` says that there is one."""

    name: str
    label: str
    own_label: bool  #: the label is of the type, and stays in its language
    kind: str  #: "text", "number", "password", "check", "json"
    value: str = ""
    placeholder: str = ""
    is_stored: bool = False


def fields(form: Mapping[str, Any], values: Mapping[str, Any]) -> list[Field]:
    """The form of a type (`Actions.connection_type_form`), filled.

    `values` is what `Actions.connection_form` gives, or what was typed. What a type hides is shown all the same when it
    has a value: it would be lost unseen.
    """
    extra, parts = _parts(form, values)
    found = []
    for name, label in FIELDS.items():
        value = extra if name == "extra" else "" if values.get(name) is None else str(values[name])
        stored = bool(values.get({"password": "has_password", "extra": "extra_is_hidden"}.get(name, "")))
        if name == "extra":
            found += parts
        if name in form["hidden"] and not value and not stored:
            continue
        found.append(
            Field(
                name=name,
                label=form["labels"].get(name, label),
                own_label=name in form["labels"],
                kind={"password": "password", "port": "number", "extra": "json"}.get(name, "text"),
                value="" if name == "password" else value,
                placeholder=str(form["placeholders"].get(name, "")),
                is_stored=stored,
            )
        )
    return found


def _parts(form: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, list[Field]]:
    """The extra without the parts that have fields of their own, and these fields."""
    text = str(values.get("extra") or "")
    known = data.extra_dict(text)
    found = []
    for part in form["fields"]:
        given = known.pop(part["name"], None)
        typed = values.get(PREFIX + part["name"])
        secret = part["kind"] == "password" or given == MASK
        stored = secret and (bool(given) or part["name"] in values.get("kept", ()))
        found.append(
            Field(
                name=PREFIX + part["name"],
                label=part["label"],
                own_label=True,
                kind="password" if secret else part["kind"],
                value="" if secret else str(typed) if typed is not None else _text(given),
                placeholder=str(form["placeholders"].get(part["name"], "")),
                is_stored=stored,
            )
        )
    if not found or not data.extra_dict(text):
        return text, found
    return msgspec.json.format(msgspec.json.encode(known)).decode() if known else "", found


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What was typed, as `Actions.edit_connection` wants it."""

    conn_id: str
    fields: Mapping[str, Any]
    like: str | None
    forget: tuple[str, ...]
    keep: tuple[str, ...]

    def arguments(self) -> dict[str, Any]:
        """All of it but the name."""
        return {"fields": dict(self.fields), "like": self.like, "forget": self.forget, "keep": self.keep}


def entered(form: Mapping[str, Any], kinds: Mapping[str, str], conn_id: str = "") -> Entered:
    """The meaning of a form that was sent; `kinds`: of the fields for parts of the extra, by name.

    Raises InvalidInput.
    """
    given = {name: str(form.get(name, "")).strip() for name in ("conn_type", *FIELDS)}
    given["password"] = str(form.get("password", ""))  # blanks may be part of it
    forget = tuple(name for name in ("password", "extra") if form.get(f"forget.{name}"))
    parts, keep = {}, []
    for name, kind in kinds.items():
        text = str(form.get(PREFIX + name, ""))
        if text:
            parts[name] = _value(name, kind, text)
        elif kind == "password" and not form.get(f"forget.{PREFIX}{name}"):
            keep.append(name)
    found: dict[str, Any] = {name: value for name, value in given.items() if value}
    if parts:
        found["extra"] = {**_object(given["extra"]), **parts}
    return Entered(
        conn_id=conn_id or str(form.get("conn_id", "")).strip(),
        fields=found,
        like=str(form.get("like", "")) or None,
        forget=forget,
        keep=tuple(keep),
    )


def _value(name: str, kind: str, text: str) -> Any:
    if kind == "check":
        return True
    if kind != "number":
        return text
    try:
        return int(text)
    except ValueError:
        raise InvalidInput("{name}: {text!r} is not a whole number.", name=name, text=text) from None


def _object(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        found = msgspec.json.decode(text)
        if not isinstance(found, dict):
            raise ValueError(Sentence('an object is needed, like {"key": "value"}'))
    except ValueError as error:
        raise InvalidInput("Extra is not right: {error}.", error=told(error)) from None
    return found


def copies(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(kind, text): a Connection as an environment variable, in both forms, *** in place of secrets."""
    given = {name: values[name] for name in data.FIELDS if name in values and values[name] not in (None, "")}
    if values["has_password"]:
        given["password"] = MASK
    if values["extra_is_hidden"]:
        given["extra"] = MASK
    name = f"AIRFLOW_CONN_{values['conn_id'].upper()}"
    uri = data.to_uri(given).replace("%2A%2A%2A", MASK)
    if "extra" in given:
        given["extra"] = data.extra_dict(given["extra"]) or given["extra"]
    return [("URI", f"{name}={shlex.quote(uri)}"), ("JSON", f"{name}={shlex.quote(data.to_json(given))}")]


def type_choices(types: Sequence[Mapping[str, Any]], current: str) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """Groups of (conn_type, name, chosen): those whose package is there, and the others; a type of neither is added."""
    known = [dict(row) for row in types]
    if current and all(row["conn_type"] != current for row in known):
        known.append({"conn_type": current, "name": current, "installed": False})
    known.sort(key=lambda row: str(row["name"]).casefold())
    groups = []
    for label, installed in (("Installed", True), ("Package is not installed", False)):
        rows = [row for row in known if row["installed"] is installed]
        if rows:
            groups.append((label, [(row["conn_type"], row["name"], row["conn_type"] == current) for row in rows]))
    return groups
