"""`asyncflow datasets ...` (also `assets`): what was updated, by whom, and who waits for it."""

from __future__ import annotations

from typing import Any

import click

from asyncflow.cli.app import Group
from asyncflow.cli.output import output_option, print_mapping, print_rows
from asyncflow.cli.session import Session, json_object, pass_session, shared_options

_COLUMNS = ("uri", "name", "producers", "consumers", "events", "last_update")
_EVENT_COLUMNS = ("timestamp", "uri", "source", "extra", "created_runs")


@click.group(cls=Group)
@shared_options
def datasets() -> None:
    """List datasets (assets), their events, and what waits for them."""


@datasets.command("list")
@shared_options
@output_option
@pass_session
def list_datasets(session: Session, output: str) -> None:
    """List all datasets that DAGs name or that were ever updated."""
    rows = [_row(row, output) for row in session.call("list_datasets")]
    print_rows(rows, output, columns=_COLUMNS, empty="No DAG names a dataset, and none was updated.")


@datasets.command("details")
@click.argument("uri", required=False)
@click.option("--uri", "uri_option", help="The URI, as Airflow's command has it.")
@click.option("--name", help="The name of an asset instead.")
@shared_options
@output_option
@pass_session
def details(session: Session, uri: str | None, uri_option: str | None, name: str | None, output: str) -> None:
    """Show one dataset with its last events."""
    wanted = uri or uri_option or name
    if wanted is None:
        raise click.UsageError("Say which dataset: its URI, or --name.")
    row = session.call("get_dataset", uri=wanted)
    print_mapping({**_row(row, output), "last_events": row["last_events"]}, output)


@datasets.command("events")
@click.argument("uri", required=False)
@click.option("--limit", type=int, default=25, show_default=True, help="How many, newest first; -1 = all.")
@shared_options
@output_option
@pass_session
def events(session: Session, uri: str | None, limit: int, output: str) -> None:
    """List updates, newest first: of one dataset or of all."""
    rows = [_event_row(row, output) for row in session.call("list_dataset_events", uri=uri, limit=limit)]
    print_rows(rows, output, columns=_EVENT_COLUMNS, empty="There are no events.")


@datasets.command("update")
@click.argument("uri")
@click.option("-e", "--extra", callback=json_object, help="JSON object that travels with the event.")
@shared_options
@pass_session
def update(session: Session, uri: str, extra: dict[str, Any] | None) -> None:
    """Say that a dataset was updated by something outside; DAGs that wait for it go on."""
    event = session.call("update_dataset", uri=uri, extra=extra, triggered_by="cli")
    click.echo(f"Event {event['event_id']} of {event['uri']} at {event['at']}.")
    if not event["consumers"]:
        click.echo("No DAG's schedule names it.", err=True)


@datasets.command("clear-queue")
@click.argument("dag_id")
@click.argument("uri", required=False)
@shared_options
@pass_session
def clear_queue(session: Session, dag_id: str, uri: str | None) -> None:
    """Have a DAG wait anew for a dataset (or all) that was updated since its last run."""
    cleared = session.call("clear_dataset_queue", dag_id=dag_id, uri=uri)["cleared"]
    click.echo(f"{dag_id} waits anew for: {', '.join(cleared)}." if cleared else f"Nothing was queued for {dag_id}.")


@datasets.command("materialize")
@click.argument("uri", required=False)
@click.option("--uri", "uri_option", help="The URI, as Airflow's command has it.")
@click.option("--name", help="The name of an asset instead.")
@shared_options
@output_option
@pass_session
def materialize(session: Session, uri: str | None, uri_option: str | None, name: str | None, output: str) -> None:
    """Trigger the DAG that makes a dataset; there must be exactly one."""
    wanted = uri or uri_option or name
    if wanted is None:
        raise click.UsageError("Say which dataset: its URI, or --name.")
    makers = sorted({maker["dag_id"] for maker in session.call("get_dataset", uri=wanted)["producers"]})
    if len(makers) != 1:
        raise click.ClickException(
            f"{wanted} is made by {', '.join(makers)}: trigger one of them with asyncflow dags trigger."
            if makers
            else f"No DAG here makes {wanted}."
        )
    run = session.call("trigger_dag", dag_id=makers[0], triggered_by="cli")
    print_rows([run], output, columns=("dag_id", "run_id", "state", "run_type", "logical_date"))


def _row(row: dict[str, Any], output: str) -> dict[str, Any]:
    """For people, a producer is one word."""
    if output in ("json", "yaml"):
        return row
    return {**row, "producers": [f"{maker['dag_id']}.{maker['task_id']}" for maker in row["producers"]]}


def _event_row(row: dict[str, Any], output: str) -> dict[str, Any]:
    index = f"[{row['source_map_index']}]" if row["source_map_index"] >= 0 else ""
    source = f"{row['source_dag_id']}.{row['source_task_id']}{index} {row['source_run_id']}"
    event = {**row, "timestamp": row["at"], "source": source if row["source_dag_id"] else ""}
    if output not in ("json", "yaml"):
        event["created_runs"] = [f"{run['dag_id']} {run['run_id']}" for run in row["created_runs"]]
        event["extra"] = row["extra"] or ""
    return event
