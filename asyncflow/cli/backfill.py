"""`asyncflow dags backfill` and what belongs to it: list, cancel."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from asyncflow.cli.arguments import dag_argument, date_range_options
from asyncflow.cli.output import output_option, print_rows
from asyncflow.cli.session import ExitCode, Failure, Session, json_object, pass_session, shared_options

Function = TypeVar("Function", bound=Callable[..., Any])

_COLUMNS = ("backfill_id", "dag_id", "state", "paused", "runs", "done", "created_at", "ended_at", "reason")
_ENDED = frozenset({"success", "failed", "cancelled"})
_FIRST_LOOK, _LAST_LOOK = 0.1, 2.0  #: seconds between two looks at a backfill that is waited for


def _flag(*names: str, text: str = "", **more: Any) -> Callable[[Function], Function]:
    return click.option(*names, is_flag=True, help=text or None, **more)


_OPTIONS = (
    click.option("-c", "--conf", callback=json_object, help="JSON object that the runs' tasks see as dag_run.conf."),
    click.option("-t", "--task-regex", help="Only tasks whose id the pattern matches, and what is before them."),
    click.option("-p", "--pool", help="Pool for the tasks, instead of their own."),
    click.option("--max-active-runs", type=click.IntRange(1), help="Runs at once (default: that of the DAG)."),
    click.option("--delay-on-limit", type=float, hidden=True),  # Airflow's: here the next run starts at once
    _flag("-B", "--run-backwards", text="The latest date first."),
    click.option(
        "--reprocess-behavior",
        "reprocess",
        type=click.Choice(["none", "failed", "completed"]),
        help="Airflow 3's way: which of the runs that are there run again as a whole; others are left alone.",
    ),
    _flag("--rerun-failed-tasks", text="Run what has failed in the runs that are there again."),
    _flag("--reset-dagruns", text="Clear the runs that are there first."),
    _flag("--continue-on-failures", text="Go on with further dates after a task has failed."),
    _flag("--disable-retry", text="A task that fails is not tried again."),
    _flag("-m", "--mark-success", text="Run nothing; mark everything as done."),
    _flag("-i", "--ignore-dependencies", text="Start tasks whatever is before them; with -t, only those that match."),
    _flag("-I", "--ignore-first-depends-on-past", hidden=True),  # Airflow 2: always so
    _flag("-y", "--yes", text="Do not ask."),
    _flag("-l", "--local", hidden=True),
    _flag("-x", "--donot-pickle", hidden=True),
    _flag("-v", "--verbose", hidden=True),
    date_range_options,
)


def backfill_options(function: Function) -> Function:
    """Adds what says how a backfill goes about it."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("backfill")
@dag_argument
@backfill_options
@click.option("-n", "--dry-run", is_flag=True, help="Only list the runs and tasks.")
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@click.option("--treat-dag-id-as-regex", "--treat-dag-as-regex", "as_regex", is_flag=True, help="DAG_ID is a pattern.")
@shared_options
@output_option
@pass_session
def backfill(
    session: Session,
    /,
    dag_id: str,
    dry_run: bool,
    detach: bool,
    as_regex: bool,
    yes: bool,
    output: str,
    **chosen: Any,
) -> None:
    """Run a DAG for past dates.

    The runs of the schedule from -s to -e, both inclusive, are made; those that are there already are taken over. They
    run while the DAG is paused, too, and after everything else. The server goes on when this command is interrupted.
    """
    from asyncflow.cli.dags import matching_dags

    names = matching_dags(session, dag_id, as_regex, yes)
    params = {name: value for name, value in chosen.items() if name not in _IGNORED}
    if dry_run:
        for name in names:
            _print_plan(session.call("backfill_dag", dag_id=name, dry_run=True, **params), output)
        return
    if chosen["reset_dagruns"] and not yes:
        _confirm_reset(session, names, params)
    begun = [session.call("backfill_dag", dag_id=name, **params) for name in names]
    for plan in begun:
        if plan["refused"]:
            click.echo(f"{plan['dag_id']}: {plan['refused']}", err=True)
    ids = [plan["backfill_id"] for plan in begun if plan["backfill_id"] is not None]
    _follow(session, ids, wait=not detach, output=output)


_IGNORED = frozenset({"delay_on_limit", "ignore_first_depends_on_past", "local", "donot_pickle", "verbose"})


def _print_plan(plan: dict[str, Any], output: str) -> None:
    rows = [{**run, "dag_id": plan["dag_id"], "tasks": ", ".join(plan["tasks"])} for run in plan["runs"]]
    print_rows(rows, output, columns=("dag_id", "logical_date", "run_id", "state", "tasks"))
    if plan["refused"]:
        click.echo(f"{plan['dag_id']}: {plan['refused']}", err=True)


def _confirm_reset(session: Session, names: list[str], params: dict[str, Any]) -> None:
    plans = [session.call("backfill_dag", dag_id=name, dry_run=True, **params) for name in names]
    count = sum(len(plan["cleared"]) for plan in plans)
    if count:
        click.confirm(f"Clear {count} task instances of the runs that are there?", abort=True, err=True)


def _follow(session: Session, ids: list[int], *, wait: bool, output: str) -> None:
    """Print what becomes of backfills. Raises Failure if one does not succeed."""
    rows = [session.call("get_backfill", backfill_id=number) for number in ids]
    if wait and not all(row["scheduling"] for row in rows):
        click.echo("No server runs: it starts with the next `asyncflow serve`.", err=True)
        wait = False
    pause = _FIRST_LOOK
    while wait and any(row["state"] not in _ENDED for row in rows):
        time.sleep(pause)
        pause = min(pause * 1.5, _LAST_LOOK)
        rows = [session.call("get_backfill", backfill_id=number) for number in ids]
    print_rows(rows, output, columns=_COLUMNS)
    failed = [row for row in rows if row["state"] in ("failed", "cancelled")]
    if failed:
        words = "; ".join(f"{row['dag_id']}: {row['state']} ({row['reason']})" for row in failed)
        raise Failure(f"The backfill did not succeed: {words}.", ExitCode.FAILED)


@click.command("list-backfills")
@click.option("-d", "--dag-id", help="Only those of this DAG.")
@click.option("--active", is_flag=True, help="Only those under way.")
@shared_options
@output_option
@pass_session
def list_backfills(session: Session, dag_id: str | None, active: bool, output: str) -> None:
    """List backfills, latest first."""
    rows = session.call("list_backfills", dag_id=dag_id, active=active)
    print_rows(rows, output, columns=_COLUMNS, empty="No backfills.")


@click.command("cancel-backfill")
@click.argument("backfill_id", type=int)
@shared_options
@pass_session
def cancel_backfill(session: Session, backfill_id: int) -> None:
    """Make no further runs of a backfill; those that run go on."""
    session.call("cancel_backfill", backfill_id=backfill_id)
    click.echo(f"Backfill {backfill_id} is cancelled.")


@click.command("pause-backfill")
@click.argument("backfill_id", type=int)
@shared_options
@pass_session
def pause_backfill(session: Session, backfill_id: int) -> None:
    """Let the further runs of a backfill wait; those that run go on."""
    session.call("pause_backfill", backfill_id=backfill_id)
    click.echo(f"Backfill {backfill_id} is paused.")


@click.command("resume-backfill")
@click.argument("backfill_id", type=int)
@shared_options
@pass_session
def resume_backfill(session: Session, backfill_id: int) -> None:
    """Go on with a backfill that was paused."""
    session.call("resume_backfill", backfill_id=backfill_id)
    click.echo(f"Backfill {backfill_id} goes on.")
