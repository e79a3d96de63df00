"""What a preview was about, kept until its form is sent: what is done is what was shown, however the lists move on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

#: names that are kept in all: the oldest previews go first
_KEPT = 50_000


class Choice(NamedTuple):
    """Task instances (dag_id, run_id, task_id, map_index) or runs (dag_id, run_id) that an action is about."""

    keys: Sequence[tuple[Any, ...]]
    complete: bool = True  #: False: more match than one action is about


class Picked:
    """Choices by the key of their form."""

    def __init__(self) -> None:
        self._choices: OrderedDict[str, Choice] = OrderedDict()
        self._names = 0

    def keep(self, key: str, choice: Choice) -> None:
        """Keep one, and forget the oldest when they are too many; the newest always stays."""
        self._choices[key] = choice
        self._names += len(choice.keys)
        while self._names > _KEPT and len(self._choices) > 1:
            _, gone = self._choices.popitem(last=False)
            self._names -= len(gone.keys)

    def get(self, key: str) -> Choice | None:
        """The one of a form; None when it was forgotten."""
        return self._choices.get(key)
