"""`macros` in templates: the modules and functions Airflow offers there.

Read by templates only, through `authoring.context`. What plugins add is found as `macros.<plugin>.<function>`.
"""

from __future__ import annotations

import datetime as _dt
import json
import re as _re
import time
import uuid
from datetime import datetime, timedelta
from random import random
from typing import Any

import dateutil
import dateutil.parser
import dateutil.relativedelta
import pendulum as _pendulum

__all__ = [
    "datetime",
    "datetime_diff_for_humans",
    "dateutil",
    "ds_add",
    "ds_format",
    "ds_format_locale",
    "json",
    "random",
    "time",
    "timedelta",
    "uuid",
]


def ds_add(ds: str, days: int) -> str:
    """The date `days` after `ds` (YYYY-MM-DD); negative goes back."""
    if not days:
        return str(ds)
    return (datetime.strptime(str(ds), "%Y-%m-%d") + timedelta(days)).strftime("%Y-%m-%d")  # noqa: DTZ007


def ds_format(ds: str, input_format: str, output_format: str) -> str:
    """`ds`, read with one strftime format and written with another."""
    return datetime.strptime(str(ds), input_format).strftime(output_format)  # noqa: DTZ007


def ds_format_locale(ds: str, input_format: str, output_format: str, locale: str | None = None) -> str:
    """`ds`, read with a strftime format and written with a CLDR pattern ("EEEE d MMMM y") in a language ("fr_FR")."""
    moment = _pendulum.instance(datetime.strptime(str(ds), input_format))  # noqa: DTZ007
    names = _pendulum.locale(_language(locale))
    return "".join(_piece(m.group(0), moment, names) for m in _PATTERN.finditer(output_format))


_PATTERN = _re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']+|'")
#: letter of a CLDR pattern -> the numeric value it stands for
_NUMBERS: dict[str, Any] = {
    "y": lambda m: m.year,
    "u": lambda m: m.year,
    "M": lambda m: m.month,
    "L": lambda m: m.month,
    "d": lambda m: m.day,
    "D": lambda m: m.day_of_year,
    "w": lambda m: m.week_of_year,
    "H": lambda m: m.hour,
    "k": lambda m: m.hour or 24,
    "K": lambda m: m.hour % 12,
    "h": lambda m: m.hour % 12 or 12,
    "m": lambda m: m.minute,
    "s": lambda m: m.second,
    "Q": lambda m: m.quarter,
}


def _language(locale: str | None) -> str:
    """pendulum's name of a language: the territory only where it has its own words (en_US -> en_us or en)."""
    wanted = (locale or "en_US").replace("-", "_").lower()
    for name in (wanted, wanted.split("_")[0]):
        try:
            _pendulum.locale(name)
        except ValueError:
            continue
        return name
    raise ValueError(f"ds_format_locale: unknown locale {locale!r}")


def _piece(piece: str, moment: _pendulum.DateTime, names: Any) -> str:
    letter, width = piece[0], len(piece)
    if letter == "'":
        return piece[1:-1].replace("''", "'") or "'"
    if not letter.isalpha():
        return piece
    if letter in "ML" and width >= 3:
        return str(names.get(f"translations.months.{_width(width)}")[moment.month])
    if letter in "Ec" and not (letter == "c" and width < 3):
        return str(names.get(f"translations.days.{_width(width)}")[moment.weekday()])
    if letter == "a":
        return str(names.get(f"translations.day_periods.{'am' if moment.hour < 12 else 'pm'}"))
    if letter == "S":
        return f"{moment.microsecond:06d}".ljust(width, "0")[:width]
    if letter not in _NUMBERS:
        raise ValueError(f"ds_format_locale: {piece!r} is not supported in a pattern")
    number = _NUMBERS[letter](moment)
    return f"{number % 100:02d}" if piece == "yy" else f"{number:0{width}d}"


def _width(letters: int) -> str:
    return {4: "wide", 5: "narrow", 6: "short"}.get(letters, "abbreviated")


def datetime_diff_for_humans(dt: Any, since: _dt.datetime | None = None) -> str:
    """How long before or after `since` (now, if None) `dt` is, in English words."""
    other = _pendulum.instance(since) if since is not None else None
    return str(_pendulum.instance(dt).diff_for_humans(other))


def __getattr__(name: str) -> Any:
    """The macros of a plugin of this name."""
    if not name.startswith("_"):
        from asyncflow.authoring.plugins import plugin_macros

        found = plugin_macros(name)
        if found is not None:
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
