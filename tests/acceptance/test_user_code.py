"""User code that does not run in a task: custom timetables and callbacks of DAGs and of killed tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.server import ServeProcess, until

pytestmark = pytest.mark.slow

HEAD = """
import os
from datetime import datetime, timedelta
from airflow import DAG
from airflow.operators.python import PythonOperator

def note(kind):
    def callback(context):
        with open("{marks}", "a") as file:
            print(kind, context["run_id"], getattr(context.get("ti"), "task_id", "-"), file=file)
    return callback
"""

TIMETABLE = (
    HEAD
    + """
import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable

class EveryTwoSeconds(Timetable):
    def infer_manual_data_interval(self, *, run_after):
        return DataInterval(start=run_after - timedelta(days=3), end=run_after)

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        last = last_automated_data_interval
        start = last.end if last else pendulum.now("UTC").replace(microsecond=0)
        return DagRunInfo.interval(start=start, end=start + timedelta(seconds=2))

with DAG("custom", start_date=datetime(2024, 1, 1), schedule=EveryTwoSeconds()) as dag:
    PythonOperator(task_id="t", python_callable=print)
"""
)


def test_custom_timetable_schedules_runs_and_gives_manual_ones_their_interval(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("custom.py", TIMETABLE)
        assert server.wait_for_dag("custom")["schedule"] == "EveryTwoSeconds"
        run = server.run_to_end("custom", logical_date="2024-03-04T00:00:00+00:00")
        assert run["data_interval_start"] == "2024-03-01T00:00:00+00:00"

        def scheduled() -> list[str]:
            runs = server.call("list_runs", dag_id="custom", run_type="scheduled")
            return sorted(r["data_interval_end"] for r in runs)[:2]

        first, second = until(lambda: len(scheduled()) == 2 and scheduled(), "two scheduled runs are there")
        starts = {r["data_interval_start"] for r in server.call("list_runs", dag_id="custom", run_type="scheduled")}
        assert first in starts
        assert second > first


CALLBACKS = (
    HEAD
    + """
with DAG("calls", start_date=datetime(2024, 1, 1), schedule=None, on_failure_callback=note("dag_failure")) as dag:
    PythonOperator(
        task_id="dies",
        python_callable=lambda: os.kill(os.getpid(), 9),
        retries=1,
        retry_delay=timedelta(0),
        on_retry_callback=note("retry"),
        on_failure_callback=note("failure"),
    )
"""
)


def test_callbacks_of_a_killed_task_fire_and_its_log_says_how_it_died(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    with ServeProcess(tmp_path) as server:
        server.write("calls.py", CALLBACKS.replace("{marks}", str(marks)))
        server.wait_for_dag("calls")
        run = server.run_to_end("calls")
        assert run["state"] == "failed"
        wanted = {"retry", "failure", "dag_failure"}
        until(lambda: marks.exists() and {line.split()[0] for line in marks.read_text().splitlines()} == wanted, wanted)
        for number in (1, 2):
            log = server.call("read_log", dag_id="calls", run_id=run["run_id"], task_id="dies", try_number=number)
            assert "The task's process was killed by signal 9." in log["text"]
