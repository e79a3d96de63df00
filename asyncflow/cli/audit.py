"""`asyncflow audit`: what people changed, through the pages and the command line."""

from __future__ import annotations

from typing import Any

import click

from asyncflow.cli.output import output_option, print_rows
from asyncflow.cli.session import Session, iso_moment, pass_session, shared_options
from asyncflow.errors import InvalidInput

_COLUMNS = ("at", "by", "action", "dag_id", "run_id", "task_id", "touched", "error")
_ALL = ("id", "at", "via", "who", *_COLUMNS[2:6], "map_index", "arguments", "touched", "error")


@click.command("audit")
@click.option("-d", "--dag-id", help="Only what was done to this DAG.")
@click.option("-r", "--run-id", help="Only what was done to this run; needs --dag-id.")
@click.option("-t", "--task-id", help="Only what was done to this task; needs --dag-id.")
@click.option("--via", type=click.Choice(["ui", "cli"]), help="Only what was done through the pages, or by commands.")
@click.option("--action", metavar="NAME", help="Only this action, such as clear_tasks.")
@click.option("-s", "--start-date", metavar="DATE", callback=iso_moment, help="Only what was done since.")
@click.option("-e", "--end-date", metavar="DATE", callback=iso_moment, help="Only what was done until.")
@click.option("-q", "--text", help="Only lines with this text in an argument or a name.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="So many, latest first.")
@shared_options
@output_option
@pass_session
def audit(
    session: Session,
    dag_id: str | None,
    run_id: str | None,
    task_id: str | None,
    via: str | None,
    action: str | None,
    start_date: str | None,
    end_date: str | None,
    text: str | None,
    limit: int,
    output: str,
) -> None:
    """List what people changed, the latest first; json and yaml have the arguments too."""
    if (run_id or task_id) and not dag_id:
        raise InvalidInput("--run-id and --task-id need --dag-id.")
    session.reads_dags = False
    lines = session.call(
        "list_audit",
        dag_id=dag_id,
        run_id=run_id,
        task_id=task_id,
        via=via,
        action=action,
        start=start_date,
        end=end_date,
        text=text,
        limit=limit,
    )
    columns = _ALL if output in ("json", "yaml") else _COLUMNS
    print_rows([_row(line) for line in lines], output, columns=columns, empty="Nothing was changed.")


def _row(line: dict[str, Any]) -> dict[str, Any]:
    by = f"{line['who']} ({line['via']})" if line["who"] else line["via"]
    copy = f"[{line['map_index']}]" if line["map_index"] >= 0 else ""
    return {**line, "by": by, "task_id": f"{line['task_id']}{copy}"}
