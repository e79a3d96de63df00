"""`asyncflow dags ...`: everything about whole DAGs and their runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from asyncflow.cli.app import Group
from asyncflow.cli.arguments import dag_argument, date_range_options
from asyncflow.cli.output import output_option, pick_columns, print_mapping, print_rows
from asyncflow.cli.session import (
    ExitCode,
    Session,
    iso_moment,
    json_object,
    moment_or_none,
    pass_session,
    shared_options,
)
from asyncflow.errors import Conflict, NotFound

_LIST_DEFAULT = ("dag_id", "fileloc", "owners", "is_paused", "schedule", "next_run", "last_run_state")
_LIST_ALL = (
    *_LIST_DEFAULT,
    "description",
    "tags",
    "timezone",
    "last_run_id",
    "max_active_runs",
    "max_active_tasks",
    "catchup",
    "waits_for",
)
_RUN_COLUMNS = ("dag_id", "run_id", "state", "run_type", "logical_date", "start_date", "end_date", "duration")


@click.group(
    cls=Group,
    lazy={
        "test": "asyncflow.cli.testing:dags_test",
        "backfill": "asyncflow.cli.backfill:backfill",
        "list-backfills": "asyncflow.cli.backfill:list_backfills",
        "cancel-backfill": "asyncflow.cli.backfill:cancel_backfill",
        "pause-backfill": "asyncflow.cli.backfill:pause_backfill",
        "resume-backfill": "asyncflow.cli.backfill:resume_backfill",
    },
)
@shared_options
def dags() -> None:
    """List, run, pause and examine DAGs."""


@dags.command("list")
@click.option("--columns", help=f"Comma-separated columns, of: {', '.join(_LIST_ALL)}.")
@shared_options
@output_option
@pass_session
def list_dags(session: Session, columns: str | None, output: str) -> None:
    """List all DAGs."""
    picked = pick_columns(columns, _LIST_ALL, _LIST_DEFAULT)
    rows = [_dag_row(dag) for dag in session.call("list_dags")]
    print_rows(rows, output, columns=picked, empty=f"No DAGs in {session.settings.dags}.")
    errors = session.call("list_import_errors")
    if errors:
        click.echo(f"{len(errors)} DAG file(s) cannot be loaded: asyncflow dags list-import-errors", err=True)


def _dag_row(dag: dict[str, Any]) -> dict[str, Any]:
    last = dag["last_run"] or {}
    return {
        **dag,
        "fileloc": dag["file"],
        "owners": dag["owner"],
        "is_paused": dag["paused"],
        "next_run": dag["next_run_after"],
        "last_run_state": last.get("state"),
        "last_run_id": last.get("run_id"),
        "waits_for": [uri for uri, at in dag["datasets"].items() if at is None],
    }


@dags.command("show")
@dag_argument
@click.option("-s", "--save", type=click.Path(path_type=Path), help="Write the graph to this file (.dot).")
@click.option("--tree", is_flag=True, help="Print the tasks as an indented tree instead.")
@shared_options
@pass_session
def show(session: Session, dag_id: str, save: Path | None, tree: bool) -> None:
    """Print a DAG's tasks and edges in the DOT language of graphviz."""
    from asyncflow.cli.graphs import as_dot, as_tree

    dag = session.call("get_dag", dag_id=dag_id)
    text = as_tree(dag["tasks"]) if tree else as_dot(dag)
    if save is None:
        click.echo(text, nl=False)
        return
    try:
        save.write_text(text)
    except OSError as error:
        raise click.ClickException(f"{save} cannot be written: {error.strerror}.") from error
    click.echo(f"Written to {save}.", err=True)


@dags.command("details")
@dag_argument
@shared_options
@output_option
@pass_session
def details(session: Session, dag_id: str, output: str) -> None:
    """Show every property of a DAG."""
    dag = session.call("get_dag", dag_id=dag_id)
    if output in ("table", "plain"):
        dag = {**dag, "tasks": [task["task_id"] for task in dag["tasks"]]}
        dag.pop("groups", None)
    print_mapping(dag, output)


@dags.command("trigger")
@dag_argument
@click.option("-c", "--conf", callback=json_object, help="JSON object that the run's tasks see as dag_run.conf.")
@click.option("-r", "--run-id", help="Name of the run; made from the date if not given.")
@click.option(
    "-e",
    "--exec-date",
    "--logical-date",
    "logical_date",
    metavar="DATE",
    callback=iso_moment,
    help="Logical date of the run.",
)
@click.option("--note", help="A remark that is kept with the run.")
@click.option("--no-replace-microseconds", is_flag=True, hidden=True)  # Airflow's; the date is never cut here
@shared_options
@output_option
@pass_session
def trigger(
    session: Session,
    dag_id: str,
    conf: dict[str, Any] | None,
    run_id: str | None,
    logical_date: str | None,
    note: str | None,
    no_replace_microseconds: bool,
    output: str,
) -> None:
    """Start a run of a DAG now."""
    run = session.call(
        "trigger_dag", dag_id=dag_id, run_id=run_id, logical_date=logical_date, conf=conf, note=note, triggered_by="cli"
    )
    print_rows([_run_row(run)], output, columns=("conf", *_RUN_COLUMNS[:5]))
    if _is_paused(session, dag_id):
        click.echo(f"{dag_id} is paused: the run waits. Start it with: asyncflow dags unpause {dag_id}", err=True)


def _is_paused(session: Session, dag_id: str) -> bool:
    return bool(session.call("get_dag", dag_id=dag_id)["paused"])


def _run_row(run: dict[str, Any]) -> dict[str, Any]:
    return {**run, "start_date": run["started_at"], "end_date": run["ended_at"]}


@dags.command("pause")
@dag_argument
@click.option("--treat-dag-id-as-regex", is_flag=True, help="Pause every DAG whose id the pattern matches.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@shared_options
@output_option
@pass_session
def pause(session: Session, dag_id: str, treat_dag_id_as_regex: bool, yes: bool, output: str) -> None:
    """Pause a DAG: running tasks end, nothing new starts."""
    for_each = matching_dags(session, dag_id, treat_dag_id_as_regex, yes)
    print_rows([_switch(session, "pause_dag", name) for name in for_each], output, columns=("dag_id", "is_paused"))


@dags.command("unpause")
@dag_argument
@click.option("--treat-dag-id-as-regex", is_flag=True, help="Unpause every DAG whose id the pattern matches.")
@click.option("--missed", type=click.Choice(["none", "latest", "all"]), help="Which runs missed meanwhile to make up.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@shared_options
@output_option
@pass_session
def unpause(
    session: Session, dag_id: str, treat_dag_id_as_regex: bool, missed: str | None, yes: bool, output: str
) -> None:
    """Unpause a DAG: it runs on its schedule."""
    for_each = matching_dags(session, dag_id, treat_dag_id_as_regex, yes)
    extra = {"missed": missed} if missed else {}
    rows = [_switch(session, "unpause_dag", name, **extra) for name in for_each]
    print_rows(rows, output, columns=("dag_id", "is_paused"))


def _switch(session: Session, method: str, dag_id: str, **params: Any) -> dict[str, Any]:
    session.call(method, dag_id=dag_id, **params)
    return {"dag_id": dag_id, "is_paused": method == "pause_dag"}


def matching_dags(session: Session, dag_id: str, as_regex: bool, yes: bool) -> list[str]:
    """The dag ids that are meant; asks before more than one DAG is touched."""
    if not as_regex:
        return [dag_id]
    try:
        pattern = re.compile(dag_id)
    except re.error as error:
        raise click.BadParameter(f"{dag_id!r} is not a regular expression: {error}.") from error
    known = [dag["dag_id"] for dag in session.call("list_dags")]
    found = [name for name in known if pattern.search(name)]
    if not found:
        raise NotFound("DAG that matches", dag_id, known)
    if not yes:
        click.confirm(f"{', '.join(found)}: all {len(found)}?", abort=True, err=True)
    return found


@dags.command("next-execution")
@dag_argument
@click.option("-n", "--num-executions", type=click.IntRange(1, 1000), default=1, show_default=True, help="How many.")
@shared_options
@output_option
@pass_session
def next_execution(session: Session, dag_id: str, num_executions: int, output: str) -> None:
    """Print the next logical dates; other outputs than table show the data interval and due time too."""
    if _is_paused(session, dag_id):
        click.echo(f"{dag_id} is paused now.", err=True)
    runs = session.call("next_runs", dag_id=dag_id, count=num_executions)
    if output != "table":
        print_rows(runs, output, columns=("logical_date", "start", "end", "run_after"))
        return
    for run in runs:
        click.echo(run["logical_date"])
    if not runs:
        click.echo(_why_no_next_run(session.call("get_dag", dag_id=dag_id)), err=True)
        click.echo("None")


def _why_no_next_run(dag: dict[str, Any]) -> str:
    if dag["dataset_condition"] is None:
        return f"{dag['dag_id']} has no next run: its schedule is None, @once and done, or past its end date."
    updated = [uri for uri, at in dag["datasets"].items() if at is not None]
    so_far = f"; so far updated: {', '.join(updated)}" if updated else ""
    return f"{dag['dag_id']} runs when {dag['dataset_condition']} is updated{so_far}."


@dags.command("list-runs")
@click.argument("dag_id_argument", metavar="[DAG_ID]", required=False)
@click.option("-d", "--dag-id", help="The DAG; may be given as an argument too. All DAGs if neither is given.")
@click.option("--state", type=click.Choice(["queued", "running", "success", "failed"]), help="Only runs in this state.")
@click.option("--no-backfill", is_flag=True, help="Leave out backfill runs.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many, latest first.")
@date_range_options
@shared_options
@output_option
@pass_session
def list_runs(
    session: Session,
    dag_id_argument: str | None,
    dag_id: str | None,
    state: str | None,
    no_backfill: bool,
    limit: int,
    start_date: str | None,
    end_date: str | None,
    output: str,
) -> None:
    """List runs."""
    runs = session.call(
        "list_runs", dag_id=dag_id or dag_id_argument, state=state, start=start_date, end=end_date, limit=limit
    )
    rows = [_run_row(run) for run in runs if not (no_backfill and run["run_type"] == "backfill")]
    print_rows(rows, output, columns=_RUN_COLUMNS, empty="No runs.")


@dags.command("list-import-errors")
@shared_options
@output_option
@pass_session
def list_import_errors(session: Session, output: str) -> None:
    """List DAG files that cannot be loaded; exits 1 if there are any."""
    errors = session.call("list_import_errors")
    rows = [{**error, "filepath": error["file"], "error": error["message"]} for error in errors]
    columns = ("filepath", "line", "kind", "error")
    print_rows(rows, output, columns=(*columns, "traceback") if output in ("json", "yaml") else columns)
    if errors:
        raise click.exceptions.Exit(ExitCode.FAILED)
    click.echo("No import errors.", err=True)


@dags.command("state")
@dag_argument
@click.argument("date_or_run_id")
@shared_options
@pass_session
def state(session: Session, dag_id: str, date_or_run_id: str) -> None:
    """Print the state of a run, named by its logical date or run id; None if there is no such run."""
    session.call("get_dag", dag_id=dag_id)
    try:
        run = session.run_of(dag_id, date_or_run_id)
    except NotFound:
        if moment_or_none(date_or_run_id, session.settings.default_timezone) is None:
            raise
        click.echo("None")
        return
    click.echo(run["state"] + (f", {json.dumps(run['conf'])}" if run["conf"] else ""))


@dags.command("mark")
@dag_argument
@click.argument("date_or_run_id")
@click.option("--state", type=click.Choice(["success", "failed", "queued"]), required=True, help="The new state.")
@click.option("--dry-run", is_flag=True, help="Only list the task instances that would change.")
@shared_options
@pass_session
def mark(session: Session, dag_id: str, date_or_run_id: str, state: str, dry_run: bool) -> None:
    """Set the state of a run: success and failed end what runs in it, queued looks at it again."""
    run_id = session.run_of(dag_id, date_or_run_id)["run_id"]
    plan = session.call("mark_run", dag_id=dag_id, run_id=run_id, state=state, dry_run=dry_run)
    for _, _, task_id, map_index in plan["tasks"]:
        click.echo(task_id + (f"[{map_index}]" if map_index >= 0 else ""))
    click.echo(f"{'Would mark' if dry_run else 'Marked'} {run_id} {state}.")


@dags.command("list-sla-misses")
@click.option("-d", "--dag-id", help="Only of this DAG.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many, latest first.")
@shared_options
@output_option
@pass_session
def list_sla_misses(session: Session, dag_id: str | None, limit: int, output: str) -> None:
    """List tasks that missed their SLA, and (without a task) runs that missed a deadline."""
    rows = session.call("list_sla_misses", dag_id=dag_id, limit=limit)
    columns = ("dag_id", "run_id", "task_id", "logical_date", "deadline", "missed_at")
    print_rows(rows, output, columns=columns, empty="Nothing was late.")


@dags.command("delete")
@dag_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@shared_options
@pass_session
def delete(session: Session, dag_id: str, yes: bool) -> None:
    """Delete a DAG's runs and history; the file stays, and the DAG comes back while it is there."""
    if not yes:
        click.confirm(f"Delete all runs and history of {dag_id}?", abort=True, err=True)
    session.call("delete_dag", dag_id=dag_id)
    click.echo(f"Deleted {dag_id}.")


@dags.command("delete-run")
@dag_argument
@click.argument("date_or_run_id")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted, or why it cannot be.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@shared_options
@pass_session
def delete_run(session: Session, dag_id: str, date_or_run_id: str, dry_run: bool, yes: bool) -> None:
    """Delete a run with its task instances, tries and XComs; its logs stay. A running one must be ended first."""
    run_id = session.run_of(dag_id, date_or_run_id)["run_id"]
    run = session.call("get_run", dag_id=dag_id, run_id=run_id)
    plan = session.call("change_runs", action="delete", runs=[[dag_id, run_id]], dry_run=True)
    if plan["refused"]:
        raise Conflict(" ".join(plan["refused"]))
    what = f"run {run_id} of {dag_id} ({run['state']}, {len(run['tasks'])} task instances)"
    if dry_run:
        click.echo(f"Would delete {what}.")
        return
    if not yes:
        click.confirm(f"Delete {what}?", abort=True, err=True)
    session.call("delete_run", dag_id=dag_id, run_id=run_id)
    click.echo(f"Deleted {what}.")
