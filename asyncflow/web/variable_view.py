"""What the pages of Variables show, and the files that wait to be imported."""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from asyncflow.engine.credentials import OnConflict
from asyncflow.errors import InvalidInput, NotAccepted
from asyncflow.web.sorting import Column, Columns

COLUMNS = Columns(Column("Key", "key"), usual="key")
#: what becomes of Variables that exist already, in the reader's words
ON_CONFLICT: dict[OnConflict, str] = {
    "overwrite": "Overwrite those that exist",
    "skip": "Leave those that exist",
    "fail": "Import nothing if one exists",
}
#: rows of a preview
LISTED = 500
#: files that wait at once
_KEPT = 20


class Uploads:
    """Files between preview and import, by a random name; only the newest few."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[str, Mapping[str, str]]] = OrderedDict()

    def keep(self, file: str, variables: Mapping[str, str]) -> str:
        """Its name."""
        name = secrets.token_urlsafe(16)
        self._files[name] = (file, variables)
        if len(self._files) > _KEPT:
            self._files.popitem(last=False)
        return name

    def get(self, name: str) -> tuple[str, Mapping[str, str]]:
        """(file, Variables in it). Raises InvalidInput when it is there no longer."""
        if name not in self._files:
            raise InvalidInput("That file is not here any more: choose it again.")
        return self._files[name]


def on_conflict(form: Mapping[str, Any]) -> OnConflict:
    """What a form says about Variables that exist. Raises InvalidInput."""
    text = str(form.get("on_conflict", "overwrite"))
    for known in ON_CONFLICT:
        if text == known:
            return known
    raise NotAccepted("on_conflict", text, ON_CONFLICT)


def counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many of a preview are in each way; "set" = those that would be written."""
    found = Counter(row["what"] for row in rows)
    return {**found, "set": found["new"] + found["replaced"] + found["same"], "refused": found["refused"]}


def text_of(value: Any) -> str:
    """What was typed in an area; browsers send CR LF."""
    return str(value).replace("\r\n", "\n")


def rows_of(value: str) -> int:
    """The height of an area that shows a text."""
    return max(3, min(24, value.count("\n") + 2))


def kind_of(value: str) -> str:
    """ "JSON" for a text that is."""
    try:
        msgspec.json.decode(value)
    except msgspec.DecodeError:
        return ""
    return "JSON"


def guessed_name(text: str) -> str:
    """A name with the ending of what a pasted text seems to be."""
    if text.lstrip().startswith("{"):
        return "text.json"
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    name, sign, _ = lines[0].partition("=") if lines else ("", "", "")
    return "text.env" if sign and ":" not in name else "text.yaml"
