"""`asyncflow config ...`: the settings in force and where each can be set."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from asyncflow.cli.app import Group
from asyncflow.cli.output import output_option, print_rows
from asyncflow.cli.session import Session, pass_session, shared_options
from asyncflow.config import shown_value
from asyncflow.errors import NotFound


@click.group(cls=Group)
@shared_options
def config() -> None:
    """Show settings."""


@config.command("list")
@shared_options
@output_option
@pass_session
def list_settings(session: Session, output: str) -> None:
    """List every setting, its value, where that came from, and Airflow's name for it."""
    print_rows(_rows(session), output, columns=("name", "value", "source", "airflow_name", "description"))


@config.command("get-value")
@click.argument("section_or_name")
@click.argument("key", required=False)
@shared_options
@pass_session
def get_value(session: Session, section_or_name: str, key: str | None) -> None:
    """Print one setting, by its name or by Airflow's section and key."""
    wanted = f"{section_or_name}.{key}" if key else section_or_name
    rows = _rows(session)
    for row in rows:
        if wanted in (row["name"], row["airflow_name"]):
            click.echo(row["value"])
            return
    raise NotFound("setting", wanted, [name for row in rows for name in (row["name"], row["airflow_name"]) if name])


def _rows(session: Session) -> list[dict[str, Any]]:
    settings = session.settings
    return [
        {
            "name": item.name,
            "value": shown_value(settings, item.name),
            "source": " ".join(session.origins[item.name]).strip(),
            "airflow_name": item.metadata["airflow"] or None,
            "description": item.metadata["doc"],
        }
        for item in fields(settings)
    ]
