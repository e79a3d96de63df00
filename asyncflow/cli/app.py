"""The root command and the two click classes behind all groups: lazy loading, near names, errors as sentences."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

import click

from asyncflow.cli.session import Session, failure_of, sentence_in, shared_options


class Group(click.Group):
    """A group that imports a command's module when the command is used, and offers near names for a wrong one.

    `lazy` maps a command's name to "module:attribute".
    """

    def __init__(self, *args: Any, lazy: dict[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=3)
            hint = (
                f" Did you mean {' or '.join(near)}?" if near else f" There are: {', '.join(self.list_commands(ctx))}."
            )
            ctx.fail(f"There is no command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            known = sentence_in(error)
            if known is None:
                raise
            raise failure_of(known) from error


_COMMANDS = {
    "serve": "asyncflow.cli.serve:serve",
    "test": "asyncflow.cli.testing:test",
    "dags": "asyncflow.cli.dags:dags",
    "tasks": "asyncflow.cli.tasks:tasks",
    "datasets": "asyncflow.cli.datasets:datasets",
    "assets": "asyncflow.cli.datasets:datasets",
    "connections": "asyncflow.cli.connections:connections",
    "variables": "asyncflow.cli.variables:variables",
    "pools": "asyncflow.cli.pools:pools",
    "audit": "asyncflow.cli.audit:audit",
    "plugins": "asyncflow.cli.packages:plugins",
    "providers": "asyncflow.cli.packages:providers",
    "db": "asyncflow.cli.db:db",
    "config": "asyncflow.cli.settings:config",
    "info": "asyncflow.cli.info:info",
    "version": "asyncflow.cli.info:version",
    "completion": "asyncflow.cli.info:completion",
}


@click.group(cls=Group, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@shared_options
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Airflow's DAG files, on one host, from one process."""
    ctx.call_on_close(ctx.ensure_object(Session).close)
