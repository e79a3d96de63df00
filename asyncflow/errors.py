"""The errors asyncflow raises on purpose.

    AsyncflowError                      every error of ours; str(error) is a sentence for the user
    ├── InvalidDag                      a DAG file builds something that cannot run (cycle, bad argument, ...)
    │   ├── DuplicateTaskId
    │   ├── CycleFound
    │   └── InvalidTimetable            a schedule that cannot be understood
    ├── NotFound (LookupError)          a dag, run, task instance, pool, ... that is not there; offers near names
    ├── Conflict                        the thing exists already, or is in a state that forbids the action
    ├── InvalidInput (ValueError)       a value a person gave is wrong: says which, and what is accepted
    ├── HomeLocked                      another server owns this home directory
    └── ServerUnreachable               the running server does not answer

Names that DAG authors catch (AirflowException and its kin) live in `asyncflow.authoring.exceptions`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AsyncflowError(Exception):
    """Base of every error that asyncflow raises on purpose; the text is a sentence for the user."""


class InvalidDag(AsyncflowError):
    """A DAG that cannot run as it is written."""


class DuplicateTaskId(InvalidDag):
    """Two tasks of one DAG have the same task_id."""


class CycleFound(InvalidDag):
    """The tasks of a DAG depend on each other in a circle."""


class InvalidTimetable(InvalidDag, ValueError):
    """A schedule that cannot be understood."""


class NotFound(AsyncflowError, LookupError):
    """Something that was asked for by name does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str] = ()) -> None:
        self.kind = kind
        self.name = name
        self.near = difflib.get_close_matches(name, list(known), n=3)
        hint = f" Did you mean {', '.join(repr(n) for n in self.near)}?" if self.near else ""
        super().__init__(f"There is no {kind} {name!r}.{hint}")


class Conflict(AsyncflowError):
    """The thing exists already, or its state forbids the action."""


class InvalidInput(AsyncflowError, ValueError):
    """A value that a person gave is not acceptable."""


class HomeLocked(AsyncflowError):
    """Another server owns this home directory."""


class ServerUnreachable(AsyncflowError):
    """A server holds the home directory but does not answer on its socket."""
