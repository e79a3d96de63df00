"""The moments between which a schedule counts: the ticks of a cron text, or any moment and a step from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from dateutil.relativedelta import relativedelta, weekday

from asyncflow.core.cron import CronTicks, NoSuchTime, plain_utc
from asyncflow.errors import InvalidTimetable

Span = timedelta | relativedelta


class DeltaTicks(NamedTuple):
    """A fixed step without fixed moments: every moment counts as a tick."""

    delta: Span

    def after(self, moment: datetime) -> datetime:
        return shift(moment, self.delta)

    def before(self, moment: datetime) -> datetime:
        return shift(moment, -self.delta)

    def ceil(self, moment: datetime) -> datetime:
        return moment

    def floor(self, moment: datetime) -> datetime:
        return moment


Ticks = CronTicks | DeltaTicks


def newest_start(ticks: Ticks, now: datetime) -> datetime:
    """Start of the newest interval that is complete at `now`."""
    if isinstance(ticks, DeltaTicks):
        return ticks.before(_epoch_floor(now, ticks.delta))
    last = ticks.before(now)
    # `<`, not `==`: around an odd clock change the tick after the last one can still lie in the past
    return ticks.before(last) if ticks.after(last) > now else last


def shift(moment: datetime, delta: Span) -> datetime:
    try:
        shifted: datetime = plain_utc(moment) + delta
    except (ValueError, OverflowError) as error:
        raise NoSuchTime(f"the calendar ends before {moment.isoformat()} plus {delta!r} ({error})") from None
    return shifted


def _epoch_floor(moment: datetime, delta: Span) -> datetime:
    if isinstance(delta, relativedelta):
        size = timedelta(
            days=delta.years * 365 + delta.months * 30 + delta.days,
            hours=delta.hours,
            minutes=delta.minutes,
            seconds=delta.seconds,
        )
    else:
        size = delta
    if size <= timedelta(0):
        raise NoSuchTime(f"{delta!r} has no length that could be counted from the epoch")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return plain_utc(moment) - (plain_utc(moment) - epoch) % size


def check_span(delta: Span) -> None:
    # Twice, since a relativedelta such as weekday=MO moves once and then stands still.
    moments = [datetime(2000, 1, 1, tzinfo=UTC)]
    for _ in range(2):
        try:
            moments.append(shift(moments[-1], delta))
        except NoSuchTime as error:
            raise InvalidTimetable(f"A schedule of {delta!r} has no second run: {error}.") from None
        if moments[-1] <= moments[-2]:
            raise InvalidTimetable(f"The time between two runs must be positive, not {delta!r}.")


def relativedelta_of(fields: dict[str, Any]) -> relativedelta:
    """The relativedelta of a spec's JSON-able fields. Raises InvalidTimetable."""
    given = dict(fields)
    try:
        if "weekday" in given:
            day, nth = given["weekday"]
            given["weekday"] = weekday(day, nth)
        return relativedelta(**given)
    except (TypeError, ValueError, IndexError) as error:
        raise InvalidTimetable(f"relativedelta({fields!r}) cannot be understood: {error}") from None
