"""Sentences for imports and hosts that ended without a word of their own."""

from __future__ import annotations

import signal

from asyncflow.core.messages import HostConfig, ImportFailure


def not_started(config: HostConfig) -> ImportFailure:
    """No process for the import ever reported."""
    return ImportFailure(
        file=config.file,
        kind="exit",
        message="No process to import the file could be started; the server's own log says why.",
    )


def import_hung(config: HostConfig) -> ImportFailure:
    """The import outlived the time limit and did not heed it."""
    return ImportFailure(
        file=config.file,
        kind="timeout",
        message=f"The import took longer than {config.import_timeout:g} s (setting dagbag_import_timeout) and had to "
        "be killed. Move slow work into a task.",
    )


def import_died(config: HostConfig, status: int | None) -> ImportFailure:
    """The process ended in the middle of the import; `status` as in HostExited, None if nobody saw it."""
    if status is not None and status >= 0:
        message = f"The file ended the process while it was imported, with exit code {status} (os._exit?)."
        return ImportFailure(file=config.file, kind="exit", message=message)
    how = how_it_ended(status)
    hint = " Something in it crashes the interpreter." if status in _CRASHES else ""
    return ImportFailure(file=config.file, kind="killed", message=f"The process that imported the file {how}.{hint}")


_CRASHES = frozenset({-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE})


def how_it_ended(status: int | None) -> str:
    """A predicate: "was killed by SIGKILL", "ended with exit code 1", "disappeared"."""
    if status is None:
        return "disappeared"
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
