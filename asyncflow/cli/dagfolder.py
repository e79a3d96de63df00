"""Finds one DAG in the folder and imports its file into this process: for commands that need no server.

The files that name the dag id in their text are tried first, then all others (factories build ids).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from asyncflow.config import Settings
from asyncflow.core.messages import HostConfig, ImportFailure
from asyncflow.dagfiles.discovery import discover
from asyncflow.errors import InvalidDag, InvalidInput, NotFound


def load_dag(settings: Settings, dag_id: str) -> Any:
    """The DAG with this id, as its file builds it now; the file is imported plainly, so that pdb works in it.

    Raises InvalidDag when the file that should hold it cannot be imported, NotFound with near ids otherwise.
    """
    from asyncflow.worker.importer import import_plainly, prepare

    folder, files = _files(settings)
    known: list[str] = []
    failures: list[ImportFailure] = []
    for file, names_it in _likeliest_first(folder, files, dag_id):
        config = _config(settings, folder, file)
        prepare(config)
        try:
            dags = import_plainly(config).dags
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:  # a file may raise SystemExit, and that is its own failure too
            failure = _failure(error, config)
            failures.append(failure)
            if names_it:
                click.echo(failure.traceback, err=True)
                raise InvalidDag(_sentence(failure)) from None
            continue
        if dag_id in dags:
            return dags[dag_id]
        known += dags
    for failure in failures:
        click.echo(f"Passed over: {_sentence(failure)}", err=True)
    raise NotFound(f"DAG in {folder} called", dag_id, known)


def dag_info(settings: Settings, dag_id: str) -> Any:
    """The `DagInfo` of another DAG of the folder; None if no file that can be imported has it."""
    from asyncflow.testing.memory import info_of

    try:
        return info_of(load_dag(settings, dag_id))
    except (InvalidDag, NotFound):
        return None


def _files(settings: Settings) -> tuple[Path, list[str]]:
    """The folder and its DAG files; `--dags` may name one file, too."""
    if settings.dags.is_file():
        return settings.dags.parent, [settings.dags.name]
    if not settings.dags.is_dir():
        raise InvalidInput(f"There is no folder {settings.dags}: name the folder of your DAG files with --dags.")
    found = discover(settings.dags, safe_mode=settings.dag_discovery_safe_mode, syntax=settings.dag_ignore_file_syntax)
    return settings.dags, found


def _likeliest_first(folder: Path, files: list[str], dag_id: str) -> Iterator[tuple[str, bool]]:
    """Every file, and whether its text holds the dag id as a word in quotes or as a function's name."""
    quoted = [f"{quote}{dag_id}{quote}" for quote in "\"'"]
    rest = []
    for file in files:
        text = _text(folder / file)
        if any(word in text for word in quoted) or f"def {dag_id}(" in text:
            yield file, True
        else:
            rest.append(file)
    for file in rest:
        yield file, False


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # a zip's member, or a file that has gone
        return ""


def _config(settings: Settings, folder: Path, file: str) -> HostConfig:
    from asyncflow.executors.conf import airflow_conf

    return HostConfig(
        host_id="cli",
        dags_folder=str(folder),
        file=file,
        conf=airflow_conf(settings),
        extra_paths=(str(settings.plugins_folder),),
        import_timeout=settings.dagbag_import_timeout,
    )


def _failure(error: BaseException, config: HostConfig) -> ImportFailure:
    from asyncflow.worker.importer import explain

    return explain(error, config)


def _sentence(failure: ImportFailure) -> str:
    where = f"{failure.file}, line {failure.line}" if failure.line else failure.file
    return f"{where}: {failure.message}"
