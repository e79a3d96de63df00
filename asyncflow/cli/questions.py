"""`asyncflow tasks list-required-actions` and `asyncflow tasks answer`: tasks that wait for a person."""

from __future__ import annotations

from typing import Any

import click

from asyncflow.cli.arguments import dag_argument, task_argument
from asyncflow.cli.output import output_option, print_rows
from asyncflow.cli.session import Session, json_object, pass_session, shared_options
from asyncflow.errors import Conflict, InvalidInput

_COLUMNS = ("dag_id", "run_id", "task_id", "map_index", "subject", "options", "until")


@click.command("list-required-actions")
@click.option("-d", "--dag-id", help="Only of this DAG.")
@shared_options
@output_option
@pass_session
def list_required_actions(session: Session, dag_id: str | None, output: str) -> None:
    """List the task instances that wait for a person, those first whose time is up first."""
    rows = [row for row in session.call("list_questions") if dag_id in (None, row["dag_id"])]
    columns = (*_COLUMNS, "multiple", "assigned") if output in ("json", "yaml") else _COLUMNS
    print_rows(rows, output, columns=columns, empty="No task waits for a person.")


@click.command("answer")
@dag_argument
@task_argument
@click.argument("date_or_run_id")
@click.option("--map-index", type=int, default=-1, help="Which copy of a mapped task.")
@click.option("-o", "--option", "options", multiple=True, metavar="NAME", help="The option chosen; may be repeated.")
@click.option("-p", "--params", callback=json_object, help="JSON object with the values of the question's params.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@shared_options
@pass_session
def answer(
    session: Session,
    dag_id: str,
    task_id: str,
    date_or_run_id: str,
    map_index: int,
    options: tuple[str, ...],
    params: dict[str, Any] | None,
    yes: bool,
) -> None:
    """Answer a task that waits for a person: an approval, a choice, an entry. Without --option it says what it asks."""
    run_id = session.run_of(dag_id, date_or_run_id)["run_id"]
    where = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
    rows = session.call("list_questions")
    question = next((row for row in rows if all(row[name] == value for name, value in where.items())), None)
    if question is None:
        raise Conflict(f"The task {task_id!r} of run {run_id} does not wait for an answer now.")
    if not options and len(question["options"]) == 1:
        options = tuple(question["options"])
    if not options:
        choices = " ".join(f'--option "{name}"' for name in question["options"])
        raise InvalidInput(f"{question['subject']} Answer it with one of: {choices}")
    if not yes:
        click.confirm(f"{question['subject']} {', '.join(options)}?", abort=True, err=True)
    session.call("answer_task", **where, options=list(options), params=params or {})
    click.echo(f"Answered {task_id} of {run_id}: {', '.join(options)}.")
