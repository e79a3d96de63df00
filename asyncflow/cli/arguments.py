"""Arguments and options that several groups share, with shell completion of dag and task ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from asyncflow.cli.session import Session, iso_moment
from asyncflow.errors import AsyncflowError

Function = TypeVar("Function", bound=Callable[..., Any])


def _complete_dag(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [dag_id for dag_id in _known(ctx, "list_dags", "dag_id") if dag_id.startswith(incomplete)]


def _complete_task(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    try:
        dag = ctx.ensure_object(Session).call("get_dag", dag_id=ctx.params.get("dag_id", ""))
    except AsyncflowError:
        return []
    return [task["task_id"] for task in dag["tasks"] if task["task_id"].startswith(incomplete)]


def _known(ctx: click.Context, method: str, field: str) -> list[str]:
    try:
        return [row[field] for row in ctx.ensure_object(Session).call(method)]
    except AsyncflowError:  # a shell that asks for completions has no place to show a sentence
        return []


dag_argument = click.argument("dag_id", shell_complete=_complete_dag)
task_argument = click.argument("task_id", shell_complete=_complete_task)


def date_range_options(function: Function) -> Function:
    """Adds -s/--start-date and -e/--end-date, both inclusive."""
    for option in (
        click.option("-e", "--end-date", metavar="DATE", callback=iso_moment, help="Latest logical date."),
        click.option("-s", "--start-date", metavar="DATE", callback=iso_moment, help="Earliest logical date."),
    ):
        function = option(function)
    return function
