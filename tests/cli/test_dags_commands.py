"""`asyncflow dags ...` over hand-written rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Commands
from tests.cli.fake_actions import RUN, FakeActions, a_dag, a_run


def test_list_prints_a_row_per_dag_in_every_output(run: Commands) -> None:
    assert "etl.py" in run("dags", "list").stdout
    rows = run.json("dags", "list")
    assert [(row["dag_id"], row["fileloc"], row["owners"], row["is_paused"]) for row in rows] == [
        ("etl", "etl.py", "data", False),
        ("report", "report.py", "data", True),
    ]
    assert yaml.safe_load(run("dags", "list", "-o", "yaml").stdout) == rows
    plain = run("dags", "list", "-o", "plain").stdout.splitlines()
    assert plain[0].split(" | ")[0].strip() == "dag_id"
    assert len(plain) == 3


def test_list_columns_are_picked_in_order(run: Commands) -> None:
    assert run.json("dags", "list", "--columns", "tags,dag_id")[0] == {"tags": ["nightly"], "dag_id": "etl"}
    assert "no column nonsense" in run("dags", "list", "--columns", "nonsense", code=2).stderr


def test_list_remarks_on_broken_files_and_empty_folders_go_to_stderr(run: Commands, actions: FakeActions) -> None:
    actions.dags = {}
    actions.errors = [{"file": "bad.py", "line": 1, "kind": "SyntaxError", "message": "no", "traceback": "", "at": ""}]
    result = run("dags", "list")
    assert result.stdout == ""
    assert "No DAGs in" in result.stderr
    assert "1 DAG file(s) cannot be loaded" in result.stderr


def test_wide_rows_are_not_folded_in_a_pipe(run: Commands, actions: FakeActions) -> None:
    name = "a" * 150
    actions.dags = {name: a_dag(name)}
    assert name in run("dags", "list").stdout


def test_details_shows_every_property(run: Commands) -> None:
    assert run.json("dags", "details", "etl")["tasks"][0]["task_id"] == "extract"
    assert "extract, load" in run("dags", "details", "etl").stdout


def test_wrong_dag_id_offers_near_ones(run: Commands) -> None:
    assert "Did you mean 'etl'?" in run("dags", "details", "elt", code=3).stderr


def test_show_prints_dot_or_a_tree(run: Commands, tmp_path: Path) -> None:
    dot = run("dags", "show", "etl").stdout
    assert dot.startswith('digraph "etl" {')
    assert '"extract" -> "load"' in dot
    assert run("dags", "show", "etl", "--tree").stdout == "extract [BashOperator]\n    load [BashOperator]\n"
    run("dags", "show", "etl", "--save", str(tmp_path / "etl.dot"))
    assert (tmp_path / "etl.dot").read_text() == dot
    assert "cannot be written" in run("dags", "show", "etl", "--save", str(tmp_path), code=1).stderr


def test_trigger_takes_airflows_arguments(run: Commands, actions: FakeActions) -> None:
    result = run("dags", "trigger", "etl", "-c", '{"a": 1}', "-r", "mine", "-e", "2026-02-03", "-o", "json")
    (row,) = json.loads(result.stdout)
    assert (row["run_id"], row["conf"]) == ("mine", {"a": 1})
    _, params = actions.calls[-1]
    assert params["logical_date"] == "2026-02-03T00:00:00+00:00"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("-c", "nonsense"), "is not JSON"),
        (("-c", "[1]"), "is not a JSON object"),
        (("-e", "yesterday"), "is not a date: write 2024-01-31"),
    ],
)
def test_trigger_with_a_bad_value_is_a_usage_error(run: Commands, args: tuple[str, ...], words: str) -> None:
    assert words in run("dags", "trigger", "etl", *args, code=2).stderr


def test_trigger_of_a_taken_run_id_is_a_conflict(run: Commands) -> None:
    assert "already has the run" in run("dags", "trigger", "etl", "-r", RUN, code=4).stderr


def test_trigger_of_a_paused_dag_says_that_the_run_waits(run: Commands) -> None:
    assert "asyncflow dags unpause report" in run("dags", "trigger", "report").stderr


def test_pause_and_unpause(run: Commands, actions: FakeActions) -> None:
    assert run.json("dags", "pause", "etl") == [{"dag_id": "etl", "is_paused": True}]
    assert actions.dags["etl"]["paused"]
    assert run.json("dags", "unpause", "etl", "--missed", "latest") == [{"dag_id": "etl", "is_paused": False}]
    assert actions.calls[-1] == ("unpause_dag", {"dag_id": "etl", "missed": "latest"})


def test_pause_by_pattern_asks_first(run: Commands, actions: FakeActions) -> None:
    run("dags", "pause", "e.*", "--treat-dag-id-as-regex", code=1, input="n\n")
    assert actions.calls == []
    run("dags", "pause", "e.*", "--treat-dag-id-as-regex", "-y")
    assert [params["dag_id"] for _, params in actions.calls] == ["etl", "report"]
    assert "is not a regular expression" in run("dags", "pause", "(", "--treat-dag-id-as-regex", code=2).stderr
    assert "matches" in run("dags", "pause", "zzz", "--treat-dag-id-as-regex", code=3).stderr


def test_next_execution_prints_a_date_per_line(run: Commands) -> None:
    assert run("dags", "next-execution", "etl", "-n", "2").stdout.splitlines() == [
        "2026-01-02T00:00:00+00:00",
        "2026-01-03T00:00:00+00:00",
    ]
    assert run.json("dags", "next-execution", "etl")[0]["run_after"] == "2026-01-03T00:00:00+00:00"
    assert "report is paused now" in run("dags", "next-execution", "report").stderr


def test_list_runs_filters_by_state_and_date(run: Commands, actions: FakeActions) -> None:
    actions.runs.append(a_run("etl", "backfill__x", run_type="backfill", state="failed"))
    assert [row["run_id"] for row in run.json("dags", "list-runs", "-d", "etl")] == [RUN, "backfill__x"]
    assert [row["run_id"] for row in run.json("dags", "list-runs", "etl", "--state", "failed")] == ["backfill__x"]
    assert [row["run_id"] for row in run.json("dags", "list-runs", "--no-backfill")] == [RUN]
    assert run.json("dags", "list-runs", "etl", "-s", "2026-01-02") == []
    assert run.json("dags", "list-runs", "etl", "-e", "2026-01-01")[0]["start_date"] == "2026-01-02T00:00:01+00:00"
    assert "No runs." in run("dags", "list-runs", "etl", "--state", "queued").stderr


def test_list_import_errors_fails_when_there_are_any(run: Commands, actions: FakeActions) -> None:
    assert "No import errors." in run("dags", "list-import-errors").stderr
    actions.errors = [
        {"file": "bad.py", "line": 7, "kind": "SyntaxError", "message": "no colon", "traceback": "tb", "at": "now"}
    ]
    result = run("dags", "list-import-errors", "-o", "json", code=1)
    (row,) = json.loads(result.stdout)
    assert (row["filepath"], row["line"], row["error"], row["traceback"]) == ("bad.py", 7, "no colon", "tb")


@pytest.mark.parametrize("which", ["2026-01-01", RUN])
def test_state_finds_a_run_by_date_or_id(run: Commands, actions: FakeActions, which: str) -> None:
    assert run("dags", "state", "etl", which).stdout == "success\n"
    actions.runs[0]["conf"] = {"a": 1}
    assert run("dags", "state", "etl", which).stdout == 'success, {"a": 1}\n'


def test_state_of_a_date_without_run_is_none(run: Commands) -> None:
    assert run("dags", "state", "etl", "2020-01-01").stdout == "None\n"
    assert "Did you mean" in run("dags", "state", "etl", RUN[:-6], code=3).stderr


def test_delete_asks_first_and_refuses_while_a_run_runs(run: Commands, actions: FakeActions) -> None:
    run("dags", "delete", "etl", code=1, input="n\n")
    assert "etl" in actions.dags
    actions.runs[0]["state"] = "running"
    assert "has a running run" in run("dags", "delete", "etl", "-y", code=4).stderr
    actions.runs[0]["state"] = "success"
    run("dags", "delete", "etl", "-y")
    assert "etl" not in actions.dags


def test_delete_run_says_what_it_would_delete_and_asks(run: Commands, actions: FakeActions) -> None:
    said = run("dags", "delete-run", "etl", "2026-01-01", "--dry-run").stdout
    assert said == f"Would delete run {RUN} of etl (success, 2 task instances).\n"
    run("dags", "delete-run", "etl", RUN, input="n\n", code=1)
    assert actions.calls == []
    assert "Deleted run" in run("dags", "delete-run", "etl", RUN, "--yes").stdout
    assert actions.calls == [("delete_run", {"dag_id": "etl", "run_id": RUN})]


def test_delete_run_says_why_it_cannot(run: Commands, actions: FakeActions) -> None:
    actions.refused = ["It is running."]
    assert "It is running." in run("dags", "delete-run", "etl", RUN, "--yes", code=4).stderr
    assert actions.calls == []
    run("dags", "delete-run", "etl", "none", "--yes", code=3)
