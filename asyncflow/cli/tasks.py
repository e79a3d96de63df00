"""`asyncflow tasks ...`: tasks of a DAG and their instances."""

from __future__ import annotations

import re
from typing import Any

import click

from asyncflow.cli.app import Group
from asyncflow.cli.arguments import dag_argument, date_range_options, task_argument
from asyncflow.cli.output import output_option, print_rows
from asyncflow.cli.session import Session, pass_session, shared_options
from asyncflow.errors import InvalidInput, NotFound

_STATE_COLUMNS = ("dag_id", "logical_date", "task_id", "state", "try_number", "start_date", "end_date")
_LOG_PART = 1_000_000  #: bytes asked for at once
map_index_option = click.option("--map-index", type=int, default=-1, help="Which copy of a mapped task.")


@click.group(
    cls=Group,
    lazy={
        "test": "asyncflow.cli.testing:test",
        "render": "asyncflow.cli.testing:tasks_render",
        "list-required-actions": "asyncflow.cli.questions:list_required_actions",
        "answer": "asyncflow.cli.questions:answer",
    },
)
@shared_options
def tasks() -> None:
    """List, test, clear and examine tasks."""


@tasks.command("list")
@dag_argument
@click.option("-t", "--tree", is_flag=True, help="Print the tasks as an indented tree.")
@shared_options
@output_option
@pass_session
def list_tasks(session: Session, dag_id: str, tree: bool, output: str) -> None:
    """List the tasks of a DAG."""
    from asyncflow.cli.graphs import as_tree

    dag = session.call("get_dag", dag_id=dag_id)
    if tree:
        click.echo(as_tree(dag["tasks"]), nl=False)
    elif output == "table":
        for name in sorted(task["task_id"] for task in dag["tasks"]):
            click.echo(name)
    else:
        print_rows(dag["tasks"], output, columns=("task_id", "operator", "trigger_rule", "upstream", "downstream"))


@tasks.command("state")
@dag_argument
@task_argument
@click.argument("date_or_run_id")
@map_index_option
@shared_options
@pass_session
def state(session: Session, dag_id: str, task_id: str, date_or_run_id: str, map_index: int) -> None:
    """Print the state of a task instance."""
    click.echo(str(_instance(session, dag_id, task_id, date_or_run_id, map_index)["state"]))


@tasks.command("why")
@dag_argument
@task_argument
@click.argument("date_or_run_id")
@map_index_option
@shared_options
@pass_session
def why(session: Session, dag_id: str, task_id: str, date_or_run_id: str, map_index: int) -> None:
    """Say why a task instance waits, in one sentence."""
    found = _instance(session, dag_id, task_id, date_or_run_id, map_index)
    click.echo(found["why"] or f"It does not wait: its state is {found['state']}.")


@tasks.command("logs")
@dag_argument
@task_argument
@click.argument("date_or_run_id")
@map_index_option
@click.option("--try-number", type=click.IntRange(1), help="Which try; the last one if not given.")
@shared_options
@pass_session
def logs(
    session: Session, dag_id: str, task_id: str, date_or_run_id: str, map_index: int, try_number: int | None
) -> None:
    """Print the log of a try."""
    run_id = session.run_of(dag_id, date_or_run_id)["run_id"]
    where = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index, "try_number": try_number}
    offset, size = 0, 1
    while offset < size:
        part = session.call("read_log", **where, offset=offset, limit=_LOG_PART)
        click.echo(part["text"], nl=False)
        offset, size = offset + _LOG_PART, part["size"]


def _instance(session: Session, dag_id: str, task_id: str, date_or_run_id: str, map_index: int) -> dict[str, Any]:
    _require_task(session, dag_id, task_id)
    run_id = session.run_of(dag_id, date_or_run_id)["run_id"]
    found = session.call("get_task_instance", dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
    return dict(found)


def _require_task(session: Session, dag_id: str, task_id: str) -> None:
    known = [task["task_id"] for task in session.call("get_dag", dag_id=dag_id)["tasks"]]
    if task_id not in known:
        raise NotFound(f"task of {dag_id} called", task_id, known)


@tasks.command("states-for-dag-run")
@dag_argument
@click.argument("date_or_run_id")
@shared_options
@output_option
@pass_session
def states_for_dag_run(session: Session, dag_id: str, date_or_run_id: str, output: str) -> None:
    """List the state of every task instance of a run."""
    session.call("get_dag", dag_id=dag_id)
    run = session.call("get_run", dag_id=dag_id, run_id=session.run_of(dag_id, date_or_run_id)["run_id"])
    rows = [
        {**ti, "logical_date": run["logical_date"], "start_date": ti["started_at"], "end_date": ti["ended_at"]}
        for ti in run["tasks"]
    ]
    mapped = any(ti["map_index"] >= 0 for ti in rows)
    columns = (*_STATE_COLUMNS[:3], "map_index", *_STATE_COLUMNS[3:]) if mapped else _STATE_COLUMNS
    print_rows(rows, output, columns=columns)


@tasks.command("clear")
@dag_argument
@click.option("-t", "--task-regex", help="Only tasks whose id the pattern matches.")
@click.option("-r", "--only-running", is_flag=True, help="Only instances that run.")
@click.option("-f", "--only-failed", is_flag=True, help="Only instances that failed.")
@click.option("-d", "--downstream", is_flag=True, help="Tasks after them too.")
@click.option("-u", "--upstream", is_flag=True, help="Tasks before them too.")
@click.option("-R", "--dag-regex", is_flag=True, help="The dag id is a pattern: clear in every DAG it matches.")
@click.option("--run-id", help="Only this run.")
@click.option("--dry-run", is_flag=True, help="Only list what would be cleared.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-x", "--exclude-subdags", is_flag=True, help="Leave out what ExternalTaskMarkers lead to.")
@click.option("-X", "--exclude-parentdag", is_flag=True, hidden=True)  # Airflow's; a SubDAG is a group here
@click.option("-v", "--verbose", is_flag=True, hidden=True, expose_value=False)
@date_range_options
@shared_options
@pass_session
def clear(
    session: Session,
    /,
    dag_id: str,
    dag_regex: bool,
    dry_run: bool,
    yes: bool,
    exclude_subdags: bool,
    exclude_parentdag: bool,
    **chosen: Any,
) -> None:
    """Put task instances back to no state, so that they run again."""
    params = {**chosen, "start": chosen["start_date"], "end": chosen["end_date"], "recursive": not exclude_subdags}
    del params["start_date"], params["end_date"]
    _check_pattern(params["task_regex"])
    names = _dags_matching(session, dag_id) if dag_regex else [dag_id]
    if dry_run or not yes:
        plans = [session.call("clear_tasks", dag_id=name, dry_run=True, **params) for name in names]
        touched = [key for plan in plans for key in plan["tasks"]]
        _warn_of_unresolved(plans)
        for key in touched:
            click.echo(_key_text(key))
        if not touched:
            click.echo("Nothing to clear.")
        if dry_run or not touched:
            return
        click.confirm(f"Clear these {len(touched)} task instances?", abort=True)
    count = sum(session.call("clear_tasks", dag_id=name, dry_run=False, **params)["count"] for name in names)
    click.echo(f"Cleared {count} task instance{'' if count == 1 else 's'}.")


def _warn_of_unresolved(plans: list[dict[str, Any]]) -> None:
    for plan in plans:
        for key in plan.get("unresolved", ()):
            click.echo(
                f"{_key_text(key)}: the date it marks is not known here, nothing beyond it is cleared.", err=True
            )


@tasks.command("mark")
@dag_argument
@task_argument
@click.argument("date_or_run_id")
@click.option("--state", type=click.Choice(["success", "failed", "skipped"]), required=True, help="The new state.")
@click.option(
    "--map-index", "map_indexes", type=int, multiple=True, help="Only this copy of a mapped task (repeatable)."
)
@click.option("-u", "--upstream", is_flag=True, help="Tasks before it too.")
@click.option("-d", "--downstream", is_flag=True, help="Tasks after it too.")
@click.option("--past", is_flag=True, help="In earlier runs too.")
@click.option("--future", is_flag=True, help="In later runs too.")
@click.option("--dry-run", is_flag=True, help="Only list what would be marked.")
@shared_options
@pass_session
def mark(
    session: Session,
    /,
    dag_id: str,
    task_id: str,
    date_or_run_id: str,
    map_indexes: tuple[int, ...],
    dry_run: bool,
    **chosen: Any,
) -> None:
    """Set task instances to a state, whatever they are; TASK_ID may be a task group. What runs is ended."""
    run_id = session.run_of(dag_id, date_or_run_id)["run_id"]
    params = {"run_id": run_id, "task_id": task_id, "map_indexes": list(map_indexes) or None, **chosen}
    plan = session.call("mark_tasks", dag_id=dag_id, dry_run=dry_run, **params)
    for key in plan["tasks"]:
        click.echo(_key_text(key))
    word = "Would mark" if dry_run else "Marked"
    click.echo(f"{word} {plan['count']} task instance{'' if plan['count'] == 1 else 's'} {chosen['state']}.")


def _check_pattern(text: str | None) -> None:
    try:
        re.compile(text or "")
    except re.error as error:
        raise InvalidInput(f"{text!r} is not a regular expression: {error}.") from error


def _dags_matching(session: Session, text: str) -> list[str]:
    _check_pattern(text)
    known = [dag["dag_id"] for dag in session.call("list_dags")]
    found = [name for name in known if re.search(text, name)]
    if not found:
        raise NotFound("DAG that matches", text, known)
    return found


def _key_text(key: list[Any]) -> str:
    dag_id, run_id, task_id, map_index = key
    return f"{dag_id}  {run_id}  {task_id}" + (f"[{map_index}]" if map_index >= 0 else "")
