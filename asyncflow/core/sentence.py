"""Sentences that can be said in another language: the text, and what it was made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


class Sentence(str):
    """A text made of a template and values, of which both are kept: `Sentence("It waits for {what}.", what="rain")`.

    As a text it is the English one. A value may be a sentence, a state, or a tuple of values, which stand in a row.
    A template without values is taken as it is: braces in it are braces.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Sentence:
        blanks = {name: in_a_row(value) for name, value in values.items()}
        made = super().__new__(cls, template.format_map(blanks) if values else template)
        made.template, made.values = template, values
        return made


def begun(sentence: Sentence) -> Sentence:
    """The same with a capital at the beginning of the English text."""
    made = str.__new__(Sentence, sentence[:1].upper() + sentence[1:])
    made.template, made.values = sentence.template, sentence.values
    return made


def told(error: BaseException) -> str:
    """The text of an error: as it was made, if that is a sentence, so that it can be said in another language."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, Sentence) else str(error)


def in_a_row(value: Any) -> Any:
    """The values of a tuple with commas between, a moment in UTC; anything else as it is."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value
