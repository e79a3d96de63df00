"""Schedules in words, short, for people: "Every day at 02:30", "Every 5 minutes"."""

from __future__ import annotations

from datetime import timedelta

from dateutil.relativedelta import relativedelta

from asyncflow.core.cron import parsed

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October") + (
    "November",
    "December",
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
    if not day and time.startswith("at "):
        time = f"every day {time}"
    month = "" if months == ["*"] else "in " + _listed([_MONTHS[m - 1] for m in months])
    text = " ".join(part for part in (time, day, month) if part)
    return text[0].upper() + text[1:]


def _time_words(minutes: list[int | str], hours: list[int | str]) -> str | None:
    at = "" if minutes == [0] else f" at minute {_listed(minutes)}"
    if hours == ["*"]:
        if minutes == ["*"]:
            return "every minute"
        step = _even_step(minutes, 60)
        return f"every {step} minutes" if step else f"every hour{at}"
    if minutes == ["*"]:
        return None
    step = _even_step(hours, 24)
    if step and len(minutes) == 1:
        return f"every {step} hours{at}"
    times = [f"{int(h):02}:{int(m):02}" for h in hours for m in minutes]
    return f"at {_listed(times)}" if len(times) <= 4 else None


def _even_step(values: list[int | str], size: int) -> int:
    """The distance of evenly spread values from 0 that fill `size`; 0 if there is none or just one value."""
    step = size // len(values)
    return step if len(values) > 1 and values == list(range(0, size, step)) else 0


def _day_words(days: list[int | str], weekdays: list[int | str]) -> str:
    parts = []
    if days != ["*"]:
        parts.append(f"on day {_listed(days)} of the month")
    if weekdays != ["*"]:
        numbers = [int(day) for day in weekdays]
        if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
            parts.append(f"on {_DAYS[numbers[0]]} to {_DAYS[numbers[-1]]}")
        else:
            parts.append("on " + _listed([_DAYS[number] for number in numbers]))
    return " or ".join(parts)


def _listed(items: list[int | str] | list[str]) -> str:
    words = [str(item) for item in items]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def span_words(delta: timedelta | relativedelta) -> str:
    if isinstance(delta, relativedelta):
        counts = {unit: getattr(delta, f"{unit}s") for unit in ("year", "month", "day", "hour", "minute", "second")}
        if any(getattr(delta, unit) is not None for unit in (*counts, "weekday")):
            return str(delta)
    else:
        minutes, seconds = divmod(delta.seconds, 60)
        counts = {"day": delta.days, "hour": minutes // 60, "minute": minutes % 60, "second": seconds}
    parts = [(f"{count} {unit}s" if count != 1 else unit) for unit, count in counts.items() if count]
    # "day and 2 hours" reads badly: only a lone unit drops its 1
    if len(parts) > 1:
        parts = [part if part[0].isdigit() else f"1 {part}" for part in parts]
    return " ".join(parts) or str(delta)
