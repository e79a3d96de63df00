"""Words in the language of the reader: English as written in the templates, Korean from `words/ko.json`.

The English text is the key. Sentences that the engine makes (why something waits, why it refuses) know what they are
made of and can be said anew (`Language.said`). Logs, the audit log and the command line have the English ones: they
read the same for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from asyncflow.core.sentence import Sentence
from asyncflow.core.states import RunState, TaskState

#: code -> the language's own name
LANGUAGES = {"en": "English", "ko": "한국어"}

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@cache
def words(code: str) -> Mapping[str, str]:
    """What the texts of the templates are in a language; English needs no list."""
    if code == "en":
        return {}
    data = files("asyncflow.web").joinpath("words", f"{code}.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, str])


class Language:
    """Called with an English text, gives it in this language. `{name}` in it is filled from the keywords."""

    def __init__(self, code: str, zone: tzinfo = UTC) -> None:
        self.code = code
        self.zone = zone  #: in which moments are told
        self._words = words(code)
        self._seconds = self("{n} s")

    def __call__(self, text: str, /, **values: Any) -> str:
        said = self._words.get(text, text)
        return said.format_map(values) if values else said

    def n(self, one: str, many: str, count: int, /, **values: Any) -> str:
        """`one` or `many`, by `count`, which fills `{n}`; a language without plural forms has the same for both."""
        return self(one if count == 1 else many, n=f"{count:,}", **values)

    def state(self, state: str | None) -> str:
        """The label of a state of a run or task instance."""
        return self("no status" if state in (None, "none") else str(state).replace("_", " "))

    def moment(self, when: datetime | str | None) -> str:
        """`2024-01-31 10:00:00 UTC`, with the zone's short name at that moment; "" for none. Text is ISO's."""
        found = datetime.fromisoformat(when) if isinstance(when, str) and when else when
        return f"{self.there(found):%Y-%m-%d %H:%M:%S %Z}" if isinstance(found, datetime) else ""

    def there(self, when: datetime) -> datetime:
        """A moment in the zone in which moments are told."""
        return when.astimezone(self.zone)

    def said(self, text: str) -> str:
        """A sentence of the engine; any other text stays as it is."""
        if not isinstance(text, Sentence) or (not self._words and str(self.zone) == "UTC"):
            return text
        values = {name: self._said_value(value) for name, value in text.values.items()}
        return self(text.template, **values)

    def _said_value(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return ", ".join(str(self._said_value(one)) for one in value)
        if isinstance(value, TaskState | RunState):
            return self.state(value)
        if isinstance(value, datetime):
            return self.moment(value)
        return self.said(value) if isinstance(value, str) else value

    def duration(self, seconds: float | None) -> str:
        """`0.42 s`, `12.3 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; "" for none."""
        if seconds is None:
            return ""
        if seconds < 60:
            figures = f"{max(seconds, 0):.2f}" if seconds < 10 else f"{seconds:.1f}"
            return self._seconds.replace("{n}", figures)  # a grid says thousands of them
        whole = round(seconds)
        for (size, big), (rest, small) in zip(_UNITS, _UNITS[1:], strict=False):
            if whole >= size:
                tail = whole % size // rest
                text = self(f"{{n}} {big}", n=whole // size)
                return f"{text} {self(f'{{n}} {small}', n=tail)}" if tail else text
        raise AssertionError("a minute or more has a unit")

    def so_far(self, seconds: float) -> str:
        """The same in whole seconds, as the page goes on counting."""
        return self("{n} s", n=max(int(seconds), 0)) if seconds < 60 else self.duration(int(seconds))

    def month(self, day: date) -> str:
        """`Jan 2026`."""
        return f"{day.year}년 {day.month}월" if self.code == "ko" else f"{day:%b %Y}"

    def day(self, day: date) -> str:
        """`05 Jan`."""
        return f"{day.month}월 {day.day}일" if self.code == "ko" else f"{day:%d %b}"

    def full_day(self, day: date) -> str:
        """`Mon 05 Jan 2026`."""
        return f"{self.month(day)} {day.day}일 ({self(f'{day:%a}')})" if self.code == "ko" else f"{day:%a %d %b %Y}"

    def relative(self, when: datetime, now: datetime) -> str:
        """`in 3 h`, `2 min ago`, `now`: the largest unit only, so that a page need not count seconds for hours."""
        seconds = (when - now).total_seconds()
        if abs(seconds) < 1:
            return self("now")
        size, unit = next((size, unit) for size, unit in _UNITS if abs(seconds) >= size)
        amount = self(f"{{n}} {unit}", n=int(abs(seconds) // size))
        return self("in {time}" if seconds > 0 else "{time} ago", time=amount)


ENGLISH = Language("en")


def chosen(cookie: str | None, accepted: str) -> str:
    """The language of a reader: the one chosen, or else the first known one in an Accept-Language header."""
    if cookie in LANGUAGES:
        return cookie
    wishes = []
    for place, part in enumerate(accepted.split(",")):
        name, _, weight = part.strip().partition(";q=")
        code = name.partition("-")[0].lower()
        try:
            rank = float(weight or 1)
        except ValueError:
            rank = 0.0
        if code in LANGUAGES and rank > 0:
            wishes.append((-rank, place, code))
    return min(wishes)[2] if wishes else "en"
