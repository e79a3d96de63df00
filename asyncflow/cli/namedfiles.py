"""Files of named things: Variables, Connections, pools as JSON, YAML or .env; "-" stands for stdin and stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from asyncflow.engine import named as texts
from asyncflow.engine.named import FORMATS as FORMATS
from asyncflow.errors import InvalidInput


def read_named(file: str) -> dict[str, Any]:
    """What a file holds, by name. Raises InvalidInput with the line where it cannot be read."""
    return texts.parse_named(_text(file), file)


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {file}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.") from None


def format_named(named: Mapping[str, Any], file: str, kind: str | None = None) -> str:
    """Names with values as text, in the format asked for or the one of the file's ending. `env` takes texts only."""
    return texts.format_named(named, kind or texts.kind_of(file))


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
