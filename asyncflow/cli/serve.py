"""`asyncflow serve`: the server, until it is interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from asyncflow.cli.session import Session, pass_session, shared_options
from asyncflow.errors import InvalidInput


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--host", metavar="ADDRESS", help="Address of the web server (default 127.0.0.1).")
@click.option("-p", "--port", type=click.IntRange(0, 65535), help="Port of the web server (default 8080).")
@click.option("--executor", type=click.Choice(["local", "sequential"]), help="Where tasks run (default local).")
@click.option("--concurrency", type=click.IntRange(0), help="How many tasks may run at once; 0 = by the CPU.")
@click.option("--start-mode", type=click.Choice(["fork", "spawn"]), help="How task processes start (default fork).")
@click.option("--durability", type=click.Choice(["normal", "full"]), help="full survives a power loss too.")
@click.option("--poll-files/--no-poll-files", default=None, help="Poll the DAG folder (network file systems).")
@click.option("--log-level", metavar="LEVEL", help="Level of the server's own log (default INFO).")
@click.option("--stop-tasks", is_flag=True, help="End running tasks on shutdown; else they go on and are adopted.")
@shared_options
@pass_session
def serve(session: Session, /, folder: Path | None, stop_tasks: bool, **flags: Any) -> None:
    """Run the scheduler and the web page over the DAG files in FOLDER (default ./dags)."""
    import anyio

    from asyncflow.engine.serve import serve as run_server
    from asyncflow.web.app import make_app

    session.flags.update({name: value for name, value in flags.items() if value is not None})
    if folder is not None:
        session.flags["dags"] = folder
    settings = session.settings
    _log_to_stderr(settings.log_level)
    if settings.dags.is_file():
        raise InvalidInput(f"{settings.dags} is a file: serve takes the folder of the DAG files.")
    if not settings.dags.exists():
        click.echo(f"{settings.dags} does not exist yet: DAG files are loaded once it does.", err=True)

    async def run() -> None:
        await run_server(settings, make_app, stop_tasks=stop_tasks, on_ready=_announce, origins=session.origins)

    anyio.run(run, backend_options=_backend())


def _announce(address: str) -> None:
    click.echo(f"asyncflow serves {address}")


def _log_to_stderr(level: str) -> None:
    import logging

    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise InvalidInput(f"Setting log_level={level!r}: accepted are DEBUG, INFO, WARNING, ERROR.")
    logging.basicConfig(level=number, format="%(asctime)s %(levelname)-7s %(name)s  %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its start-up lines repeat ours


def _backend() -> dict[str, Any]:
    try:
        import uvloop  # noqa: F401
    except ImportError:
        return {}
    return {"use_uvloop": True}
