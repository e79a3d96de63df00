"""Which run comes next: the rules, one by one. The whole behaviour is pinned by tests/golden/test_timetables.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.core import timetable as tt
from asyncflow.core.states import RunType
from asyncflow.core.ticks import relativedelta_of
from asyncflow.errors import InvalidTimetable

DAILY = tt.CronIntervalTimetable(expression="0 0 * * *")
NOW = datetime(2024, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ALL: list[tt.TimetableSpec] = [
    tt.NullTimetable(),
    tt.OnceTimetable(),
    tt.ContinuousTimetable(),
    DAILY,
    tt.DeltaIntervalTimetable(delta=DAY),
    tt.RelativeDeltaTimetable(fields={"months": 1}),
    tt.CronTriggerTimetable(expressions=("0 0 * * *", "0 6 * * *"), interval=DAY),
    tt.DeltaTriggerTimetable(delta=DAY),
    tt.EventsTimetable(dates=(NOW,)),
    tt.DatasetTimetable(expression={"all": ["s3://a"]}),
    tt.DatasetOrTimeTimetable(expression="s3://a", inner=DAILY),
    tt.CustomTimetable(name="mine.Odd"),
]


def day(number: int, month: int = 6) -> datetime:
    return datetime(2024, month, number, tzinfo=UTC)


def ask(spec: tt.TimetableSpec, **look: Any) -> tt.DagRunInfo | None:
    asked: dict[str, Any] = {"last": None, "earliest": day(1), "latest": None, "catchup": True, "now": NOW}
    return tt.next_run(spec, **{**asked, **look})


def start_of(spec: tt.TimetableSpec, **look: Any) -> datetime:
    info = ask(spec, **look)
    assert info is not None
    return info.logical_date


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: type(spec).__name__)
def test_a_spec_survives_the_wire(spec: tt.TimetableSpec) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(spec), type=tt.TimetableSpec) == spec


# ---- data intervals


def test_a_data_interval_run_is_due_at_its_end() -> None:
    assert ask(DAILY) == tt.DagRunInfo(day(1), tt.DataInterval(day(1), day(2)), day(2))


def test_with_catchup_the_next_run_starts_where_the_last_ended() -> None:
    assert start_of(DAILY, last=tt.DataInterval(day(3), day(4))) == day(4)


def test_without_catchup_only_the_newest_complete_interval_runs() -> None:
    assert start_of(DAILY, catchup=False) == day(14)
    assert start_of(DAILY, catchup=False, last=tt.DataInterval(day(3), day(4))) == day(14)
    assert start_of(DAILY, catchup=False, last=tt.DataInterval(day(14), day(15))) == day(15)
    assert start_of(DAILY, catchup=False, earliest=None) == day(14)


def test_an_interval_that_ends_right_now_is_complete() -> None:
    assert start_of(DAILY, catchup=False, now=day(15)) == day(14)


def test_a_start_date_between_ticks_waits_for_the_next_one() -> None:
    assert start_of(DAILY, earliest=day(1) + timedelta(hours=1)) == day(2)


def test_a_start_date_in_the_future_is_waited_for() -> None:
    assert start_of(DAILY, earliest=day(1, month=9), catchup=False) == day(1, month=9)


def test_without_start_date_and_runs_there_is_nothing_to_catch_up_with() -> None:
    assert ask(DAILY, earliest=None) is None
    assert start_of(DAILY, earliest=None, last=tt.DataInterval(day(3), day(4))) == day(4)


def test_the_end_date_is_inclusive_and_looks_at_the_start() -> None:
    last = tt.DataInterval(day(3), day(4))
    assert start_of(DAILY, last=last, latest=day(4)) == day(4)
    assert ask(DAILY, last=last, latest=day(4) - timedelta(seconds=1)) is None


def test_a_changed_schedule_goes_on_at_the_tick_before() -> None:
    assert start_of(DAILY, last=tt.DataInterval(day(3), day(4) + timedelta(hours=5))) == day(4)


def test_a_delta_starts_at_the_start_date_or_at_the_epoch() -> None:
    hours = tt.DeltaIntervalTimetable(delta=timedelta(hours=7))
    odd = day(1) + timedelta(minutes=3)
    assert start_of(hours, earliest=odd) == odd
    assert (start_of(hours, earliest=odd, catchup=False) - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(
        hours=7
    ) == timedelta(0)


def test_months_drift_at_their_ends() -> None:
    monthly = tt.RelativeDeltaTimetable(fields={"months": 1})
    last = tt.DataInterval(day(1, month=1), datetime(2024, 1, 31, tzinfo=UTC))
    info = ask(monthly, last=last, earliest=None)
    assert info is not None
    assert info.run_after == datetime(2024, 2, 29, tzinfo=UTC)


def test_a_month_counts_thirty_days_from_the_epoch() -> None:
    monthly = tt.RelativeDeltaTimetable(fields={"months": 1})
    info = ask(monthly, catchup=False, earliest=None)
    assert info is not None
    assert (info.run_after - datetime(1970, 1, 1, tzinfo=UTC)).days % 30 == 0


def test_a_schedule_without_further_times_has_no_next_run() -> None:
    for text in ("0 0 30 2 *", "0 0 1 1 * 0 2020"):
        assert ask(tt.CronIntervalTimetable(expression=text)) is None
        assert ask(tt.CronTriggerTimetable(expressions=(text,))) is None
    assert ask(tt.RelativeDeltaTimetable(fields={"years": 9000})) is None
    assert ask(tt.RelativeDeltaTimetable(fields={"day": 1}), catchup=False) is None
    assert ask(tt.RelativeDeltaTimetable(fields={"day": 1})) is None


# ---- triggers


def test_a_trigger_fires_at_the_tick() -> None:
    spec = tt.CronTriggerTimetable(expressions=("0 0 * * *",), interval=DAY)
    assert ask(spec) == tt.DagRunInfo(day(31, month=5), tt.DataInterval(day(31, month=5), day(1)), day(1))
    assert ask(spec, latest=day(1) - DAY) is None


def test_without_catchup_a_trigger_fires_for_the_newest_tick() -> None:
    spec = tt.CronTriggerTimetable(expressions=("0 0 * * *",))
    assert start_of(spec, catchup=False) == day(15)
    assert start_of(spec, catchup=False, last=tt.DataInterval.exact(day(15))) == day(16)


def test_with_catchup_a_trigger_goes_on_after_the_last_tick() -> None:
    spec = tt.CronTriggerTimetable(expressions=("0 0 * * *",))
    assert start_of(spec, last=tt.DataInterval.exact(day(3))) == day(4)


@pytest.mark.parametrize(
    ("patience", "expected"),
    [(True, day(15)), (timedelta(hours=13), day(15)), (timedelta(hours=1), day(16)), (False, day(16))],
)
def test_without_start_date_run_immediately_chooses_the_first_tick(patience: Any, expected: datetime) -> None:
    spec = tt.CronTriggerTimetable(expressions=("0 0 * * *",), run_immediately=patience)
    assert start_of(spec, earliest=None) == expected


def test_shortly_after_a_tick_the_first_run_is_that_tick() -> None:
    spec = tt.CronTriggerTimetable(expressions=("0 0 * * *",))
    assert start_of(spec, earliest=None, now=day(15) + timedelta(hours=2)) == day(15)


def test_several_crons_run_at_each_of_their_ticks() -> None:
    spec = tt.CronTriggerTimetable(expressions=("0 0 * * *", "0 6 * * *", "0 0 30 2 *"))
    assert start_of(spec, last=tt.DataInterval.exact(day(3))) == day(3) + timedelta(hours=6)
    assert start_of(spec, catchup=False) == day(15) + timedelta(hours=6)
    fired = tt.DataInterval.exact(day(15) + timedelta(hours=6))
    assert start_of(spec, catchup=False, last=fired) == day(16)


def test_a_delta_trigger_fires_every_delta() -> None:
    spec = tt.DeltaTriggerTimetable(delta=DAY, interval_fields={"hours": 1})
    assert ask(spec) == tt.DagRunInfo(
        day(1) - timedelta(hours=1), tt.DataInterval(day(1) - timedelta(hours=1), day(1)), day(1)
    )
    monthly = tt.DeltaTriggerTimetable(delta_fields={"months": 1})
    assert start_of(monthly, last=tt.DataInterval.exact(day(1, month=2))) == day(1, month=3)
    assert start_of(monthly, earliest=None, last=None) == NOW


# ---- without ticks


@pytest.mark.parametrize("spec", [tt.NullTimetable(), tt.DatasetTimetable()])
def test_some_schedules_never_run_by_themselves(spec: tt.TimetableSpec) -> None:
    assert ask(spec) is None


def test_once_means_one_run_at_the_start_date() -> None:
    once = tt.OnceTimetable()
    assert ask(once, catchup=False) == tt.DagRunInfo(day(1), tt.DataInterval.exact(day(1)), day(1))
    assert ask(once, last=tt.DataInterval.exact(day(1))) is None
    assert ask(once, earliest=None) is None
    assert ask(once, latest=day(1) - DAY) is None


def test_continuous_runs_follow_each_other() -> None:
    continuous = tt.ContinuousTimetable()
    assert ask(continuous) == tt.DagRunInfo(day(1), tt.DataInterval(day(1), NOW), NOW)
    assert start_of(continuous, last=tt.DataInterval(day(1), day(15))) == day(15)
    assert start_of(continuous, earliest=day(20)) == day(20)
    assert ask(continuous, earliest=None) is None
    assert ask(continuous, latest=day(2)) is None


def test_events_run_at_their_moments() -> None:
    events = tt.EventsTimetable(dates=(day(3), day(10), day(20)))
    assert start_of(events) == day(3)
    assert start_of(events, last=tt.DataInterval.exact(day(3))) == day(10)
    assert start_of(events, catchup=False) == day(20)
    assert start_of(events, catchup=False, earliest=None) == day(20)
    assert start_of(events, earliest=None) == day(3)
    assert ask(events, last=tt.DataInterval.exact(day(20))) is None
    assert ask(events, latest=day(2)) is None


def test_dataset_or_time_runs_as_its_inner_timetable() -> None:
    both = tt.DatasetOrTimeTimetable(inner=DAILY)
    assert ask(both) == ask(DAILY)
    assert tt.manual_interval(both, NOW) == tt.manual_interval(DAILY, NOW)


def test_a_custom_timetable_is_not_ours_to_answer() -> None:
    custom = tt.CustomTimetable(name="mine.Odd")
    with pytest.raises(tt.OnlyHostKnows, match="mine.Odd is user code"):
        ask(custom)
    with pytest.raises(tt.OnlyHostKnows, match="mine.Odd is user code"):
        tt.manual_interval(custom, NOW)


# ---- manual runs


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (DAILY, tt.DataInterval(day(14), day(15))),
        (tt.DeltaIntervalTimetable(delta=DAY), tt.DataInterval(NOW - DAY, NOW)),
        (tt.RelativeDeltaTimetable(fields={"months": 1}), tt.DataInterval(NOW.replace(month=5), NOW)),
        (tt.CronTriggerTimetable(expressions=("0 0 * * *",)), tt.DataInterval.exact(NOW)),
        (tt.DeltaTriggerTimetable(delta=DAY, interval=DAY), tt.DataInterval(NOW - DAY, NOW)),
        (tt.NullTimetable(), tt.DataInterval.exact(NOW)),
        (tt.EventsTimetable(dates=(day(3),)), tt.DataInterval.exact(NOW)),
        (tt.EventsTimetable(dates=(day(3), day(20)), restrict_to_events=True), tt.DataInterval.exact(day(3))),
        (tt.EventsTimetable(dates=(day(20),), restrict_to_events=True), tt.DataInterval.exact(day(20))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_run_by_hand_stands_for_the_interval_before_it(spec: tt.TimetableSpec, expected: tt.DataInterval) -> None:
    assert tt.manual_interval(spec, NOW) == expected


def test_a_run_by_hand_before_the_first_tick_has_no_interval() -> None:
    with pytest.raises(InvalidTimetable, match="2024-06-15.* has no data interval: the cron expression"):
        tt.manual_interval(tt.CronIntervalTimetable(expression="0 0 1 1 * 0 2030"), NOW)


def test_run_ids_tell_type_and_moment() -> None:
    assert tt.run_id(RunType.MANUAL, NOW) == "manual__2024-06-15T12:00:00+00:00"
    assert tt.run_type_of("dataset_triggered__x") is RunType.DATASET_TRIGGERED
    assert tt.run_type_of("whatever") is RunType.MANUAL


# ---- validity


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: type(spec).__name__)
def test_good_schedules_are_valid(spec: tt.TimetableSpec) -> None:
    tt.validate(spec)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (tt.CronIntervalTimetable(expression="x"), "'x' is not a cron expression"),
        (tt.CronIntervalTimetable(expression="0 0 * * *", timezone="Mars"), "There is no time zone 'Mars'"),
        (tt.CronTriggerTimetable(expressions=()), "at least one cron expression"),
        (tt.CronTriggerTimetable(expressions=("0 0 * * *", "x")), "'x' is not a cron expression"),
        (tt.DeltaIntervalTimetable(delta=timedelta(0)), "must be positive"),
        (tt.DeltaIntervalTimetable(delta=-DAY), "must be positive"),
        (tt.DeltaIntervalTimetable(delta=timedelta.max), "has no second run"),
        (tt.RelativeDeltaTimetable(fields={"weekday": [0, 1]}), "must be positive"),
        (tt.RelativeDeltaTimetable(fields={"years": 9000}), "has no second run"),
        (tt.RelativeDeltaTimetable(fields={"moons": 1}), "cannot be understood"),
        (tt.DatasetOrTimeTimetable(inner=tt.DatasetTimetable()), "cannot stand inside"),
        (tt.DatasetOrTimeTimetable(inner=tt.CronIntervalTimetable(expression="x")), "is not a cron expression"),
    ],
)
def test_bad_schedules_are_refused_with_a_sentence(spec: tt.TimetableSpec, sentence: str) -> None:
    with pytest.raises(InvalidTimetable, match=sentence):
        tt.validate(spec)


def test_a_weekday_of_a_relativedelta_survives_as_numbers() -> None:
    assert NOW + relativedelta_of({"days": 1, "weekday": [0, 1]}) == day(17) + timedelta(hours=12)


# ---- words


@pytest.mark.parametrize(
    ("spec", "summary", "words"),
    [
        (tt.NullTimetable(), "None", "Never, triggered by hand only"),
        (tt.OnceTimetable(), "@once", "Once, as soon as possible"),
        (tt.ContinuousTimetable(), "@continuous", "As often as possible, one run at a time"),
        (DAILY, "0 0 * * *", "Every day at 00:00"),
        (
            tt.CronIntervalTimetable(expression="0 0 * * *", timezone="Asia/Tokyo"),
            "0 0 * * *",
            "Every day at 00:00 (Asia/Tokyo)",
        ),
        (tt.DeltaIntervalTimetable(delta=DAY), "1 day, 0:00:00", "Every day"),
        (tt.RelativeDeltaTimetable(fields={"months": 2}), "relativedelta(months=+2)", "Every 2 months"),
        (
            tt.CronTriggerTimetable(expressions=("0 0 * * *", "0 * * * *")),
            "0 0 * * *, 0 * * * *",
            "Every day at 00:00; Every hour",
        ),
        (tt.DeltaTriggerTimetable(delta=timedelta(minutes=5)), "0:05:00", "Every 5 minutes"),
        (tt.EventsTimetable(dates=()), "0 events", "No events"),
        (
            tt.EventsTimetable(dates=(day(1), day(2))),
            "2 events",
            "2 events between 2024-06-01 00:00:00+00:00 and 2024-06-02 00:00:00+00:00",
        ),
        (tt.EventsTimetable(dates=(), description="matches"), "matches", "matches"),
        (tt.DatasetTimetable(), "Dataset", "Triggered by datasets"),
        (
            tt.DatasetOrTimeTimetable(inner=DAILY),
            "Dataset or 0 0 * * *",
            "Triggered by datasets, or: Every day at 00:00",
        ),
        (tt.CustomTimetable(name="mine.Odd"), "mine.Odd", "mine.Odd"),
        (tt.CustomTimetable(name="m.O", summary="odd", description="Odd days"), "odd", "Odd days"),
    ],
)
def test_schedules_are_shown_as_written_and_in_words(spec: tt.TimetableSpec, summary: str, words: str) -> None:
    assert tt.summary(spec) == summary
    assert tt.describe(spec) == words


# ---- laws

ZONES = st.sampled_from(["UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
CRONS = st.sampled_from(["0 * * * *", "30 2 * * *", "*/20 * * * *", "0 0 * * 1", "15 */2 * * *", "0 1 1 * *"])
STARTS = st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))


@settings(max_examples=60)
@given(text=CRONS, zone=ZONES, start=STARTS)
def test_intervals_are_contiguous_across_clock_changes(text: str, zone: str, start: datetime) -> None:
    spec = tt.CronIntervalTimetable(expression=text, timezone=zone)
    last = None
    for _ in range(20):
        info = ask(spec, earliest=start, last=last, now=start)
        assert info is not None
        assert info.data_interval.end > info.data_interval.start
        assert last is None or info.data_interval.start == last.end
        last = info.data_interval


def test_half_an_hour_of_clock_change_does_not_make_a_circle() -> None:
    """`0 * * * *` in Lord Howe cycles for ever in Airflow 2.11; here each run ends later than the one before."""
    spec = tt.CronIntervalTimetable(expression="0 * * * *", timezone="Australia/Lord_Howe")
    for change in (datetime(2024, 4, 6, 10, tzinfo=UTC), datetime(2024, 10, 5, 9, 30, tzinfo=UTC)):
        last = tt.DataInterval(change - timedelta(hours=1), change)
        for _ in range(12):
            info = ask(spec, last=last, earliest=change - DAY)
            assert info is not None
            assert info.data_interval.start == last.end < info.data_interval.end
            last = info.data_interval


@settings(max_examples=60)
@given(text=CRONS, zone=ZONES, start=STARTS, ahead=st.timedeltas(timedelta(0), timedelta(days=400)))
def test_without_catchup_at_most_one_run_is_due(text: str, zone: str, start: datetime, ahead: timedelta) -> None:
    spec = tt.CronIntervalTimetable(expression=text, timezone=zone)
    now = start + ahead
    first = ask(spec, earliest=start, catchup=False, now=now)
    assert first is not None
    second = ask(spec, earliest=start, catchup=False, now=now, last=first.data_interval)
    assert second is not None
    assert second.run_after > now or second.run_after > first.run_after
    assert second.data_interval.start >= first.data_interval.end
