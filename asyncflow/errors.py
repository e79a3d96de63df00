"""The errors asyncflow raises on purpose.

    AsyncflowError                      every error of ours; str(error) is a sentence for the user
    ├── InvalidDag                      a DAG file builds something that cannot run (cycle, bad argument, ...)
    │   ├── DuplicateTaskId
    │   ├── CycleFound
    │   └── InvalidTimetable            a schedule that cannot be understood
    ├── NotFound (LookupError)          a dag, run, task instance, pool, ... that is not there; offers near names
    ├── Conflict                        the thing exists already, or is in a state that forbids the action
    ├── InvalidInput (ValueError)       a value a person gave is wrong: says which, and what is accepted
    │   ├── NotAccepted                 it is none of the few that there are
    │   └── InvalidFields               several values of a form: says for each field what is wrong
    ├── HomeLocked                      another server owns this home directory
    ├── ServerUnreachable               the running server does not answer
    ├── StaleWrite (Conflict)           a write believed a row in another state than it is
    ├── DiskTrouble (OSError)           the disk is full, read-only or broken; may be tried again
    └── StoreBroken                     the database file cannot be used as it is

Names that DAG authors catch (AirflowException and its kin) live in `asyncflow.authoring.exceptions`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from asyncflow.core.sentence import Sentence


class AsyncflowError(Exception):
    """Base of every error that asyncflow raises on purpose: `Conflict("{n} are taken already.", n=3)`.

    The first argument is a Sentence, so that a page can say it in the language of its reader (`core.sentence.told`).
    """

    def __init__(self, *args: Any, **values: Any) -> None:
        if args and type(args[0]) is str:
            args = (Sentence(args[0], **values), *args[1:])
        super().__init__(*args)


class InvalidDag(AsyncflowError):
    """A DAG that cannot run as it is written."""

    #: file (as Python knows it) and line where the thing at fault was made, when that is known
    where: tuple[str, int] | None = None


class DuplicateTaskId(InvalidDag):
    """Two tasks of one DAG have the same task_id."""


class CycleFound(InvalidDag):
    """The tasks of a DAG depend on each other in a circle."""


class InvalidTimetable(InvalidDag, ValueError):
    """A schedule that cannot be understood."""


class NotFound(AsyncflowError, LookupError):
    """Something that was asked for by name does not exist; `kind` is what stands before the name in "There is no"."""

    def __init__(self, kind: str, name: str, known: Iterable[str] = ()) -> None:
        self.kind = kind
        self.name = name
        self.near = difflib.get_close_matches(name, list(known), n=3)
        said = kind if isinstance(kind, Sentence) else Sentence(kind)
        absence = Sentence("There is no {kind} {name!r}.", kind=said, name=name)
        near = tuple(map(repr, self.near))
        super().__init__(Sentence("{absence} Did you mean {near}?", absence=absence, near=near) if near else absence)


class Conflict(AsyncflowError):
    """The thing exists already, or its state forbids the action."""


class InvalidInput(AsyncflowError, ValueError):
    """A value that a person gave is not acceptable."""


class NotAccepted(InvalidInput):
    """A field that takes a few values was given another one."""

    def __init__(self, field: str, value: object, accepted: Iterable[str]) -> None:
        row = tuple(map(str, accepted))
        super().__init__("{field}={value!r}: accepted are {row}.", field=field, value=value, row=row)


class InvalidFields(InvalidInput):
    """Values of a form are not acceptable: `problems` says for each field why; the text is the first of them."""

    def __init__(self, first: str, problems: dict[str, str]) -> None:
        super().__init__(first)
        self.problems = problems


class HomeLocked(AsyncflowError):
    """Another server owns this home directory."""


class ServerUnreachable(AsyncflowError):
    """A server holds the home directory but does not answer on its socket."""


class StaleWrite(Conflict):
    """A write believed a row to be in another state than it is; nothing of its transaction was written."""

    def __init__(self, row: str, expected: str | None, found: str | None) -> None:
        self.row = row
        self.expected = expected
        self.found = found
        believed = "not to exist" if expected is None else f"in state {expected!r}"
        real = "does not exist" if found is None else f"is in state {found!r}"
        super().__init__(f"The {row} was believed {believed}, but it {real}. Nothing was written.")


class DiskTrouble(AsyncflowError, OSError):
    """The disk is full, read-only or broken. What was committed before is safe; the write may be tried again."""


class StoreBroken(AsyncflowError):
    """The database file cannot be used as it is: damaged, of a newer version, or against our own rules."""
