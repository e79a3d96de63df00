"""Days of the week by name and ISO number."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any


class WeekDay(IntEnum):
    """A day of the week; the value is the ISO number."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7

    @classmethod
    def get_weekday_number(cls, week_day_str: str) -> WeekDay:
        """The day of an English name. Raises AttributeError."""
        try:
            return cls[week_day_str.upper()]
        except KeyError:
            raise AttributeError(f'Invalid Week Day passed: "{week_day_str}"') from None

    @classmethod
    def convert(cls, day: str | WeekDay) -> int:
        """The ISO number of a day or name."""
        return int(day if isinstance(day, WeekDay) else cls.get_weekday_number(day))

    @classmethod
    def validate_week_day(cls, week_day: Any) -> set[int]:
        """The ISO numbers of one day or several, each a WeekDay or a name. Raises TypeError or AttributeError."""
        if isinstance(week_day, str | WeekDay):
            return {cls.convert(week_day)}
        if not isinstance(week_day, Iterable):
            raise TypeError(f"A week day is a name, a WeekDay, or several of them, not {type(week_day).__name__}.")
        return {cls.convert(day) for day in week_day}
