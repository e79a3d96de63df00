"""The keys of the pages: what each does, and what a reader made of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from asyncflow.core.sentence import Sentence
from asyncflow.errors import InvalidInput

#: key -> what it does; a capital is the letter with shift
KEYS = {
    "j": "Next row",
    "k": "Previous row",
    "x": "Select the row",
    "X": "Grid: select all up to this cell",
    "r": "Trigger",
    "C": "Clear",
    "S": "Mark success",
    "F": "Mark failed",
    "E": "Note",
    "A": "Answer",
    "u": "Undo",
    "b": "New backfill",
    "p": "Pause or resume a backfill",
    "[": "Older run, previous page",
    "]": "Newer run, next page",
    "/": "Search in a log",
    "n": "Next place in a log",
    "N": "Previous place in a log",
    "G": "End of a log, and follow it",
    "w": "Log: wrap lines",
    "t": "Log: hide times",
    "e": "Log: fold groups",
    "f": "Log: full screen",
    "l": "Log: link to the line",
    "d": "Log: download",
    "g": "Go to a page: this, then its letter",
    "?": "This list",
}


def chosen(cookie: str) -> dict[str, str]:
    """Key -> the reader's own key for the same, "" for none; only what differs. A cookie that is not ours is empty."""
    found = dict(parse_qsl(cookie, keep_blank_values=True))
    return {key: own for key, own in found.items() if key in KEYS and own != key and _is_key(own)}


def _is_key(own: str) -> bool:
    return own == "" or (len(own) == 1 and own.isprintable() and own != " ")


def meanings(own: Mapping[str, str]) -> dict[str, str]:
    """Pressed key -> the key that it stands for, "" for nothing; keys that are not in it are what they are."""
    return dict.fromkeys(own, "") | {pressed: key for key, pressed in own.items() if pressed}


def as_json(own: Mapping[str, str]) -> str:
    """The meanings for the page's script; "" when no key is changed."""
    return json.dumps(meanings(own)) if own else ""


def as_cookie(wished: Mapping[str, str]) -> str:
    """Every key with what the reader wishes for it, as `chosen` reads it.

    Raises InvalidInput for two actions on one key, and for more than one character.
    """
    used: dict[str, str] = {}
    for key, own in wished.items():
        if not _is_key(own):
            raise InvalidInput(
                "{what}: {own!r} is not one key. A single character is accepted, or nothing.",
                what=Sentence(KEYS[key]),
                own=own,
            )
        if own and own in used:
            raise InvalidInput(
                "The key {own!r} is for both {first!r} and {second!r}: each needs its own.",
                own=own,
                first=Sentence(used[own]),
                second=Sentence(KEYS[key]),
            )
        used[own] = KEYS[key]
    return urlencode({key: own for key, own in wished.items() if own != key})
