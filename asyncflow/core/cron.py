"""Cron texts: the moments they name, in which zone. The only user of croniter.

Dialect: whatever croniter accepts (5, 6 or 7 fields, names, `L`, `5#2`, `?`, `@midnight`, wrap-around ranges), as in
Airflow; only its `R` (random) is refused, since a schedule must give the same answer each time it is asked.

Clock changes follow Airflow 2.11 (`airflow.timetables._cron`, recorded in tests/golden/data/timetables.json):

- a wall-clock time inside a skipped hour runs that much later (02:30 becomes 03:30);
- a wall-clock time inside a repeated hour runs at its second occurrence;
- only a cron whose hour field means "every hour" runs in both repeated hours: there the distance on the wall clock
  is added to the moment itself.
"""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from asyncflow.errors import InvalidTimetable

if TYPE_CHECKING:
    from croniter import croniter  # imported where it is used: 15 ms that task processes do without

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
"""Airflow's own names; others that start with @ are croniter's."""

_RANDOM_FIELD = re.compile(r"r(\(.*\))?(/\d+)?$", re.IGNORECASE)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)$")


class NoSuchTime(Exception):
    """A schedule names no moment in the direction looked at; never leaves `core.timetable`."""


class CronTicks(NamedTuple):
    """The moments of one cron text in one zone, as aware UTC datetimes. All four raise NoSuchTime."""

    expression: str
    timezone: str

    def after(self, moment: datetime) -> datetime:
        """The first tick later than `moment`."""
        return self._step(moment, "get_next")

    def before(self, moment: datetime) -> datetime:
        """The last tick before `moment`; in the hour that follows a skipped one it may lie after it, as in Airflow."""
        return self._step(moment, "get_prev")

    def ceil(self, moment: datetime) -> datetime:
        """`moment` if it is a tick, else the next one."""
        later = self.after(moment)
        return moment if self.before(later) == moment else later

    def floor(self, moment: datetime) -> datetime:
        """`moment` if it is a tick, else the one before it."""
        earlier = self.before(moment)
        return moment if self.after(earlier) == moment else earlier

    def _step(self, moment: datetime, direction: str) -> datetime:
        zone = zone_of(self.timezone)
        moment = plain_utc(moment)
        wall = moment.astimezone(zone).replace(tzinfo=None, fold=0)
        found = _search(self.expression, wall, direction)
        if _runs_every_hour(self.expression):
            return moment + (found - wall)
        return _wall_to_utc(found, zone)


def plain_utc(moment: datetime) -> datetime:
    """The same moment as a plain `datetime` in UTC: pendulum's subclass has an arithmetic of its own."""
    if type(moment) is datetime and moment.tzinfo is UTC:
        return moment
    there = moment.astimezone(UTC)
    day = (there.year, there.month, there.day)
    return datetime(*day, there.hour, there.minute, there.second, there.microsecond, tzinfo=UTC)


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """The zone of an IANA name, "UTC", or a fixed offset such as "+05:30". Raises InvalidTimetable."""
    if name.upper() == "UTC":
        return UTC
    if match := _OFFSET.match(name):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise InvalidTimetable(f"There is no time zone {name!r}; names are like 'Europe/Amsterdam'.") from None


def _wall_to_utc(wall: datetime, zone: tzinfo) -> datetime:
    # Of the two offsets around a clock change the smaller one is right both times: in a skipped hour it is the one
    # from before the change (so the time shifts), in a repeated hour the one from after it (the second occurrence).
    offsets = (wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0) for fold in (0, 1))
    return (wall - min(offsets)).replace(tzinfo=UTC)


@lru_cache(maxsize=512)
def parsed(expression: str) -> croniter:
    """The shared croniter of a text: copy before use, `expanded` may be read. Raises InvalidTimetable."""
    from croniter import CroniterError, croniter

    if any(_RANDOM_FIELD.match(field) for field in expression.split()):
        raise InvalidTimetable(f"The cron expression {expression!r} asks for a random time; a schedule must be fixed.")
    try:
        return croniter(expression, datetime(2000, 1, 1, tzinfo=UTC))
    except (CroniterError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidTimetable(f"{expression!r} is not a cron expression: {error}") from error


def _search(expression: str, wall: datetime, direction: str) -> datetime:
    from croniter import CroniterError

    # A parsed croniter costs 90 us to build and a few to copy; searching changes it, so the cached one stays untouched.
    cron = copy.copy(parsed(expression))
    try:
        found: datetime = getattr(cron, direction)(datetime, start_time=wall)
    except (CroniterError, OverflowError, ValueError) as error:
        raise NoSuchTime(f"the cron expression {expression!r} names no time there: {error}") from None
    return found.replace(tzinfo=None)


def _runs_every_hour(expression: str) -> bool:
    return bool(parsed(expression).expanded[1] == ["*"])
