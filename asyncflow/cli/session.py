"""What every command shares: --home and --dags, the way to the server, exit codes, dates.

A command calls an action by name. It goes over the running server's socket; when no server holds the home directory,
the same action runs in this process on the database file.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from asyncflow.config import Origin, Settings, load_with_origins
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


def sentence_in(error: BaseException) -> AsyncflowError | None:
    """The error of ours that an exception is, or holds: task groups wrap what passes through them."""
    if isinstance(error, AsyncflowError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := sentence_in(inner))), None)
    return None


def failure_of(error: AsyncflowError) -> click.ClickException:
    """The click exception that prints the error's sentence and ends with its code."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)
    return Failure(str(error), code)


class Connection(Protocol):
    """Calls actions by name and gives their JSON-able answers. Errors are those of `asyncflow.errors`."""

    def call(self, method: str, **params: Any) -> Any: ...
    def close(self) -> None: ...


def connect(settings: Settings, reads_dags: bool = True) -> Connection:
    """To the server that owns `settings.home`, or, when none runs, to the same actions in this process.

    There, the DAG folder is looked at first if the command `reads_dags`.
    Raises ServerUnreachable when a server owns the home directory but does not answer.
    """
    from asyncflow.worker.client import Client

    if settings.socket.exists():
        client = Client(settings.socket)
        try:
            client.call("version")
        except ServerUnreachable:
            client.close()  # a socket that a killed server left behind; a live but silent one still holds the lock
        else:
            return client
    try:
        return OfflineActions(settings, reads_dags)
    except* HomeLocked as errors:
        raise ServerUnreachable(f"The server that owns {settings.home} does not answer.") from errors


class OfflineActions:
    """The actions in this process, kept open in an event loop of its own until `close`."""

    def __init__(self, settings: Settings, reads_dags: bool) -> None:
        from anyio.from_thread import start_blocking_portal

        from asyncflow.engine.offline import open_actions

        with ExitStack() as opened:
            self._portal = opened.enter_context(start_blocking_portal())
            actions = open_actions(settings, load=reads_dags)
            self._actions = opened.enter_context(self._portal.wrap_async_context_manager(actions))
            self._stack = opened.pop_all()

    def call(self, method: str, **params: Any) -> Any:
        from asyncflow.engine.audit import acting

        async def act() -> Any:
            with acting("cli"):
                return await getattr(self._actions, method)(**params)

        return self._portal.call(act)

    def close(self) -> None:
        self._stack.close()


class Session:
    """One command line: what flags said, the settings they lead to, the connection; each made when first needed."""

    def __init__(self, opener: Callable[[Settings, bool], Connection] = connect) -> None:
        self.flags: dict[str, Any] = {}
        #: a command that has nothing to do with DAGs says so: it need not wait for their files
        self.reads_dags = True
        self._open = opener
        self._connection: Connection | None = None
        self._settings: Settings | None = None
        self.origins: dict[str, Origin] = {}  #: where each of the settings came from, once they were asked for

    @property
    def settings(self) -> Settings:
        """Raises InvalidInput for a setting that cannot be understood."""
        if self._settings is None:
            self._settings, self.origins = load_with_origins(self.flags)
        return self._settings

    def call(self, method: str, **params: Any) -> Any:
        """The answer of one action. Raises the errors of `asyncflow.errors`."""
        if self._connection is None:
            self._connection = self._open(self.settings, self.reads_dags)
        return self._connection.call(method, **params)

    def close(self) -> None:
        """Drop the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

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
