"""Schedules in words, short, for people: "Every day at 02:30", "Every 5 minutes"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce

from dateutil.relativedelta import relativedelta

from asyncflow.core.cron import parsed
from asyncflow.core.sentence import Sentence, begun

#: unit -> one of it alone, one of it among others, several
SPANS = {
    "year": ("year", "1 year", "{n} years"),
    "month": ("month", "1 month", "{n} months"),
    "day": ("day", "1 day", "{n} days"),
    "hour": ("hour", "1 hour", "{n} hours"),
    "minute": ("minute", "1 minute", "{n} minutes"),
    "second": ("second", "1 second", "{n} seconds"),
}
_DAYS = (
    *(Sentence("Sunday"), Sentence("Monday"), Sentence("Tuesday"), Sentence("Wednesday")),
    *(Sentence("Thursday"), Sentence("Friday"), Sentence("Saturday")),
)
_MONTHS = (
    *(Sentence("January"), Sentence("February"), Sentence("March"), Sentence("April"), Sentence("May")),
    *(Sentence("June"), Sentence("July"), Sentence("August"), Sentence("September"), Sentence("October")),
    *(Sentence("November"), Sentence("December")),
)


def cron_words(expression: str) -> str:
    """The usual shapes in words ("Every day at 02:30"); the text itself for the others."""
    cron = parsed(expression)
    fields = cron.expanded
    if len(fields) > 5 or cron.nth_weekday_of_month or any(isinstance(x, str) and x != "*" for f in fields for x in f):
        return expression
    minutes, hours, days, months, weekdays = fields
    time = _time_words(minutes, hours)
    if time is None:
        return expression
    day = _day_words(days, weekdays)
    if day is None and time.startswith("at "):
        time = Sentence("every day {time}", time=time)
    if months == ["*"]:
        return begun(time if day is None else Sentence("{time} {day}", time=time, day=day))
    month = Sentence("in {months}", months=_listed([_month(m) for m in months]))
    if day is None:
        return begun(Sentence("{time} {month}", time=time, month=month))
    return begun(Sentence("{time} {day} {month}", time=time, day=day, month=month))


def _time_words(minutes: list[int | str], hours: list[int | str]) -> Sentence | None:
    if hours == ["*"]:
        if minutes == ["*"]:
            return Sentence("every minute")
        step = _even_step(minutes, 60)
        return Sentence("every {n} minutes", n=step) if step else _at_minute(Sentence("every hour"), minutes)
    if minutes == ["*"]:
        return None
    step = _even_step(hours, 24)
    if step and len(minutes) == 1:
        return _at_minute(Sentence("every {n} hours", n=step), minutes)
    times = [f"{int(h):02}:{int(m):02}" for h in hours for m in minutes]
    return Sentence("at {times}", times=_listed(times)) if len(times) <= 4 else None


def _at_minute(hours: Sentence, minutes: list[int | str]) -> Sentence:
    return hours if minutes == [0] else Sentence("{hours} at minute {minutes}", hours=hours, minutes=_listed(minutes))


def _even_step(values: list[int | str], size: int) -> int:
    """The distance of evenly spread values from 0 that fill `size`; 0 if there is none or just one value."""
    step = size // len(values)
    return step if len(values) > 1 and values == list(range(0, size, step)) else 0


def _day_words(days: list[int | str], weekdays: list[int | str]) -> Sentence | None:
    of_month = None if days == ["*"] else Sentence("on day {days} of the month", days=_listed(days))
    if weekdays == ["*"]:
        return of_month
    numbers = [int(day) for day in weekdays]
    names = [_DAYS[number] for number in numbers]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        of_week = Sentence("on {first} to {last}", first=names[0], last=names[-1])
    else:
        of_week = Sentence("on {days}", days=_listed(names))
    return of_week if of_month is None else Sentence("{one} or {other}", one=of_month, other=of_week)


def _month(number: int | str) -> Sentence:
    return _MONTHS[int(number) - 1]


def _listed(items: Sequence[int | str]) -> Sentence:
    if len(items) == 1:
        return Sentence("{names}", names=tuple(items))
    return Sentence("{names} and {last}", names=tuple(items[:-1]), last=items[-1])


def span_words(delta: timedelta | relativedelta) -> str:
    if isinstance(delta, relativedelta):
        counts = {unit: getattr(delta, f"{unit}s") for unit in ("year", "month", "day", "hour", "minute", "second")}
        if any(getattr(delta, unit) is not None for unit in (*counts, "weekday")):
            return str(delta)
    else:
        minutes, seconds = divmod(delta.seconds, 60)
        counts = {"day": delta.days, "hour": minutes // 60, "minute": minutes % 60, "second": seconds}
    found = {unit: count for unit, count in counts.items() if count}
    if not found:
        return str(delta)
    # "day and 2 hours" reads badly: only a lone unit drops its 1
    parts = [Sentence(SPANS[unit][(len(found) > 1) if count == 1 else 2], n=count) for unit, count in found.items()]
    return reduce(lambda one, other: Sentence("{one} {other}", one=one, other=other), parts)
