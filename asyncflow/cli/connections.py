"""`asyncflow connections ...`: Airflow's commands for Connections."""

from __future__ import annotations

import json
from typing import Any

import click

from asyncflow.cli.app import Group
from asyncflow.cli.namedfiles import FORMATS, format_named, read_named, write_named
from asyncflow.cli.output import output_option, print_rows
from asyncflow.cli.session import Failure, Session, pass_session, shared_options
from asyncflow.config import secret_from_environment
from asyncflow.core import connections as data
from asyncflow.errors import InvalidInput

_COLUMNS = ("conn_id", "conn_type", "description", "host", "schema", "login", "password", "port", "extra", "uri")
#: fields that --conn-uri and --conn-json say already
_PARTS = ("conn_type", "host", "login", "password", "schema", "port")


@click.group(cls=Group)
@shared_options
@pass_session
def connections(session: Session) -> None:
    """List, add, import and export Connections."""
    session.reads_dags = False


@connections.command("list")
@click.option("--conn-id", help="Only the one with this id.")
@click.option("--show-values", is_flag=True, help="Show passwords, extras and URIs in clear.")
@shared_options
@output_option
@pass_session
def list_connections(session: Session, conn_id: str | None, show_values: bool, output: str) -> None:
    """List all stored Connections; passwords and extras read *** unless asked for."""
    rows = [row for row in session.call("list_connections", reveal=show_values) if conn_id in (None, row["conn_id"])]
    columns = _COLUMNS if show_values else _COLUMNS[:-1]
    print_rows(rows, output, columns=columns, empty="No Connections.")


@connections.command("get")
@click.argument("conn_id")
@shared_options
@output_option
@pass_session
def get(session: Session, conn_id: str, output: str) -> None:
    """Show one Connection in clear, as tasks would get it: one of the environment wins."""
    text = secret_from_environment("CONN", conn_id)
    if text is None:
        row = session.call("get_connection", conn_id=conn_id, reveal=True)
    else:
        fields = _understood(conn_id, text)
        row = {"conn_id": conn_id, **fields, "uri": data.to_uri(fields)}
    print_rows([row], output, columns=_COLUMNS)


def _understood(conn_id: str, text: str) -> dict[str, Any]:
    try:
        return data.from_text(text)
    except ValueError as error:
        raise InvalidInput(f"Connection {conn_id!r}: {error}.") from None


@connections.command("add")
@click.argument("conn_id")
@click.option("--conn-uri", help="All of it as one URI: type://login:password@host:port/schema?extra.")
@click.option("--conn-json", help="All of it as a JSON object.")
@click.option("--conn-type", help="postgres, http, ...")
@click.option("--conn-description", help="What it is for.")
@click.option("--conn-host")
@click.option("--conn-login")
@click.option("--conn-password")
@click.option("--conn-schema", help="Database, bucket, ...: what the type makes of it.")
@click.option("--conn-port")
@click.option("--conn-extra", help="More, as a JSON object.")
@shared_options
@pass_session
def add(session: Session, /, conn_id: str, conn_uri: str | None, conn_json: str | None, **parts: str | None) -> None:
    """Add a Connection, by its parts, by a URI or by JSON."""
    given = {name.removeprefix("conn_"): value for name, value in parts.items() if value is not None}
    fields = {"conn_type" if name == "type" else name: value for name, value in given.items()}
    _check_combination(conn_uri, conn_json, fields)
    if conn_json:
        fields = {**_understood(conn_id, conn_json), **fields}
    row = session.call("set_connection", conn_id=conn_id, fields=fields, uri=conn_uri, on_conflict="fail")
    shown = data.to_uri({name: row[name] for name in data.FIELDS if name != "extra"})
    click.echo(f"Successfully added `conn_id`={conn_id} : {shown.replace('%2A', '*')}")


def _check_combination(uri: str | None, json_text: str | None, fields: dict[str, Any]) -> None:
    if uri and json_text:
        raise InvalidInput("Cannot supply both --conn-uri and --conn-json.")
    if not (uri or json_text or fields.get("conn_type")):
        raise InvalidInput("Must supply either --conn-uri or --conn-json if not supplying --conn-type.")
    if not (uri or json_text):
        return
    flag = "uri" if uri else "json"
    known = [*_PARTS, "extra"] if json_text else [*_PARTS]
    wrong = [f"--conn-{name.removeprefix('conn_')}" for name in known if name in fields]
    if wrong:
        raise InvalidInput(f"--conn-{flag} says already what {', '.join(wrong)} would say.")
    if uri and "://" not in uri:
        raise InvalidInput(f"--conn-uri={uri!r} does not begin with a type, like postgres://.")


@connections.command("delete")
@click.argument("conn_id")
@shared_options
@pass_session
def delete(session: Session, conn_id: str) -> None:
    """Delete a Connection."""
    session.call("delete_connection", conn_id=conn_id)
    click.echo(f"Successfully deleted connection with `conn_id`={conn_id}")


@connections.command("test")
@click.argument("conn_id")
@click.option("--timeout", type=click.FloatRange(min=1), help="Seconds it may take.  [default: 30]")
@shared_options
@pass_session
def test(session: Session, conn_id: str, timeout: float | None) -> None:
    """Ask the Connection's hook whether it gets through, in a process of its own. Exit code 1 if it does not."""
    limits = {} if timeout is None else {"limit": timeout}
    answer = session.call("test_connection", conn_id=conn_id, **limits)
    if not answer["status"]:
        raise Failure(f"Connection failed! {answer['message']}")
    click.echo(f"Connection success! {answer['message']}")


@connections.command("import")
@click.argument("file")
@click.option("--overwrite", is_flag=True, help="Replace those that exist; else they are left alone.")
@shared_options
@pass_session
def import_connections(session: Session, file: str, overwrite: bool) -> None:
    """Add all Connections of a JSON, YAML or .env file: ids with URIs or objects, as `export` writes them."""
    given = read_named(file)
    done = session.call("import_connections", connections=given, on_conflict="overwrite" if overwrite else "skip")
    for conn_id in done["imported"]:
        click.echo(f"Imported connection {conn_id}")
    for conn_id in done["skipped"]:
        click.echo(f"Could not import connection {conn_id}: connection already exists.", err=True)


@connections.command("export")
@click.argument("file")
@click.option("--file-format", "--format", "file_format", type=click.Choice(FORMATS), help="Instead of by the ending.")
@click.option(
    "--serialization-format",
    type=click.Choice(["uri", "json"], case_sensitive=False),
    help="How a Connection is written in an .env file.  [default: uri]",
)
@shared_options
@pass_session
def export(session: Session, file: str, file_format: str | None, serialization_format: str | None) -> None:
    """Write all stored Connections, in clear, to a JSON, YAML or .env file ("-": to the terminal)."""
    kind = file_format or ("json" if file == "-" else None)
    if kind is None and not file.lower().endswith((".json", ".yaml", ".yml", ".env")):
        raise InvalidInput(f"{file}: name the format with --file-format, or let the file end in .json, .yaml or .env.")
    is_env = kind == "env" or (kind is None and file.lower().endswith(".env"))
    if serialization_format and not is_env:
        raise InvalidInput("--serialization-format goes with the format env only.")
    rows = session.call("list_connections", reveal=True)
    named: dict[str, Any] = {row["conn_id"]: {name: row[name] for name in data.FIELDS} for row in rows}
    if is_env:
        write = json.dumps if serialization_format == "json" else data.to_uri
        named = {conn_id: write(fields) for conn_id, fields in named.items()}
    write_named(file, format_named(named, file, kind), "Connections")
