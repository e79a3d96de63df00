"""The whole DAG: `dag.test()`, and a year of it on virtual time."""

from datetime import UTC, datetime

import pytest
from airflow.utils.dates import days_ago
from airflow_movies.hook import MoviesHook

ROWS = [{"movie": n, "rating": rating} for n, rating in [(1, 5), (1, 4), (2, 3), (2, 3), (3, 5)]]


@pytest.fixture
def dag(asyncflow_dagbag):
    return asyncflow_dagbag.get_dag("ratings")


def test_a_whole_run(dag, mocker):
    mocker.patch.object(MoviesHook, "get_ratings", side_effect=lambda *_, **__: iter(ROWS))
    played = dag.test(execution_date=datetime(2024, 3, 1, tzinfo=UTC))
    assert played.state == "success"
    assert played.xcoms["rank"]["return_value"] == [1, 2]
    assert played.xcoms["praise"]["return_value"] == "*****"


def test_a_year_with_a_bad_day(dag, asyncflow_engine):
    bad = datetime(2024, 5, 5, tzinfo=UTC)
    engine = asyncflow_engine(
        dag,
        start=datetime(2024, 1, 1, tzinfo=UTC),
        execute=False,
        outcomes={"fetch": lambda info: "failed" if info.run.logical_date == bad else "success"},
    )
    engine.run_until(datetime(2025, 1, 1, tzinfo=UTC))
    states = [run.state for run in engine.runs("ratings")]
    assert (len(states), states.count("failed")) == (366, 1)


def test_frozen_clock(asyncflow_clock):
    clock = asyncflow_clock("2024-01-02T06:00")
    assert days_ago(1) == datetime(2024, 1, 1, tzinfo=UTC)
    clock.shift(24 * 3600)
    assert days_ago(1).day == 2
    assert datetime.now().hour == 6
