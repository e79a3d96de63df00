"""Airflow 3.3's partitioned assets, as far as they are kept."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from asyncflow.authoring import partitions as p
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.dataset import Dataset
from asyncflow.authoring.serialize import to_spec
from asyncflow.core.timetable import CronTriggerTimetable, DatasetTimetable, NullTimetable

MOMENT = "2026-06-17T03:20:10"  # a wednesday


@pytest.mark.parametrize(
    ("mapper", "key", "mapped"),
    [
        (p.IdentityMapper(), "us", "us"),
        (p.FixedKeyMapper("all"), "us", "all"),
        (p.AllowedKeyMapper(["us"]), "us", "us"),
        (p.StartOfHourMapper(), MOMENT, "2026-06-17T03"),
        (p.StartOfDayMapper(), MOMENT, "2026-06-17"),
        (p.StartOfWeekMapper(), MOMENT, "2026-06-15"),
        (p.StartOfMonthMapper(input_format="%Y-%m-%d"), "2026-06-17", "2026-06"),
        (p.StartOfQuarterMapper(), MOMENT, "2026-04"),
        (p.StartOfYearMapper(output_format="year %Y"), MOMENT, "year 2026"),
        (p.ProductMapper(p.IdentityMapper(), p.StartOfDayMapper()), f"us|{MOMENT}", "us|2026-06-17"),
        (p.RollupMapper(upstream_mapper=p.StartOfDayMapper(), window=p.DayWindow()), MOMENT, "2026-06-17"),
    ],
)
def test_keys_are_mapped(mapper: p.PartitionMapper, key: str, mapped: str) -> None:
    assert mapper.to_downstream(key) == mapped


@pytest.mark.parametrize(
    ("mapper", "message"),
    [
        (p.AllowedKeyMapper(["us", "eu"]), "none of us, eu"),
        (p.ProductMapper(p.IdentityMapper(), p.IdentityMapper()), "has 1 parts"),
        (p.StartOfDayMapper(), "does not match"),
    ],
)
def test_keys_that_do_not_fit_are_refused(mapper: p.PartitionMapper, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mapper.to_downstream("asia")


@pytest.mark.parametrize(
    ("schedule", "spec"),
    [
        (p.PartitionedAssetTimetable(assets=Dataset("s3://x")), DatasetTimetable),
        (p.CronPartitionTimetable("0 * * * *", timezone="UTC"), CronTriggerTimetable),
        (p.PartitionedAtRuntime(), NullTimetable),
    ],
)
def test_schedules_stand_for_plain_ones(schedule: Any, spec: type) -> None:
    dag = DAG("d", schedule=schedule, start_date=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    assert isinstance(to_spec(dag).timetable, spec)


def test_arguments_are_kept() -> None:
    window = p.SegmentWindow(["us", "eu"], direction=p.Window.Direction.BACKWARD)
    rollup = p.RollupMapper(upstream_mapper=p.IdentityMapper(), window=window, wait_policy=p.MinimumCount(-1))
    fan_out = p.FanOutMapper(upstream_mapper=p.IdentityMapper(), window=window, max_downstream_keys=7)
    assert (rollup.window.direction, rollup.wait_policy.count) == (p.Window.Direction.BACKWARD, -1)
    assert (window.segments, fan_out.max_downstream_keys) == (["us", "eu"], 7)
    assert isinstance(p.RollupMapper(upstream_mapper=p.IdentityMapper(), window=window).wait_policy, p.WaitForAll)
