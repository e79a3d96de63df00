"""The arguments of timetables: zones, spans, moments and cron texts of any make, brought into the form of the specs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from dateutil.relativedelta import relativedelta

from asyncflow.core.cron import PRESETS, zone_of
from asyncflow.errors import InvalidTimetable

Delta = dt.timedelta | relativedelta


def zone_name(zone: str | dt.tzinfo) -> str:
    """The name under which `core.cron.zone_of` finds a zone again. Raises InvalidTimetable for one without a name."""
    for attribute in ("key", "name", "zone"):
        name = getattr(zone, attribute, None)
        if isinstance(name, str) and name:
            return name
    if isinstance(zone, str):
        zone_of(zone)
        return zone
    offset = zone.utcoffset(None)
    if offset is None:
        raise InvalidTimetable(f"The time zone {zone!r} has no name; use pendulum.timezone('Europe/Amsterdam').")
    sign, minutes = ("-", -offset) if offset < dt.timedelta(0) else ("+", offset)
    hours, rest = divmod(minutes // dt.timedelta(minutes=1), 60)
    return f"{sign}{hours:02}:{rest:02}" if offset else "UTC"


def cron_text(cron: Any) -> str:
    if not isinstance(cron, str):
        raise InvalidTimetable(f"A cron expression is a text such as '0 6 * * *', not {cron!r}.")
    return PRESETS.get(cron, cron)


def pendulum_zone(name: str) -> pendulum.Timezone | pendulum.FixedTimezone:
    offset = zone_of(name).utcoffset(None)
    return pendulum.timezone(name if offset is None or not offset else int(offset.total_seconds()))


def span_parts(delta: Any) -> tuple[dt.timedelta, dict[str, Any] | None]:
    """A timedelta as it is, a relativedelta as its fields (with an empty timedelta before)."""
    if isinstance(delta, dt.timedelta):
        return dt.timedelta(0) + delta, None
    if not isinstance(delta, relativedelta):
        raise InvalidTimetable(f"The time between two runs is a timedelta or a relativedelta, not {delta!r}.")
    fields = {name: value for name, value in vars(delta).items() if not name.startswith("_") and value is not None}
    fields = {name: value for name, value in fields.items() if value or not name.endswith("s")}
    if day := fields.get("weekday"):
        fields["weekday"] = [day.weekday, day.n]
    return dt.timedelta(0), fields


def json_span(delta: Delta) -> Any:
    return delta.total_seconds() if isinstance(delta, dt.timedelta) else span_parts(delta)[1]


def aware(moment: Any, what: str) -> dt.datetime:
    if not isinstance(moment, dt.datetime) or moment.utcoffset() is None:
        raise InvalidTimetable(f"{what} must be a datetime with a time zone, not {moment!r}.")
    return moment


def utc_moment(moment: dt.datetime) -> pendulum.DateTime:
    return pendulum.instance(moment.astimezone(dt.UTC))
