"""`asyncflow version`, `info` and `completion`."""

from __future__ import annotations

import click

from asyncflow.cli.output import output_option, print_mapping
from asyncflow.cli.session import Session, pass_session, shared_options


@click.command()
@shared_options
def version() -> None:
    """Print the version."""
    from asyncflow import __version__

    click.echo(__version__)


@click.command()
@shared_options
@output_option
@pass_session
def info(session: Session, output: str) -> None:
    """Show versions, paths and whether a server runs: what a bug report needs."""
    import platform
    import sqlite3
    import sys

    from asyncflow import __version__
    from asyncflow.errors import ServerUnreachable
    from asyncflow.worker.client import Client

    settings = session.settings
    try:
        Client(settings.socket).call("version")
        server = "running"
    except (ServerUnreachable, OSError):
        server = "not running"
    print_mapping(
        {
            "version": __version__,
            "server": server,
            "home": str(settings.home),
            "dags": str(settings.dags),
            "database": str(settings.database),
            "logs": str(settings.logs),
            "executor": settings.executor,
            "slots": settings.slots,
            "python": platform.python_version(),
            "python_path": sys.executable,
            "sqlite": sqlite3.sqlite_version,
            "platform": platform.platform(),
        },
        output,
    )


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@shared_options
def completion(shell: str) -> None:
    """Print the completion script of a shell: eval "$(asyncflow completion bash)"."""
    from click.shell_completion import get_completion_class

    from asyncflow.cli.app import cli

    kind = get_completion_class(shell)
    if kind is None:  # click was built without it
        raise click.ClickException(f"This version of click has no completion for {shell}.")
    click.echo(kind(cli, {}, "asyncflow", "_ASYNCFLOW_COMPLETE").source())
