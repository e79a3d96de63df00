"""Where in the user's files something was made, for error messages that name file and line."""

from __future__ import annotations

import linecache
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from asyncflow.errors import InvalidDag

_PACKAGE = str(Path(__file__).parent.parent) + "/"
_SDK_IMPORT = re.compile(r"^\s*(?:from\s+airflow\.sdk\b|import\s+airflow\.sdk\b|from\s+airflow\s+import\s+.*\bsdk\b)")

ErrorT = TypeVar("ErrorT", bound=Exception)


class Place(NamedTuple):
    """A line of a file; file is the name that Python knows it by."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}, line {self.line}"


NOWHERE = Place("", 0)


def caller() -> Place:
    """The innermost line outside asyncflow (and the standard library's machinery) that led here."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_PACKAGE) and not name.startswith("<frozen") and not name.endswith("/contextlib.py"):
            return Place(name, frame.f_lineno)
        if frame.f_back is None:
            break
        frame = frame.f_back
    return NOWHERE


def located(error: ErrorT, place: Place) -> ErrorT:
    """Let an InvalidDag know where the thing at fault was made."""
    if isinstance(error, InvalidDag) and place.file:
        error.where = (place.file, place.line)
    return error


@lru_cache(maxsize=64)
def imports_sdk(file: str) -> bool:
    """Does this source file import `airflow.sdk`? Then it is written for Airflow 3."""
    return any(_SDK_IMPORT.match(line) for line in linecache.getlines(file))
