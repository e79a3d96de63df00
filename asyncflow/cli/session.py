"""What every command shares: --home and --dags, the way to the server, exit codes, dates.

A command calls an action by name. It goes over the running server's socket; when no server holds the home directory,
the same action runs in this process on the database file.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from asyncflow.config import Settings, load_settings
from asyncflow.errors import (
    AsyncflowError,
    Conflict,
    HomeLocked,
    InvalidInput,
    NotFound,
    ServerUnreachable,
)

Function = TypeVar("Function", bound=Callable[..., Any])


class ExitCode(IntEnum):
    """The codes commands end with. Scripts depend on them: never renumber."""

    OK = 0
    FAILED = 1  #: what was asked for was done and failed (a task, a check), or an error without its own code
    USAGE = 2  #: wrong arguments, or a value that is not accepted
    NOT_FOUND = 3
    CONFLICT = 4
    NO_SERVER = 5  #: the server does not answer, or another one owns the home directory


_CODES: tuple[tuple[type[AsyncflowError], ExitCode], ...] = (
    (NotFound, ExitCode.NOT_FOUND),
    (Conflict, ExitCode.CONFLICT),
    (InvalidInput, ExitCode.USAGE),
    (HomeLocked, ExitCode.NO_SERVER),
    (ServerUnreachable, ExitCode.NO_SERVER),
)


class Failure(click.ClickException):
    """Ends a command with a sentence on stderr and a code."""

    def __init__(self, sentence: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(sentence)
        self.exit_code = code  # type: ignore[misc]  # click declares a class variable, reads it from the instance


def failure_of(error: AsyncflowError) -> click.ClickException:
    """The click exception that prints the error's sentence and ends with its code."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)
    return Failure(str(error), code)


class Connect(Protocol):
    """Calls one action of the server that owns `settings.home` and gives its JSON-able answer."""

    def __call__(self, settings: Settings, method: str, params: dict[str, Any]) -> Any: ...


def call_action(settings: Settings, method: str, params: dict[str, Any]) -> Any:
    """Over the socket of the running server, else in this process (see `engine.offline`).

    Raises ServerUnreachable when a server owns the home directory but does not answer.
    """
    from asyncflow.worker.client import Client

    if settings.socket.exists():
        try:
            return Client(settings.socket).call(method, **params)
        except ServerUnreachable:
            pass  # a socket file that a killed server left behind; a live but silent one still holds the lock
    return _call_offline(settings, method, params)


def _call_offline(settings: Settings, method: str, params: dict[str, Any]) -> Any:
    import anyio

    from asyncflow.engine.offline import open_actions

    async def run() -> Any:
        async with open_actions(settings) as actions:
            return await getattr(actions, method)(**params)

    try:
        return anyio.run(run)
    except HomeLocked as error:
        raise ServerUnreachable(f"The server that owns {settings.home} does not answer. {error}") from error


class Session:
    """The state of one command line: what flags said, and the settings they lead to (read once, when first needed)."""

    def __init__(self, connect: Connect = call_action) -> None:
        self.flags: dict[str, Any] = {}
        self._connect = connect
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """Raises InvalidInput for a setting that cannot be understood."""
        if self._settings is None:
            self._settings = load_settings(self.flags)
        return self._settings

    def call(self, method: str, **params: Any) -> Any:
        """The answer of one action. Raises the errors of `asyncflow.errors`."""
        return self._connect(self.settings, method, params)

    def run_of(self, dag_id: str, date_or_run_id: str) -> dict[str, Any]:
        """The dag run with this run id or logical date. Raises NotFound with near run ids."""
        moment = moment_or_none(date_or_run_id, self.settings.default_timezone)
        if moment is not None:
            at = moment.isoformat()
            found = self.call("list_runs", dag_id=dag_id, start=at, end=at, limit=1)
            if found:
                return dict(found[0])
        known = [run["run_id"] for run in self.call("list_runs", dag_id=dag_id, limit=1000)]
        if date_or_run_id in known or (moment is None and len(known) == 1000):
            return dict(self.call("get_run", dag_id=dag_id, run_id=date_or_run_id))
        raise NotFound(f"run of {dag_id} for", date_or_run_id, known)


pass_session = click.make_pass_decorator(Session, ensure=True)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None and param.name is not None:
        ctx.ensure_object(Session).flags[param.name] = value


def shared_options(function: Function) -> Function:
    """Adds --home and --dags, which every command takes, before or after its name."""
    for option in (
        click.option(
            "-S",
            "--dags",
            "--subdir",
            "dags",
            type=click.Path(path_type=Path),
            metavar="DIR",
            expose_value=False,
            callback=_remember,
            help="Folder of the DAG files (default: ./dags or the setting).",
        ),
        click.option(
            "--home",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            expose_value=False,
            callback=_remember,
            help="Home directory: database, logs, socket (default: ~/.asyncflow).",
        ),
    ):
        function = option(function)
    return function


def moment_or_none(text: str, default_timezone: str) -> datetime | None:
    """The moment an ISO text names, None for any other text. A text without zone is in the default time zone."""
    from zoneinfo import ZoneInfo

    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.tzinfo:
        return moment
    return moment.replace(tzinfo=UTC if default_timezone == "UTC" else ZoneInfo(default_timezone))


def iso_moment(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Option callback: `2024-01-31` or `2024-01-31T10:00`, with or without zone, as ISO text with its zone."""
    if value is None:
        return None
    moment = moment_or_none(value, ctx.ensure_object(Session).settings.default_timezone)
    if moment is None:
        raise click.BadParameter(
            f"{value!r} is not a date: write 2024-01-31 or 2024-01-31T10:00:00+00:00.", param=param
        )
    return moment.isoformat()


def json_object(_ctx: click.Context, param: click.Parameter, value: str | None) -> dict[str, Any] | None:
    """Option callback: JSON text of an object."""
    import json

    if value is None:
        return None
    try:
        data = json.loads(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not JSON: {error}.", param=param) from error
    if not isinstance(data, dict):
        raise click.BadParameter(f'{value!r} is not a JSON object such as {{"key": 1}}.', param=param)
    return data
