"""How commands print what they list: table (rich), json, yaml, plain. Data goes to stdout, remarks to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

#: table width when stdout is no terminal: rows are for grep then, and must not be folded
_PIPE_WIDTH = 400

_STATE_STYLES = {
    "success": "green",
    "failed": "bold red",
    "upstream_failed": "dark_orange",
    "running": "bright_blue",
    "up_for_retry": "yellow",
    "up_for_reschedule": "cyan",
    "skipped": "magenta",
}


def output_option(function: Function) -> Function:
    """Adds `-o/--output table|json|yaml|plain`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml", "plain"]),
        default="table",
        show_default=True,
        help="How to print the result.",
    )(function)


def print_rows(rows: Sequence[Mapping[str, Any]], output: str, *, columns: Sequence[str], empty: str = "") -> None:
    """Print a list. `columns` picks and orders the fields; `empty` is the remark for a table without rows."""
    picked = [{name: row.get(name) for name in columns} for row in rows]
    if output == "json":
        click.echo(json.dumps(picked, default=str))
    elif output == "yaml":
        click.echo(_yaml(picked), nl=False)
    elif output == "plain":
        _print_plain(picked, columns)
    elif picked:
        _print_table(picked, columns)
    elif empty:
        click.echo(empty, err=True)


def print_mapping(data: Mapping[str, Any], output: str) -> None:
    """Print one object: JSON and YAML as it is, else a row per field."""
    if output == "json":
        click.echo(json.dumps(data, default=str))
    elif output == "yaml":
        click.echo(_yaml(dict(data)), nl=False)
    else:
        rows = [{"property_name": name, "property_value": value} for name, value in data.items()]
        print_rows(rows, output, columns=("property_name", "property_value"))


def pick_columns(asked: str | None, known: Sequence[str], default: Sequence[str]) -> Sequence[str]:
    """The columns of a `--columns a,b` option. Raises click.BadParameter for a name that does not exist."""
    if not asked:
        return default
    names = [name.strip() for name in asked.split(",") if name.strip()]
    wrong = [name for name in names if name not in known]
    if wrong:
        raise click.BadParameter(
            f"no column {', '.join(wrong)}; there are: {', '.join(known)}.", param_hint="--columns"
        )
    return names


def _print_plain(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    cells = [list(columns), *([_text(row[name]) or "-" for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        click.echo(" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        texts = [_text(row[name]) for name in columns]
        table.add_row(*(Text(text, style=_STATE_STYLES.get(text, "")) for text in texts))
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def _yaml(data: Any) -> str:
    import yaml

    plain = json.loads(json.dumps(data, default=str))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, default=str)
    return str(value)
