"""Files of named things: Variables, Connections, pools as JSON, YAML or .env; "-" stands for stdin and stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from asyncflow.errors import InvalidInput

FORMATS = ("json", "yaml", "env")


def read_named(file: str) -> dict[str, Any]:
    """What a file holds, by name. Raises InvalidInput with the line where it cannot be read."""
    text = _text(file)
    kind = _kind(file)
    if kind == "env":
        return _read_env(file, text)
    try:
        found = json.loads(text) if kind == "json" else _read_yaml(text)
    except ValueError as error:
        raise InvalidInput(f"{file} is not {kind.upper()}: {error}.") from None
    if not isinstance(found, dict):
        raise InvalidInput(f"{file} must hold an object: names with values.")
    return {str(name): value for name, value in found.items()}


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {file}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.") from None


def _kind(file: str) -> str:
    """The format by the file's ending; JSON if it has none that is known, as with stdin."""
    ending = file.rpartition(".")[2].lower()
    return {"yml": "yaml"}.get(ending, ending) if ending in (*FORMATS, "yml") else "json"


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
            raise InvalidInput(f"{file}, line {number}: write NAME=value.")
        if name.strip() in found:
            raise InvalidInput(f"{file}, line {number}: {name.strip()} is there twice.")
        found[name.strip()] = value
    return found


def format_named(named: Mapping[str, Any], file: str, kind: str | None = None) -> str:
    """Names with values as text, in the format asked for or the one of the file's ending. `env` takes texts only."""
    kind = kind or _kind(file)
    if kind == "env":
        return "".join(f"{name}={value}\n" for name, value in named.items())
    if kind == "yaml":
        import yaml

        return yaml.safe_dump(dict(named), sort_keys=False, allow_unicode=True)
    return json.dumps(named, indent=4, ensure_ascii=False) + "\n"


def write_named(file: str, text: str, what: str) -> None:
    """Write an export; the remark about it goes to stderr. The file is its owner's alone: it may hold secrets."""
    if file == "-":
        click.echo(text, nl=False)
        return
    path = Path(file)
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from None
    click.echo(f"{what} exported to {file}.", err=True)
