"""`asyncflow plugins` and `asyncflow providers ...`: Airflow's commands for what packages add. They need no server."""

from __future__ import annotations

import click
import msgspec

from asyncflow.cli.app import Group
from asyncflow.cli.output import output_option, print_rows
from asyncflow.cli.session import Session, pass_session, shared_options
from asyncflow.core.inventory import Inventory


@click.command()
@shared_options
@output_option
@pass_session
def plugins(session: Session, output: str) -> None:
    """List all plugins, where they come from and what they bring."""
    found = _inventory(session)
    rows = [
        {"name": it.name, "source": it.source, **{kind: ", ".join(names) for kind, names in it.provides.items()}}
        for it in found.plugins
    ]
    kinds = dict.fromkeys(kind for it in found.plugins for kind in it.provides)
    print_rows(rows, output, columns=("name", "source", *kinds), empty="No plugins.")
    _complain(found)


@click.group(cls=Group)
@shared_options
def providers() -> None:
    """List provider packages."""


@providers.command("list")
@shared_options
@output_option
@pass_session
def list_providers(session: Session, output: str) -> None:
    """List all installed provider packages."""
    found = _inventory(session)
    rows = [
        {
            "package_name": it.package,
            "description": it.description,
            "version": it.version,
            "connection_types": ", ".join(it.connection_types),
        }
        for it in found.providers
    ]
    columns = ("package_name", "description", "version", "connection_types")
    print_rows(rows, output, columns=columns, empty="No provider packages are installed.")
    _complain(found)


def _inventory(session: Session) -> Inventory:
    """What a process of its own finds: plugins may do anything while they are imported."""
    import anyio

    from asyncflow.executors.host import orders
    from asyncflow.executors.oneshot import ask_child

    question = msgspec.json.encode(orders(session.settings, "", "", "bare", None))
    answer = anyio.run(ask_child, "asyncflow.worker.inventory", question, 60.0)
    return msgspec.json.decode(answer, type=Inventory)


def _complain(found: Inventory) -> None:
    for text in found.errors:
        click.echo(text, err=True)
