"""What may stand as `schedule=`, and users' own timetable classes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from dateutil.relativedelta import MO, relativedelta

from asyncflow.authoring import timetables as tt
from asyncflow.core import timetable as core
from asyncflow.core.messages import AskTimetable
from asyncflow.errors import InvalidTimetable

NOW = datetime(2024, 6, 15, 12, tzinfo=UTC)


def day(number: int) -> pendulum.DateTime:
    return pendulum.datetime(2024, 6, number)


class Dataset:
    def __init__(self, uri: str) -> None:
        self.uri = uri


class EitherDataset:
    def as_expression(self) -> Any:
        return {"any": ["s3://a", "s3://b"]}


class AfterWorkday(tt.Timetable):
    """As in Airflow's how-to: a run for each weekday, at the midnight after it."""

    description = "after each workday"

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> tt.DataInterval:
        start = run_after.start_of("day").subtract(days=1)
        return tt.DataInterval(start=start, end=start.add(days=1))

    def next_dagrun_info(
        self, *, last_automated_data_interval: tt.DataInterval | None, restriction: tt.TimeRestriction
    ) -> tt.DagRunInfo | None:
        if last_automated_data_interval is not None:
            next_start = pendulum.instance(last_automated_data_interval.end)
        elif restriction.earliest is None:
            return None
        else:
            next_start = restriction.earliest.start_of("day")
        while next_start.isoweekday() > 5:
            next_start = next_start.add(days=1)
        if restriction.latest is not None and next_start > restriction.latest:
            return None
        return tt.DagRunInfo.interval(start=next_start, end=next_start.add(days=1))


class TwoHoursLate(tt.CronDataIntervalTimetable):
    """The usual reason to subclass a built-in one."""

    def next_dagrun_info(
        self, *, last_automated_data_interval: tt.DataInterval | None, restriction: tt.TimeRestriction
    ) -> tt.DagRunInfo | None:
        info = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        return None if info is None else tt.DagRunInfo(info.run_after.add(hours=2), info.data_interval)


def resolve(value: Any, dialect: Any = 2) -> core.TimetableSpec:
    return tt.resolve_schedule(value, timezone="Europe/Amsterdam", dialect=dialect).to_spec()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, core.NullTimetable()),
        ("@once", core.OnceTimetable()),
        ("@continuous", core.ContinuousTimetable()),
        ("@daily", core.CronIntervalTimetable(expression="0 0 * * *", timezone="Europe/Amsterdam")),
        ("*/5 * * * *", core.CronIntervalTimetable(expression="*/5 * * * *", timezone="Europe/Amsterdam")),
        (tt.NOTSET, core.DeltaIntervalTimetable(delta=timedelta(days=1))),
        (pendulum.duration(hours=2), core.DeltaIntervalTimetable(delta=timedelta(hours=2))),
        (relativedelta(months=1), core.RelativeDeltaTimetable(fields={"months": 1})),
        (
            relativedelta(days=1, weekday=MO(2), hour=0),
            core.RelativeDeltaTimetable(fields={"days": 1, "hour": 0, "weekday": [0, 2]}),
        ),
        (Dataset("s3://a"), core.DatasetTimetable(expression="s3://a")),
        ([Dataset("s3://a"), Dataset("s3://b")], core.DatasetTimetable(expression={"all": ["s3://a", "s3://b"]})),
        (EitherDataset(), core.DatasetTimetable(expression={"any": ["s3://a", "s3://b"]})),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_is_legal_as_schedule_becomes_a_spec(value: Any, expected: core.TimetableSpec) -> None:
    assert resolve(value) == expected


def test_in_airflow_3_files_texts_and_deltas_are_triggers() -> None:
    assert resolve("@daily", dialect=3) == core.CronTriggerTimetable(
        expressions=("0 0 * * *",), timezone="Europe/Amsterdam"
    )
    assert resolve(timedelta(hours=1), dialect=3) == core.DeltaTriggerTimetable(delta=timedelta(hours=1))
    assert resolve(tt.NOTSET, dialect=3) == core.NullTimetable()


@pytest.mark.parametrize("value", [5, 3.5, b"@daily", object(), {"a": 1}])
def test_what_is_no_schedule_is_refused(value: Any) -> None:
    with pytest.raises(InvalidTimetable, match="is not a schedule: give a cron text"):
        resolve(value)


def test_a_list_of_other_things_than_datasets_is_refused() -> None:
    with pytest.raises(InvalidTimetable, match="must be datasets or conditions"):
        resolve([Dataset("s3://a"), "s3://b"])


@pytest.mark.parametrize("timetable", [AfterWorkday(), TwoHoursLate("0 0 * * *", "UTC")])
def test_a_users_class_is_custom_even_if_it_extends_a_built_in_one(timetable: tt.Timetable) -> None:
    spec = timetable.to_spec()
    assert isinstance(spec, core.CustomTimetable)
    assert spec.name.endswith(type(timetable).__name__)
    assert spec.description == timetable.description
    assert tt.resolve_schedule(timetable, timezone="UTC", dialect=2) is timetable


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("Europe/Amsterdam", "Europe/Amsterdam"),
        (ZoneInfo("Asia/Tokyo"), "Asia/Tokyo"),
        (pendulum.timezone("Asia/Tokyo"), "Asia/Tokyo"),
        (pendulum.timezone(19800), "+05:30"),
        (pendulum.UTC, "UTC"),
        (UTC, "UTC"),
        (timezone(timedelta(hours=-3, minutes=-30)), "-03:30"),
    ],
)
def test_zones_of_any_make_have_a_name(zone: str | tzinfo, name: str) -> None:
    timetable = tt.CronTriggerTimetable("0 0 * * *", timezone=zone)
    assert timetable.to_spec() == core.CronTriggerTimetable(expressions=("0 0 * * *",), timezone=name)
    assert timetable._timezone.utcoffset(NOW) == pendulum.instance(NOW).in_timezone(timetable._timezone).utcoffset()


def test_a_zone_without_a_name_is_refused() -> None:
    class Nameless(tzinfo):
        def utcoffset(self, _: datetime | None) -> None:
            return None

    with pytest.raises(InvalidTimetable, match="has no name"):
        tt.CronDataIntervalTimetable("0 0 * * *", Nameless())


def test_bad_arguments_are_refused_with_a_sentence() -> None:
    with pytest.raises(InvalidTimetable, match="A cron expression is a text"):
        tt.CronDataIntervalTimetable(5, "UTC")  # type: ignore[arg-type]
    with pytest.raises(InvalidTimetable, match="needs at least one cron expression"):
        tt.MultipleCronTriggerTimetable(timezone="UTC")
    with pytest.raises(InvalidTimetable, match="is a timedelta or a relativedelta, not 5"):
        tt.DeltaTriggerTimetable(5).to_spec()  # type: ignore[arg-type]
    with pytest.raises(InvalidTimetable, match="an event date must be a datetime with a time zone"):
        tt.EventsTimetable([datetime(2024, 1, 1)])
    with pytest.raises(InvalidTimetable, match="is not a cron expression"):
        tt.CronDataIntervalTimetable("61 * * * *", "UTC").validate()


def test_built_in_classes_answer_in_pendulum() -> None:
    daily = tt.CronDataIntervalTimetable("@daily", timezone="UTC")
    info = daily.next_dagrun_info(
        last_automated_data_interval=tt.DataInterval(day(1), day(2)),
        restriction=tt.TimeRestriction(day(1), None, catchup=True),
    )
    assert info == tt.DagRunInfo.interval(day(2), day(3))
    assert info.logical_date == day(2)
    assert all(isinstance(moment, pendulum.DateTime) for moment in (info.run_after, *info.data_interval))
    assert daily.infer_manual_data_interval(run_after=day(5).add(hours=1)) == tt.DataInterval(day(4), day(5))


def test_the_inner_steps_that_subclasses_call_work() -> None:
    daily = tt.CronDataIntervalTimetable("@daily", timezone="UTC")
    noon = day(5).add(hours=12)
    assert [daily._get_prev(noon), daily._align_to_prev(noon)] == [day(5), day(5)]
    assert [daily._get_next(noon), daily._align_to_next(noon)] == [day(6), day(6)]
    assert daily._skip_to_latest(pendulum.datetime(2100, 1, 1)) == pendulum.datetime(2100, 1, 1)
    assert tt.DeltaDataIntervalTimetable(timedelta(hours=1))._get_next(noon) == noon.add(hours=1)
    assert tt.DeltaTriggerTimetable(timedelta(hours=1))._align_to_prev(noon) == noon
    assert tt.CronTriggerTimetable("@hourly", timezone="UTC")._get_next(noon) == noon.add(hours=1)


def test_several_crons_in_one_timetable() -> None:
    several = tt.MultipleCronTriggerTimetable(
        "@daily", "0 6 * * *", timezone="UTC", interval=relativedelta(days=1), run_immediately=True
    )
    assert several.to_spec() == core.CronTriggerTimetable(
        expressions=("0 0 * * *", "0 6 * * *"), interval_fields={"days": 1}, run_immediately=True
    )
    assert several.serialize()["expressions"] == ["0 0 * * *", "0 6 * * *"]


def test_dataset_or_time_asks_its_inner_timetable() -> None:
    both = tt.DatasetOrTimeSchedule(timetable=AfterWorkday(), datasets=[Dataset("s3://a")])
    spec = both.to_spec()
    assert spec == core.CustomTimetable(
        name="asyncflow.authoring.timetables.DatasetOrTimeSchedule",
        summary="Dataset or AfterWorkday",
        description="Triggered by datasets or after each workday",
    )
    assert both.infer_manual_data_interval(run_after=day(5)) == tt.DataInterval(day(4), day(5))
    info = both.next_dagrun_info(
        last_automated_data_interval=None, restriction=tt.TimeRestriction(day(1), None, catchup=True)
    )
    assert info is not None
    assert info.logical_date == day(3)  # 1 June 2024 is a Saturday
    assert tt.DatasetOrTimeSchedule(timetable=AfterWorkday(), assets=EitherDataset()).summary.startswith("Dataset or")


def test_dataset_or_time_with_a_built_in_timetable_is_known_to_the_server() -> None:
    both = tt.DatasetOrTimeSchedule(timetable=tt.CronTriggerTimetable("@daily", timezone="UTC"), assets=EitherDataset())
    assert both.to_spec() == core.DatasetOrTimeTimetable(
        expression={"any": ["s3://a", "s3://b"]}, inner=core.CronTriggerTimetable(expressions=("0 0 * * *",))
    )


def test_timetables_are_equal_by_what_they_say() -> None:
    assert tt.CronDataIntervalTimetable("@daily", "UTC") == tt.CronDataIntervalTimetable("0 0 * * *", "UTC")
    assert tt.CronDataIntervalTimetable("@daily", "UTC") != tt.CronDataIntervalTimetable("@daily", "Asia/Tokyo")
    assert tt.NullTimetable() != tt.OnceTimetable()
    assert len({tt.NullTimetable(), tt.NullTimetable()}) == 1
    assert repr(tt.CronDataIntervalTimetable("@daily", "UTC")) == "<CronDataIntervalTimetable 0 0 * * *>"


def test_descriptions_are_worked_out_unless_given() -> None:
    daily = tt.CronDataIntervalTimetable("@daily", "UTC")
    assert daily.description == "Every day at 00:00"
    daily.description = "when the day is over"
    assert daily.description == "when the day is over"
    assert tt.EventsTimetable([day(2), day(1)], description="two days").summary == "two days"
    assert tt.EventsTimetable([day(2), day(1)]).event_dates == [day(1), day(2)]
    assert tt.ContinuousTimetable().active_runs_limit == 1


@pytest.mark.parametrize(
    ("timetable", "data"),
    [
        (tt.CronDataIntervalTimetable("@daily", "UTC"), {"expression": "0 0 * * *", "timezone": "UTC"}),
        (tt.DeltaDataIntervalTimetable(timedelta(hours=1)), {"delta": 3600.0}),
        (
            tt.DeltaTriggerTimetable(relativedelta(months=1)),
            {"delta": {"months": 1}, "interval": 0.0},
        ),
        (
            tt.EventsTimetable([day(1)]),
            {"event_dates": ["2024-06-01 00:00:00+00:00"], "restrict_to_events": False},
        ),
        (AfterWorkday(), {}),
    ],
    ids=lambda value: type(value).__name__,  # no addresses: test runs in parallel compare ids
)
def test_serialize_gives_json_values_as_in_airflow(timetable: tt.Timetable, data: dict[str, Any]) -> None:
    assert timetable.serialize() == data


def test_run_ids_can_be_asked_of_a_timetable() -> None:
    assert AfterWorkday().generate_run_id(run_type="manual", logical_date=day(1)) == "manual__2024-06-01T00:00:00+00:00"
    assert isinstance(AfterWorkday.deserialize({}), AfterWorkday)


# ---- asked by the server


def question(**fields: Any) -> AskTimetable:
    return AskTimetable(**{"request_id": "q1", "dag_id": "d", "question": "next", "now": NOW, **fields})


def test_a_custom_timetable_says_its_next_run() -> None:
    friday, saturday = datetime(2024, 6, 14, tzinfo=UTC), datetime(2024, 6, 15, tzinfo=UTC)
    monday = datetime(2024, 6, 17, tzinfo=UTC)
    answer = tt.answer(AfterWorkday(), question(last_start=friday, last_end=saturday))
    assert answer.error is None
    assert (answer.logical_date, answer.start, answer.end) == (monday, monday, datetime(2024, 6, 18, tzinfo=UTC))
    assert answer.run_after == datetime(2024, 6, 18, tzinfo=UTC)
    assert type(answer.run_after) is datetime


def test_a_custom_timetable_may_have_no_next_run() -> None:
    answer = tt.answer(AfterWorkday(), question(earliest=NOW, latest=NOW - timedelta(days=9)))
    assert (answer.request_id, answer.run_after, answer.error) == ("q1", None, None)


def test_a_custom_timetable_says_the_interval_of_a_run_by_hand() -> None:
    answer = tt.answer(AfterWorkday(), question(question="manual"))
    assert (answer.logical_date, answer.start, answer.end, answer.run_after) == (NOW, day(14), day(15), NOW)


def test_a_subclass_sees_the_moment_it_was_asked_for_as_now() -> None:
    answer = tt.answer(TwoHoursLate("@daily", "UTC"), question(catchup=False, earliest=day(1)))
    assert answer.start == day(14)
    assert answer.run_after == day(15).add(hours=2)


@pytest.mark.parametrize("kind", ["next", "manual"])
def test_errors_of_user_code_become_an_answer(kind: str) -> None:
    class Broken(tt.Timetable):
        pass

    answer = tt.answer(Broken(), question(question=kind))
    assert answer.error is not None
    assert answer.error.startswith("Broken: NotImplementedError: Broken does not say")


def test_a_naive_moment_from_user_code_is_refused() -> None:
    class Naive(tt.Timetable):
        def next_dagrun_info(self, **_: Any) -> tt.DagRunInfo:
            return tt.DagRunInfo.exact(pendulum.naive(2024, 1, 1))

    answer = tt.answer(Naive(), question())
    assert answer.error is not None
    assert "the logical date must be a datetime with a time zone" in answer.error
