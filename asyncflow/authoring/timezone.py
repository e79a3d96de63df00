"""Time zones as DAG authors meet them: `airflow.utils.timezone`. Naive moments are in `core.default_timezone`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, overload

import pendulum

from asyncflow.authoring.conf import conf

utc = pendulum.UTC


def default_timezone() -> pendulum.Timezone | pendulum.FixedTimezone:
    """The zone of start dates that name none."""
    name = str(conf.get("core", "default_timezone"))
    return pendulum.tz.local_timezone() if name == "system" else pendulum.timezone(name)


def is_localized(value: dt.datetime) -> bool:
    """Is the moment aware of its zone?"""
    return value.utcoffset() is not None


def is_naive(value: dt.datetime) -> bool:
    """Is the moment without zone?"""
    return value.utcoffset() is None


def plain_utc(moment: dt.datetime) -> dt.datetime:
    """A moment as the server knows it: a plain datetime in UTC, no pendulum one (whose arithmetic is another)."""
    utc_moment = convert_to_utc(moment)
    return dt.datetime.combine(utc_moment.date(), utc_moment.time(), dt.UTC)


_clock: Callable[[], dt.datetime] | None = None


def utcnow() -> pendulum.DateTime:
    """Now, in UTC."""
    return pendulum.now(utc) if _clock is None else pendulum.instance(_clock().replace(tzinfo=None), tz=utc)


@contextmanager
def virtual(clock: Callable[[], dt.datetime]) -> Iterator[None]:
    """Inside, `utcnow` is what `clock` says (UTC): for tests that play on virtual time."""
    global _clock
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before


def utc_epoch() -> pendulum.DateTime:
    """1970-01-01 in UTC."""
    return pendulum.datetime(1970, 1, 1)


@overload
def convert_to_utc(value: None) -> None: ...
@overload
def convert_to_utc(value: dt.datetime) -> pendulum.DateTime: ...
def convert_to_utc(value: dt.datetime | None) -> pendulum.DateTime | None:
    """The same moment in UTC; a naive one is read in the default zone."""
    if value is None:
        return None
    if not is_localized(value):
        value = pendulum.instance(value, default_timezone())
    return pendulum.instance(value.astimezone(utc))


@overload
def make_aware(value: None, timezone: dt.tzinfo | None = None) -> None: ...
@overload
def make_aware(value: dt.datetime, timezone: dt.tzinfo | None = None) -> dt.datetime: ...
def make_aware(value: dt.datetime | None, timezone: dt.tzinfo | None = None) -> dt.datetime | None:
    """A naive moment with a zone (default: the default zone). Raises ValueError for an aware one."""
    if value is None:
        return None
    if is_localized(value):
        raise ValueError(f"make_aware expects a naive datetime, got {value}")
    zone = timezone or default_timezone()
    # fold=1 is the second of two equal wall clock times; pendulum and zoneinfo both look at it
    return value.replace(tzinfo=zone)


def make_naive(value: dt.datetime, timezone: dt.tzinfo | None = None) -> dt.datetime:
    """The wall clock time of a moment in a zone (default: the default zone)."""
    if is_naive(value):
        raise ValueError("make_naive() cannot be applied to a naive datetime")
    return value.astimezone(timezone or default_timezone()).replace(tzinfo=None)


def datetime(*args: Any, **kwargs: Any) -> dt.datetime:
    """`datetime.datetime` that is aware unless told otherwise."""
    kwargs.setdefault("tzinfo", default_timezone())
    return dt.datetime(*args, **kwargs)  # noqa: DTZ001


def parse(string: str, timezone: Any = None, *, strict: bool = False) -> pendulum.DateTime:
    """The moment that a text names. Raises ValueError."""
    parsed = pendulum.parse(string, tz=timezone or default_timezone(), strict=strict)
    if not isinstance(parsed, pendulum.DateTime):
        raise ValueError(f"{string!r} is not a moment in time.")
    return parsed


@overload
def coerce_datetime(value: None, tz: dt.tzinfo | None = None) -> None: ...
@overload
def coerce_datetime(value: dt.datetime, tz: dt.tzinfo | None = None) -> pendulum.DateTime: ...
def coerce_datetime(value: dt.datetime | None, tz: dt.tzinfo | None = None) -> pendulum.DateTime | None:
    """An aware pendulum moment of whatever datetime is given."""
    if value is None:
        return None
    if not is_localized(value):
        value = value.replace(tzinfo=tz or default_timezone())
    return pendulum.instance(value if tz is None else value.astimezone(tz))


def td_format(value: dt.timedelta | float | None) -> str | None:
    """A duration as "1d:2h:3M:4s"."""
    if not value:
        return None
    seconds = int(value.total_seconds() if isinstance(value, dt.timedelta) else value)
    parts = []
    for size, letter in ((86400, "d"), (3600, "h"), (60, "M"), (1, "s")):
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount}{letter}")
    return ":".join(parts) or "<1s"


def parse_timezone(name: str | int) -> pendulum.Timezone | pendulum.FixedTimezone:
    """A zone by name, or by offset in seconds."""
    return pendulum.timezone(name)


def zone_of(value: dt.datetime | None) -> pendulum.Timezone | pendulum.FixedTimezone:
    """The zone of a moment; the default zone for a naive one and for None."""
    if value is None or value.tzinfo is None:
        return default_timezone()
    zone = pendulum.instance(value).timezone
    return zone if zone is not None else default_timezone()
