from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from asyncflow.core.asking import CLASSPATH
from asyncflow.store import queries
from asyncflow.store.queries import SQL, parse

WAYS = ("falling", "rising")
#: Queries of the scheduler's loop and of pages that are open all day: their cost must not grow with history.
HOT = [
    *("insert_run", "update_run", "run_state", "load_run", "run_exists", "run_before", "last_automated_run"),
    *("insert_task", "update_task", "task_state", "delete_task", "list_tasks", "load_task", "drop_other_try"),
    *("save_try", "list_tries", "save_rendered", "load_rendered", "append_journal", "list_journal"),
    *("list_journal_of_dag", "list_journal_of_run", "delete_xcom", "insert_xcom", "clear_xcoms", "xcom_rows"),
    *("load_active_runs", "load_active_tasks", "find_runs_of_dag_newest", "find_runs_of_dag_oldest", "save_dag_state"),
    *("dag_place", "update_dag", "deactivate_missing", "get_variable", "get_connection", "list_pending_callbacks"),
    *("note_dataset", "insert_dataset_event", "note_alias", "queue_dataset", "save_consumer", "trim_dataset_queue"),
    *("take_dataset_events", "find_dataset", "events_of_dataset_newest", "events_of_dataset_oldest", "events_of_run"),
    *("runs_of_event", "runs_by_id"),
    *("find_runs_newest", "find_runs_oldest", "xcom_rows_prior", "count_runs"),
    *("page_recent_runs", "page_task_states", "page_find_runs", "page_find_runs_of_dag", "page_active_runs"),
    *("page_failed_runs", "page_unscheduled_runs"),
    *("browse_runs_newest", "browse_runs_oldest", "browse_runs_of_dag_newest", "browse_runs_of_dag_oldest"),
    *("browse_active_runs", "browse_tasks", "browse_broken", "browse_started_newest", "browse_started_oldest"),
    *("browse_duration_longest", "browse_duration_shortest", "browse_tasks_back", "browse_broken_back"),
    *("browse_retried", "browse_retried_back"),
    *("page_find_runs_oldest", "page_runs_by_start_newest", "page_runs_by_start_oldest"),
    *("page_runs_by_duration_longest", "page_runs_by_duration_shortest"),
    *("page_runs_by_state_falling", "page_runs_by_state_rising"),
    *(f"page_sorted_{of}_runs_{way}" for of in ("of_dag", "active", "failed", "unscheduled") for way in WAYS),
    *("browse_chosen", "browse_rows", "browse_names", "browse_run", "audit_of_dag", "spills_of_run", "delete_run"),
    *("page_runs_called", "page_runs_named", "page_run_tasks", "page_tasks", "page_run_place", "page_older"),
    *("page_newer", "page_tried", "dag_versions", "file_facts"),
    *("grid_runs", "numbered_run", "run_seqs", "run_cells", "run_tries", "run_readiness", "run_days"),
    *("page_backfills_of_dag_falling", "page_backfills_of_dag_rising", "page_backfill_runs"),
    *("page_runs_on", "page_runs_between"),
    *("page_events", "page_events_of", "page_events_from", "page_event_runs"),
    *("page_events_oldest", "page_events_of_oldest", "page_events_from_oldest", "audit_of_dag_oldest"),
    *("xcom_heads", "list_journal_of_task", "copies_of_task"),
    *("past_spans", "past_states", "past_instances", "usual_spans"),
]


def test_every_query_is_asked_by_some_code() -> None:
    texts = "".join(path.read_text() for path in Path(queries.__file__).parent.glob("*.py"))
    words = set(re.findall(r"\w+", texts))
    # the code adds the direction of a list to its name
    assert [name for name in SQL if not {name, re.sub("_(newest|oldest)$", "", name)} & words] == []


def test_queries_know_the_trigger_of_tasks_that_ask() -> None:
    asking = [text for text in SQL.values() if "'awaiting_input'" in text]
    assert len(asking) > 3
    assert all(f"'classpath' = '{CLASSPATH}'" in text for text in asking)


@pytest.mark.parametrize("name", SQL)
def test_every_query_can_be_prepared(name: str, schema: sqlite3.Connection) -> None:
    schema.execute(f"EXPLAIN {SQL[name]}", _nothing(SQL[name]))


@pytest.mark.parametrize("name", HOT)
def test_hot_queries_read_no_whole_table(name: str, schema: sqlite3.Connection) -> None:
    plan = [row[3] for row in schema.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", _nothing(SQL[name]))]
    harmless = ("json_each", "INDEX", "subquery")  # what a subquery gives was searched for by its own step
    scans = [step for step in plan if step.startswith("SCAN") and not any(word in step for word in harmless)]
    assert scans == [], plan
    assert not [step for step in plan if "AUTOMATIC" in step], plan


@pytest.mark.parametrize("name", ["load_active_runs", "load_active_tasks"])
def test_start_reads_only_active_runs(name: str, schema: sqlite3.Connection) -> None:
    plan = " ".join(row[3] for row in schema.execute(f"EXPLAIN QUERY PLAN {SQL[name]}"))
    assert "dag_run_active" in plan


@pytest.mark.parametrize("name", ["last_automated_run", "last_automated_runs"])
def test_the_end_of_the_schedule_is_found_by_its_index(name: str, schema: sqlite3.Connection) -> None:
    plan = " ".join(row[3] for row in schema.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", {"dag_id": "d"}))
    assert "dag_run_automated" in plan


def test_every_query_is_used() -> None:
    folder = Path(queries.__file__).parent
    code = "".join(path.read_text() for path in folder.glob("*.py"))
    built = {f"find_runs{of}_{order}" for of in ("", "_of_dag") for order in ("newest", "oldest")}
    built |= {f"events_{of}{order}" for of in ("", "of_dataset_") for order in ("newest", "oldest")}
    assert [name for name in SQL if f'"{name}"' not in code and name not in built] == []


def test_every_index_names_the_query_it_serves() -> None:
    text = (Path(queries.__file__).parent / "migrations" / "001_initial.sql").read_text()
    for comment, index in re.findall(r"-- for ([^\n]*)\nCREATE INDEX (\w+)", text):
        named = [name.rstrip("*") for name in re.findall(r"\w+\*?", comment.replace("(s)", ""))]
        assert any(query.startswith(tuple(named)) for query in SQL), index
    assert text.count("-- for ") == text.count("CREATE INDEX")


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n")


def test_a_part_stands_in_every_query_that_names_it() -> None:
    text = "-- part: wanted\na = :a\n\n-- name: one\nSELECT 1 WHERE {wanted};\n-- name: two\nSELECT 2 WHERE {wanted};\n"
    assert parse(text) == {"one": "SELECT 1 WHERE a = :a", "two": "SELECT 2 WHERE a = :a"}
    with pytest.raises(ValueError, match="no parts"):
        parse("-- name: one\nSELECT {other};\n")


def _nothing(sql: str) -> dict[str, None]:
    return dict.fromkeys(re.findall(r":(\w+)", sql))


def test_what_asks_for_attention_is_counted_by_indexes(schema: sqlite3.Connection) -> None:
    plan = [row[3] for row in schema.execute(f"EXPLAIN QUERY PLAN {SQL['count_attention']}")]
    scans = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step]
    assert scans == ["SCAN CONSTANT ROW", "SCAN import_error"], plan  # a row for each broken file
