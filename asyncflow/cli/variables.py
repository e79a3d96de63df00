"""`asyncflow variables ...`: Airflow's commands for Variables."""

from __future__ import annotations

import json
from typing import Any

import click

from asyncflow.cli.app import Group
from asyncflow.cli.namedfiles import format_named, read_named, write_named
from asyncflow.cli.output import output_option, print_rows
from asyncflow.cli.session import Session, pass_session, shared_options
from asyncflow.config import secret_from_environment
from asyncflow.engine.named import exported, variables_in
from asyncflow.errors import InvalidInput, NotFound


@click.group(cls=Group)
@shared_options
@pass_session
def variables(session: Session) -> None:
    """List, set, import and export Variables."""
    session.reads_dags = False


@variables.command("list")
@click.option("--show-values", is_flag=True, help="Show values and descriptions too; secrets read ***.")
@shared_options
@output_option
@pass_session
def list_variables(session: Session, show_values: bool, output: str) -> None:
    """List the keys of all stored Variables."""
    columns = ("key", "value", "description") if show_values else ("key",)
    print_rows(session.call("list_variables"), output, columns=columns, empty="No Variables.")


@variables.command("get")
@click.argument("key")
@click.option("-j", "--json", "as_json", is_flag=True, help="The value is JSON: check it, and print it as such.")
@click.option("-d", "--default", metavar="VAL", help="Print this if there is no such Variable.")
@shared_options
@pass_session
def get(session: Session, key: str, as_json: bool, default: str | None) -> None:
    """Print the value of a Variable, as tasks would get it: one of the environment wins."""
    value = secret_from_environment("VAR", key)
    if value is None:
        try:
            value = session.call("get_variable", key=key, reveal=True)["value"]
        except NotFound:
            if default is None:
                raise
            click.echo(default)
            return
    click.echo(json.dumps(_json(value, key)) if as_json else value)


def _json(text: str, key: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"The value of {key} is not JSON: {error}.") from None


@variables.command("set")
@click.argument("key")
@click.argument("value")
@click.option("--description", help="What it is for.")
@click.option("-j", "--json", "as_json", is_flag=True, help="Store the value as a JSON text, in quotes.")
@shared_options
@pass_session
def set_variable(session: Session, key: str, value: str, description: str | None, as_json: bool) -> None:
    """Make or change a Variable. DAG files that read it while they are loaded are loaded again."""
    text = json.dumps(value, indent=2) if as_json else value
    session.call("set_variable", key=key, value=text, description=description)
    click.echo(f"Variable {key} set.")


@variables.command("delete")
@click.argument("key")
@shared_options
@pass_session
def delete(session: Session, key: str) -> None:
    """Delete a Variable."""
    session.call("delete_variable", key=key)
    click.echo(f"Variable {key} deleted.")


@variables.command("import")
@click.argument("file")
@click.option(
    "-a",
    "--action-on-existing-key",
    "on_conflict",
    type=click.Choice(["overwrite", "fail", "skip"]),
    default="overwrite",
    show_default=True,
    help="What to do with keys that exist already.",
)
@shared_options
@pass_session
def import_variables(session: Session, file: str, on_conflict: str) -> None:
    """Set all Variables of a JSON, YAML or .env file: names with values, which are stored as JSON unless texts."""
    given = variables_in(read_named(file), file)
    done = session.call("import_variables", variables=given, on_conflict=on_conflict)
    click.echo(f"{len(done['imported'])} of {len(given)} Variables set.")
    if done["skipped"]:
        click.echo(f"Left alone, because they exist already: {', '.join(done['skipped'])}.")


@variables.command("export")
@click.argument("file")
@shared_options
@pass_session
def export(session: Session, file: str) -> None:
    """Write all stored Variables to a JSON or YAML file ("-": to the terminal). Values that are JSON are written so."""
    named = {row["key"]: exported(row["value"]) for row in session.call("list_variables", reveal=True)}
    write_named(file, format_named(named, file, "yaml" if file.endswith((".yaml", ".yml")) else "json"), "Variables")
