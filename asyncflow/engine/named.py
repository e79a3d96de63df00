"""Texts of named things, as people import and export them: Variables, Connections, pools; JSON, YAML or .env. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from asyncflow.core.sentence import told
from asyncflow.errors import InvalidInput

FORMATS = ("json", "yaml", "env")


def kind_of(file: str) -> str:
    """The format by the file's ending; JSON if it has none that is known."""
    ending = file.rpartition(".")[2].lower()
    return {"yml": "yaml"}.get(ending, ending) if ending in (*FORMATS, "yml") else "json"


def parse_named(text: str, file: str) -> dict[str, Any]:
    """What the text of a file holds, by name. Raises InvalidInput with the line where it cannot be read."""
    kind = kind_of(file)
    if kind == "env":
        return _read_env(file, text)
    try:
        found = json.loads(text) if kind == "json" else _read_yaml(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("{file} is not {kind}: {error}.", file=file, kind=kind.upper(), error=told(error)) from None
    if not isinstance(found, dict):
        raise InvalidInput("{file} must hold an object: names with values.", file=file)
    return {str(name): value for name, value in found.items()}


def _read_yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _read_env(file: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not sign or not name.strip() or not value:
            raise InvalidInput("{file}, line {number}: write NAME=value.", file=file, number=number)
        if name.strip() in found:
            raise InvalidInput(
                "{file}, line {number}: {name} is there twice.", file=file, number=number, name=name.strip()
            )
        found[name.strip()] = value
    return found


def format_named(named: Mapping[str, Any], kind: str) -> str:
    """Names with values as text. `env` takes texts only."""
    if kind == "env":
        return "".join(f"{name}={value}\n" for name, value in named.items())
    if kind == "yaml":
        import yaml

        return yaml.safe_dump(dict(named), sort_keys=False, allow_unicode=True)
    return json.dumps(named, indent=4, ensure_ascii=False) + "\n"


def variables_in(named: Mapping[str, Any], file: str) -> dict[str, str]:
    """Variables of a file as texts: what is no text is stored as JSON. Raises InvalidInput where there is none."""
    try:
        return {key: value if isinstance(value, str) else json.dumps(value, indent=2) for key, value in named.items()}
    except (TypeError, ValueError) as error:  # YAML knows dates and sets
        raise InvalidInput("{file}: a value is no JSON: {error}.", file=file, error=told(error)) from None


def exported(value: str) -> Any:
    """The value of a Variable as it is exported: what is JSON, as such."""
    try:
        return json.loads(value)
    except ValueError:
        return value
