"""`airflow.utils.dates`."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, cast

import pendulum
from dateutil.relativedelta import relativedelta

from asyncflow.authoring import timezone

cron_presets = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}


def days_ago(n: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0) -> pendulum.DateTime:
    """Midnight UTC (or the time given) `n` days before today."""
    today = timezone.utcnow().replace(hour=hour, minute=minute, second=second, microsecond=microsecond)
    return today - dt.timedelta(days=n)


def parse_execution_date(execution_date_str: str) -> pendulum.DateTime:
    """The moment that a text names."""
    return timezone.parse(execution_date_str)


def date_range(
    start_date: dt.datetime,
    end_date: dt.datetime | None = None,
    num: int | None = None,
    delta: str | dt.timedelta | relativedelta | None = None,
) -> list[dt.datetime]:
    """Moments from `start_date` on: up to `end_date`, or `num` of them (backwards if negative), `delta` apart."""
    if not delta:
        return []
    if end_date and start_date > end_date:
        raise ValueError("Wait. start_date needs to be before end_date")
    if end_date and num:
        raise ValueError("Wait. Either specify end_date OR num")
    if isinstance(delta, str):
        return _cron_range(start_date, end_date, num, cron_presets.get(delta, delta))
    end = end_date or (timezone.utcnow() if not num else None)
    found: list[dt.datetime] = []
    moment, step = start_date, cast(dt.timedelta, abs(delta))
    back = num is not None and num < 0
    while (end is not None and moment <= end) or (num is not None and len(found) < abs(num)):
        found.append(moment)
        moment = moment - step if back else moment + step
    return sorted(found)


def _cron_range(start: dt.datetime, end: dt.datetime | None, num: int | None, cron: str) -> list[dt.datetime]:
    from croniter import croniter

    last = end or (timezone.utcnow() if not num else None)
    ticks: Any = croniter(cron, start - dt.timedelta(microseconds=1))
    found: list[dt.datetime] = []
    if num is not None and num < 0:
        ticks = croniter(cron, start + dt.timedelta(microseconds=1))
        return sorted(ticks.get_prev(dt.datetime) for _ in range(-num))
    while num is None or len(found) < num:
        moment = ticks.get_next(dt.datetime)
        if last is not None and moment > last:
            break
        found.append(moment)
    return found


def round_time(
    moment: dt.datetime, delta: dt.timedelta | relativedelta, start_date: dt.datetime | None = None
) -> dt.datetime:
    """The multiple of `delta` after `start_date` (the year 1) that is nearest to `moment`."""
    start = (start_date or dt.datetime(1, 1, 1)).replace(tzinfo=moment.tzinfo)  # noqa: DTZ001
    if isinstance(delta, relativedelta):
        while start + delta <= moment:
            start += delta
        return start if moment - start <= (start + delta) - moment else start + delta
    steps = round((moment - start) / delta)
    return start + steps * delta


TimeUnit = Literal["days", "hours", "minutes", "seconds"]
_UNIT_SECONDS: dict[str, int] = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


def infer_time_unit(time_seconds_arr: list[float]) -> TimeUnit:
    """The largest unit in which the longest of these durations (seconds) reads well."""
    longest = max(time_seconds_arr, default=0)
    if not time_seconds_arr:
        return "hours"
    if longest <= 120:
        return "seconds"
    if longest <= 7200:
        return "minutes"
    return "hours" if longest <= 172800 else "days"


def scale_time_units(time_seconds_arr: list[float], unit: TimeUnit) -> list[float]:
    """Durations in seconds, expressed in `unit`."""
    return [seconds / _UNIT_SECONDS[unit] for seconds in time_seconds_arr]
