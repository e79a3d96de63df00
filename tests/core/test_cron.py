"""Cron texts: validity, zones, and clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.core.cron import CronTicks, NoSuchTime, parsed, plain_utc, zone_of
from asyncflow.errors import InvalidTimetable

ODD_ZONES = (
    "UTC",
    "Europe/Amsterdam",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "61 * * * *", "@never", "* * *", "0 0 * * MON-", "nonsense", "H H * * *"])
def test_what_is_no_cron_text_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(InvalidTimetable, match="is not a cron expression: "):
        parsed(text)


@pytest.mark.parametrize("text", ["R * * * *", "r(0-5) * * * *", "0 R(1-5)/2 * * *"])
def test_random_fields_are_refused(text: str) -> None:
    with pytest.raises(InvalidTimetable, match="asks for a random time"):
        parsed(text)


def test_names_with_an_r_are_not_random() -> None:
    assert parsed("0 0 * MAR FRI").expanded[3] == [3]


@pytest.mark.parametrize(
    ("name", "hours"), [("utc", 0), ("UTC", 0), ("+05:30", 5.5), ("-0800", -8), ("Asia/Kathmandu", 5.75)]
)
def test_zones_are_known_by_name_or_offset(name: str, hours: float) -> None:
    assert datetime(2024, 1, 1, tzinfo=zone_of(name)).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "Europe"])
def test_an_unknown_zone_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(InvalidTimetable, match="There is no time zone"):
        zone_of(name)


def test_a_pendulum_moment_becomes_a_plain_one() -> None:
    plain = plain_utc(pendulum.datetime(2024, 7, 1, 12, 30, 1, 5, tz="Europe/Amsterdam"))
    assert type(plain) is datetime
    assert plain == datetime(2024, 7, 1, 10, 30, 1, 5, tzinfo=UTC)
    assert plain_utc(plain) is plain


def test_ticks_follow_the_wall_clock_of_their_zone() -> None:
    daily = CronTicks("30 2 * * *", "Europe/Amsterdam")
    assert daily.after(utc("2024-01-01T00:00")) == utc("2024-01-01T01:30")
    assert daily.before(utc("2024-07-01T00:30")) == utc("2024-06-30T00:30")


def test_a_time_in_a_skipped_hour_shifts_by_it() -> None:
    daily = CronTicks("30 2 * * *", "Europe/Amsterdam")
    assert daily.after(utc("2024-03-30T12:00")) == utc("2024-03-31T01:30")
    assert daily.after(utc("2024-03-31T01:30")) == utc("2024-04-01T00:30")


def test_a_time_in_a_repeated_hour_comes_at_the_second_occurrence() -> None:
    daily = CronTicks("30 2 * * *", "Europe/Amsterdam")
    assert daily.after(utc("2024-10-26T12:00")) == utc("2024-10-27T01:30")


def test_an_hourly_cron_runs_in_both_repeated_hours() -> None:
    hourly = CronTicks("30 * * * *", "Europe/Amsterdam")
    moment, seen = utc("2024-10-26T23:30"), []
    for _ in range(3):
        moment = hourly.after(moment)
        seen.append(moment.hour)
    assert seen == [0, 1, 2]
    assert CronTicks("30 */2 * * *", "Europe/Amsterdam").after(utc("2024-10-27T00:00")) == utc("2024-10-27T01:30")


def test_floor_and_ceil_keep_a_moment_that_is_a_tick() -> None:
    daily = CronTicks("0 0 * * *", "UTC")
    midnight, noon = utc("2024-01-02T00:00"), utc("2024-01-02T12:00")
    assert daily.floor(midnight) == daily.ceil(midnight) == midnight == daily.floor(noon)
    assert daily.ceil(noon) == utc("2024-01-03T00:00")


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 2,4,6 *", "0 0 1 1 * 0 2020"])
def test_a_text_without_a_further_time_says_so_quickly(text: str) -> None:
    with pytest.raises(NoSuchTime, match="names no time there"):
        CronTicks(text, "UTC").after(utc("2024-01-01T00:00"))


@given(
    moment=st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    text=st.sampled_from(["0 * * * *", "30 2 * * *", "*/7 * * * *", "0 0 * * 1", "15 */2 * * *", "0 1 1 * *"]),
    zone=st.sampled_from(ODD_ZONES),
)
def test_the_next_tick_is_always_later(moment: datetime, text: str, zone: str) -> None:
    assert CronTicks(text, zone).after(moment) > moment
