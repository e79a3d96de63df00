"""Commands that run a DAG or a task right here: no server, no database written, the log on the terminal."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import click

from asyncflow.cli.dagfolder import dag_info, load_dag
from asyncflow.cli.output import output_option, print_mapping, print_rows
from asyncflow.cli.session import (
    ExitCode,
    Failure,
    Session,
    json_object,
    moment_or_none,
    pass_session,
    shared_options,
)
from asyncflow.errors import NotFound

Function = TypeVar("Function", bound=Callable[..., Any])


def _task_arguments(function: Function) -> Function:
    for option in (
        click.argument("date_or_run_id", required=False, metavar="[DATE|RUN_ID]"),
        click.argument("task_id"),
        click.argument("dag_id"),
        click.option("--map-index", type=int, default=-1, help="Which copy of a mapped task."),
        shared_options,
    ):
        function = option(function)
    return function


@click.command("test")
@click.option("-t", "--task-params", callback=json_object, help="JSON object: params of the task, for this time.")
@click.option("--env-vars", callback=json_object, help="JSON object: environment variables, for this time.")
@click.option("-n", "--dry-run", is_flag=True, help="Render the templates, run nothing.")
@_task_arguments
@pass_session
def test(
    session: Session,
    dag_id: str,
    task_id: str,
    date_or_run_id: str | None,
    map_index: int,
    task_params: dict[str, Any] | None,
    env_vars: dict[str, Any] | None,
    dry_run: bool,
) -> None:
    """Run one task right here, whatever its upstream; exits 1 if it fails.

    The log goes to the terminal and pdb works. A sensor pokes once. Nothing is retried or recorded.
    """
    from asyncflow.testing.player import run_one

    os.environ.update({name: str(value) for name, value in (env_vars or {}).items()})
    dag = load_dag(session.settings, dag_id)
    _require_task(dag, task_id)
    date, run_id = _date_and_run_id(session, date_or_run_id)
    if dry_run:
        _print_rendered(_render(dag, task_id, date, run_id, map_index), "table")
        return
    result = run_one(dag, task_id, date, run_id=run_id, map_index=map_index, task_params=task_params)
    if result.outcome == "failed":
        raise Failure(f"{dag_id}.{task_id} failed: {result.error}")
    click.echo(f"{dag_id}.{task_id}: {result.outcome}", err=True)


@click.command("render")
@_task_arguments
@output_option
@pass_session
def tasks_render(
    session: Session, dag_id: str, task_id: str, date_or_run_id: str | None, map_index: int, output: str
) -> None:
    """Show the template fields of a task as a run would have them; nothing is executed."""
    dag = load_dag(session.settings, dag_id)
    _require_task(dag, task_id)
    date, run_id = _date_and_run_id(session, date_or_run_id)
    _print_rendered(_render(dag, task_id, date, run_id, map_index), output)


def _render(dag: Any, task_id: str, date: datetime | None, run_id: str | None, map_index: int) -> dict[str, Any]:
    from asyncflow.testing.render import render_one

    try:
        return render_one(dag, task_id, date, map_index=map_index, run_id=run_id)
    except Exception as error:  # the template's or the macro's own
        raise Failure(f"{dag.dag_id}.{task_id} cannot be rendered: {type(error).__name__}: {error}") from error


def _print_rendered(fields: dict[str, Any], output: str) -> None:
    if output != "table":
        print_mapping(fields, output)
        return
    for name, value in fields.items():
        click.echo(f"# {name}\n{value if isinstance(value, str) else json.dumps(value)}\n")


@click.command("test")
@click.argument("dag_id")
@click.argument("date", required=False)
@click.option("-c", "--conf", callback=json_object, help="JSON object that tasks see as dag_run.conf.")
@shared_options
@output_option
@pass_session
def dags_test(session: Session, dag_id: str, date: str | None, conf: dict[str, Any] | None, output: str) -> None:
    """Run a whole DAG right here, one task after the other; exits 1 if the run fails.

    The log goes to the terminal (to stderr with other outputs than table). Retry delays are jumped over.
    """
    from asyncflow.testing.memory import MemoryApi
    from asyncflow.testing.player import play

    logical_date, run_id = _date_and_run_id(session, date)
    if date is not None and logical_date is None:
        raise click.BadParameter(f"{date!r} is not a date: write 2024-01-31 or 2024-01-31T10:00:00+00:00.")
    with _stdout_for_the_result(output != "table"):
        dag = load_dag(session.settings, dag_id)
        api = MemoryApi(find_dag=partial(dag_info, session.settings))
        played = play(dag, logical_date, conf=conf, run_id=run_id, api=api)
    if output == "json":
        # null for a task that was never looked at, as everywhere in JSON
        states = {name: None if state == "none" else state for name, state in played.tasks.items()}
        click.echo(json.dumps({"state": played.state, "tasks": states}))
    else:
        rows = [{"task": name, "state": state, "tries": played.tries[name]} for name, state in played.tasks.items()]
        print_rows(rows, output, columns=("task", "state", "tries"))
        click.echo(f"{played.run_id}: {played.state}", err=output != "table")
    if played.state != "success":
        raise click.exceptions.Exit(ExitCode.FAILED)


@contextlib.contextmanager
def _stdout_for_the_result(wanted: bool) -> Iterator[None]:
    """Inside, whatever this process and its children print goes to stderr, so that stdout holds the result alone."""
    if not wanted:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _require_task(dag: Any, task_id: str) -> None:
    if task_id not in dag.task_dict:
        raise NotFound(f"task of {dag.dag_id} called", task_id, dag.task_dict)


def _date_and_run_id(session: Session, text: str | None) -> tuple[datetime | None, str | None]:
    """What the argument is: a date, or else the name of a run that exists for this command alone."""
    if text is None:
        return None, None
    moment = moment_or_none(text, session.settings.default_timezone)
    return (moment, None) if moment else (None, text)
