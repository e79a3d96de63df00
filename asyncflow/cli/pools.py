"""`asyncflow pools ...`: Airflow's commands for pools."""

from __future__ import annotations

import click

from asyncflow.cli.app import Group
from asyncflow.cli.namedfiles import format_named, read_named, write_named
from asyncflow.cli.output import output_option, print_rows
from asyncflow.cli.session import Session, pass_session, shared_options

_COLUMNS = ("pool", "slots", "description", "include_deferred")
_USE = ("running", "queued", "scheduled", "deferred", "open")


@click.group(cls=Group)
@shared_options
@pass_session
def pools(session: Session) -> None:
    """List, set, import and export pools."""
    session.reads_dags = False


@pools.command("list")
@click.option("--usage", is_flag=True, help="Show also how many slots are taken by what.")
@shared_options
@output_option
@pass_session
def list_pools(session: Session, usage: bool, output: str) -> None:
    """List all pools."""
    rows = [{**row, "pool": row["name"]} for row in session.call("list_pools")]
    print_rows(rows, output, columns=(*_COLUMNS, *_USE) if usage else _COLUMNS)


@pools.command("get")
@click.argument("name")
@shared_options
@output_option
@pass_session
def get(session: Session, name: str, output: str) -> None:
    """Show one pool."""
    row = session.call("get_pool", name=name)
    print_rows([{**row, "pool": row["name"]}], output, columns=_COLUMNS)


@pools.command("set")
@click.argument("name")
@click.argument("slots", type=int)
@click.argument("description")
@click.option("--include-deferred", is_flag=True, help="Deferred tasks hold a slot too.")
@shared_options
@pass_session
def set_pool(session: Session, name: str, slots: int, description: str, include_deferred: bool) -> None:
    """Make or change a pool; -1 slots (write: -- -1) means no limit."""
    session.call("set_pool", name=name, slots=slots, description=description, include_deferred=include_deferred)
    click.echo(f"Pool {name} set.")


@pools.command("delete")
@click.argument("name")
@shared_options
@pass_session
def delete(session: Session, name: str) -> None:
    """Delete a pool other than default_pool."""
    session.call("delete_pool", name=name)
    click.echo(f"Pool {name} deleted.")


@pools.command("import")
@click.argument("file")
@shared_options
@pass_session
def import_pools(session: Session, file: str) -> None:
    """Set all pools of a JSON or YAML file: {"name": {"slots": 5, "description": "", "include_deferred": false}}."""
    done = session.call("import_pools", pools=read_named(file))
    click.echo(f"{len(done['imported'])} pools set.")


@pools.command("export")
@click.argument("file")
@shared_options
@pass_session
def export(session: Session, file: str) -> None:
    """Write all pools to a JSON or YAML file ("-": to the terminal)."""
    named = {
        row["name"]: {name: row[name] for name in ("slots", "description", "include_deferred")}
        for row in session.call("list_pools")
    }
    write_named(file, format_named(named, file, "yaml" if file.endswith((".yaml", ".yml")) else "json"), "Pools")
