from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.core.commands import Journal, SaveDagState, SaveTry
from asyncflow.core.models import Backfill, DagRun, Pool, TaskInstance
from asyncflow.store.rows import RowCodec, from_micros, names_json, to_json, to_micros
from tests.store.builders import NOW, a_run, a_ti


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_survives_to_the_microsecond(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment


def test_times_of_other_zones_are_stored_as_utc() -> None:
    local = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert from_micros(to_micros(local)) == datetime(2026, 1, 1, tzinfo=UTC)
    assert from_micros(to_micros(None)) is None


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        to_micros(datetime(2026, 1, 1))


def test_lists_become_json_and_none_means_no_filter() -> None:
    assert names_json(None) is None
    assert names_json([]) == "[]"
    assert names_json(["a", 1]) == '["a", 1]'
    assert to_json(None) is None


def test_columns_that_are_no_fields_are_left_out() -> None:
    db = sqlite3.connect(":memory:")
    codec = RowCodec(Pool)
    pool = Pool(name="p", slots=3, include_deferred=True)
    query = "SELECT 9 AS run, :name AS name, :slots AS slots, :description AS description"
    cursor = db.execute(query + ", :include_deferred AS include_deferred", codec.params(pool))
    assert codec.load(cursor) == [pool]
    assert codec.load_one(db.execute("SELECT 1 AS name WHERE 0")) is None
    db.close()


@pytest.mark.parametrize(
    ("kind", "table", "elsewhere"),
    [
        (DagRun, "dag_run", set()),
        (TaskInstance, "task_instance", {"dag_id", "run_id"}),
        (SaveTry, "task_try", {"key"}),
        (Journal, "journal", set()),
        (SaveDagState, "dag", set()),
        (Pool, "pool", set()),
        (Backfill, "backfill", set()),
    ],
)
def test_every_field_of_a_struct_has_a_column(
    kind: type[msgspec.Struct], table: str, elsewhere: set[str], schema: sqlite3.Connection
) -> None:
    columns = {row[1] for row in schema.execute(f"PRAGMA table_info({table})")}
    assert set(kind.__struct_fields__) - columns == elsewhere


@pytest.mark.parametrize(
    "row", [a_run(conf={"x": [1, "é"]}), a_ti(next_kwargs={"k": None}, skips=("b",), ended_at=NOW)]
)
def test_sql_takes_what_the_codec_gives(row: msgspec.Struct) -> None:
    assert all(type(v) in (int, str, float, bool, type(None)) for v in RowCodec(type(row)).params(row).values())
