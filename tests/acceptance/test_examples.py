"""The DAGs in dags/ are what a newcomer reads first: all of them load and end well on any machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.server import ServeProcess, environment

DAGS = Path(__file__).parents[2] / "dags"

#: dag id -> states of its task instances on 2026-01-31, a Saturday; tasks that are not listed succeed
EXAMPLES = {
    "hello": {},
    "classic": {},
    "branches": {"weekday": "skipped"},
    "retries": {"optional": "skipped"},
    "mapping": {},
    "groups": {},
    "copy_invoices": {},
    "copy_readings": {},
    "sensor": {},
    "make_report_data": {},
    "send_report": {},
}


def asyncflow(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asyncflow", *args, "--dags", str(DAGS)]
    return subprocess.run(
        command, env=environment(home), capture_output=True, text=True, timeout=50, check=False, cwd=home.parent
    )


@pytest.mark.slow
@pytest.mark.parametrize("dag_id", EXAMPLES)
def test_example_ends_well(dag_id: str, tmp_path: Path) -> None:
    done = asyncflow(tmp_path / "home", "dags", "test", dag_id, "2026-01-31", "-o", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["state"] == "success"
    assert {name: state for name, state in result["tasks"].items() if state != "success"} == EXAMPLES[dag_id]


@pytest.mark.slow
def test_every_example_is_listed_without_import_errors(tmp_path: Path) -> None:
    done = asyncflow(tmp_path / "home", "dags", "list", "-o", "json")
    assert {row["dag_id"] for row in json.loads(done.stdout)} == set(EXAMPLES), done.stderr
    assert "cannot be loaded" not in done.stderr


def test_both_dialects_are_shown() -> None:
    texts = [path.read_text() for path in DAGS.glob("*.py")]
    assert sum("from airflow" in text for text in texts) >= 3
    assert sum("from asyncflow" in text for text in texts) >= 3


@pytest.mark.slow
def test_examples_end_well_on_a_server(tmp_path: Path) -> None:
    with ServeProcess(tmp_path, dags=DAGS) as server:
        for dag_id in EXAMPLES:
            server.wait_for_dag(dag_id)
        for dag_id in EXAMPLES:
            server.call("unpause_dag", dag_id=dag_id)
            server.call("trigger_dag", dag_id=dag_id, run_id="mine", logical_date="2026-01-31")
        for dag_id, expected in EXAMPLES.items():
            run = server.wait_for_run(dag_id, "mine", limit=50)
            others = {ti["task_id"]: ti["state"] for ti in run["tasks"] if ti["state"] != "success"}
            assert (run["state"], others) == ("success", expected), dag_id
