"""The comparison with stock Airflow runs, on made-up files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import corpus

FLOW = """
from airflow import DAG
from airflow.operators.python import PythonOperator
import pendulum

with DAG("flow", start_date=pendulum.datetime(2024, 1, 1), schedule=None):
    first = PythonOperator(task_id="first", python_callable=lambda: 7)
    first >> PythonOperator(task_id="second", python_callable=lambda: 1 / 0)
"""
BROKEN = "from airflow import DAG\nimport no_such_module_at_all\n"
TWO_TASKS = {
    "n_tasks": 2,
    "n_edges": 1,
    "state": "failed",
    "logical_date": "2024-06-03 00:00:00+00:00",
    "tasks": {"first": "success", "second": "failed"},
    "xcom": {"first:return_value": "7"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the two files, laid out as the script wants it."""
    root = tmp_path / "somebody+dags@abc"
    root.mkdir()
    (root / "flow.py").write_text(FLOW)
    (root / "broken.py").write_text(BROKEN)
    return tmp_path


def entry(path: str, tier: str = "run-fails", **more: Any) -> dict[str, Any]:
    fixed = {"repo": "somebody/dags", "commit": "abc", "source_set": "made-up", "notes": "", "needs": []}
    return {**fixed, "path": path, "tier": tier, **more}


def expecting(**dag: Any) -> dict[str, Any]:
    return {"imports": True, "dags": {"flow": {**TWO_TASKS, **dag}}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expected", "kind", "said"),
    [
        (expecting(), "same", ""),
        (expecting(n_edges=5), "differs", "n_edges 1, expected 5"),
        (
            expecting(tasks={"first": "success", "second": "skipped"}),
            "differs",
            "flow.second: failed, expected skipped",
        ),
        (expecting(xcom={"first:return_value": "8"}), "values", "is 7, expected 8"),
    ],
)
def test_a_file_is_imported_and_played_and_compared(
    folder: Path, expected: dict[str, Any], kind: str, said: str
) -> None:
    verdict = corpus.judge(entry("flow.py", expected=expected), folder, limit=30)
    assert verdict.kind == kind
    assert said in " ".join(verdict.differences)


@pytest.mark.slow
def test_files_that_do_not_import_are_told_apart(folder: Path) -> None:
    here = corpus.judge(entry("broken.py", expected=expecting()), folder, limit=30)
    assert here.kind == "differs"
    assert "no_such_module_at_all" in here.differences[0]
    both = corpus.judge(entry("broken.py", expected={"imports": False}), folder, limit=30)
    assert both.kind == "same"
    assert corpus.judge(entry("broken.py"), folder, limit=30).kind == "unjudged"
    assert corpus.judge(entry("nowhere.py"), folder, limit=30).kind == "missing"


@pytest.mark.slow
def test_a_process_that_takes_too_long_is_ended(folder: Path) -> None:
    (folder / "somebody+dags@abc" / "endless.py").write_text("while True:\n    pass\n")
    answer = corpus.ask(entry("endless.py"), folder, limit=1)
    assert "not done after 1 s" in answer["error"]


@pytest.mark.slow
def test_the_command_prints_totals(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps({"dags": [entry("flow.py", expected=expecting()), entry("broken.py")]}))
    assert corpus.main(["--list", str(listed), "--folder", str(folder), "--only", "made-up:flow"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split() == ["all", "1", "0", "0", "0", "0", "0"]


def test_the_order_of_a_branchs_targets_does_not_count() -> None:
    there = {"xcom": {"pick:skipmixin_key": '{"followed": ["a", "b"]}'}}
    assert corpus.compare_values("d", there, {"xcom": {"pick:skipmixin_key": {"followed": ["b", "a"]}}}) == []
