"""Datasets on a real server: what tasks update starts the DAGs that wait for it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import ServeProcess, until

pytestmark = pytest.mark.slow

PIPELINE = """
from datetime import datetime

from airflow.datasets import Dataset, DatasetAlias
from airflow.datasets.metadata import Metadata
from airflow.decorators import dag, task

ORDERS, PRICES = Dataset("s3://orders"), Dataset("s3://prices")


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def producer():
    @task(outlets=[ORDERS])
    def orders(outlet_events):
        outlet_events[ORDERS].extra = {"rows": 3}
        return "from orders"

    @task(outlets=[DatasetAlias("found")])
    def prices():
        yield Metadata(PRICES, extra={"rows": 4}, alias="found")

    orders() >> prices()


@dag(schedule=[ORDERS], start_date=datetime(2024, 1, 1))
def one():
    @task(inlets=[ORDERS])
    def read(triggering_dataset_events, inlet_events, data_interval_start=None):
        event = triggering_dataset_events["s3://orders"][0]
        print("rows", event.extra["rows"], "made by", event.source_dag_run.run_id)
        print("pulled", inlet_events[ORDERS][-1].source_task_instance.xcom_pull())
        return event.extra["rows"]

    read()


@dag(schedule=(ORDERS & PRICES), start_date=datetime(2024, 1, 1))
def both():
    @task
    def read(triggering_dataset_events):
        return sorted(triggering_dataset_events)

    read()


@dag(schedule=DatasetAlias("found"), start_date=datetime(2024, 1, 1))
def by_alias():
    @task
    def read(triggering_dataset_events):
        return [event.extra for events in triggering_dataset_events.values() for event in events]

    read()


producer()
one()
both()
by_alias()
"""

ASSETS = """
from airflow.sdk import Asset, asset


@asset(uri="s3://daily/orders", schedule=None)
def orders(self, context, outlet_events):
    outlet_events[self].extra = {"rows": 7}


@asset(schedule=[orders])
def report(orders, inlet_events):
    print("rows", inlet_events[orders][-1].extra["rows"])
"""


def runs_of(server: ServeProcess, dag_id: str, number: int = 1) -> Any:
    """The runs of a DAG once there are so many that have succeeded."""

    def ended() -> Any:
        rows = server.call("list_runs", dag_id=dag_id)
        assert all(row["state"] != "failed" for row in rows), rows
        return len(rows) >= number and all(row["state"] == "success" for row in rows) and rows

    return until(ended, f"{number} runs of {dag_id} have succeeded")


def log_of(server: ServeProcess, run: Any, task_id: str) -> str:
    return str(server.call("read_log", dag_id=run["dag_id"], run_id=run["run_id"], task_id=task_id)["text"])


def test_updates_start_the_dags_that_wait_for_them(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("pipeline.py", PIPELINE)
        server.wait_for_dag("producer")
        for dag_id in ("one", "both", "by_alias"):
            server.call("unpause_dag", dag_id=dag_id)
        assert server.dag("both")["dataset_condition"] == "s3://orders and s3://prices"
        assert server.dag("both")["datasets"] == {"s3://orders": None, "s3://prices": None}
        source = server.run_to_end("producer", logical_date="2024-05-01")
        (one,), (both,), (alias,) = (runs_of(server, dag_id) for dag_id in ("one", "both", "by_alias"))
        assert one["run_id"].startswith("dataset_triggered__")
        assert (one["run_type"], one["external_trigger"]) == ("dataset_triggered", False)
        assert (one["data_interval_start"], one["data_interval_end"]) == (
            source["data_interval_start"],
            source["data_interval_end"],
        )
        log = log_of(server, one, "read")
        assert f"rows 3 made by {source['run_id']}" in log
        assert "pulled from orders" in log
        assert "['s3://orders', 's3://prices']" in log_of(server, both, "read")
        assert "[{'rows': 4}]" in log_of(server, alias, "read")
        events = server.call("list_dataset_events", uri="s3://prices")
        assert [(event["aliases"], event["extra"]) for event in events] == [(["found"], {"rows": 4})]
        assert {run["dag_id"] for run in events[0]["created_runs"]} == {"both", "by_alias"}
        rows = {row["uri"]: row for row in server.call("list_datasets")}
        assert rows["s3://orders"]["producers"] == [{"dag_id": "producer", "task_id": "orders"}]
        assert rows["s3://orders"]["consumers"] == ["both", "one"]


def test_assets_of_airflow_3_follow_one_another(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("assets.py", ASSETS)
        server.wait_for_dag("report")
        server.call("unpause_dag", dag_id="report")
        server.run_to_end("orders")
        (report,) = runs_of(server, "report")
        assert "rows 7" in log_of(server, report, "report")
        assert server.call("get_dataset", uri="orders")["uri"] == "s3://daily/orders"


def test_an_update_from_outside_counts_after_a_restart(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("pipeline.py", PIPELINE)
        server.wait_for_dag("both")
        until(lambda: server.dag("both")["datasets"], "the scheduler knows what the DAG waits for")
        server.call("update_dataset", uri="s3://prices")  # not queued while it is paused, but there for the next run
        server.call("unpause_dag", dag_id="both")
        server.call("update_dataset", uri="s3://orders", extra={"by": "hand"})
        waiting = server.dag("both")["datasets"]
        assert waiting["s3://prices"] is None
        assert waiting["s3://orders"] is not None
        assert server.stop(kill=True) < 0
        server.start()
        assert server.dag("both")["datasets"]["s3://orders"] is not None
        server.wait_for_dag("both")
        server.call("update_dataset", uri="s3://prices")
        (both,) = runs_of(server, "both")
        events = server.call("list_dataset_events")
        assert [len(event["created_runs"]) for event in events] == [1, 1, 1]
        assert both["logical_date"] == events[0]["at"]


SLOW = """
import time
from datetime import datetime

from airflow import DAG
from airflow.datasets import Dataset
from airflow.operators.python import PythonOperator

DATA = Dataset("file://slow")

with DAG("slow", schedule=None, start_date=datetime(2024, 1, 1)):
    PythonOperator(task_id="work", python_callable=lambda: time.sleep(2), outlets=[DATA])

with DAG("after_slow", schedule=[DATA], start_date=datetime(2024, 1, 1)):
    PythonOperator(task_id="work", python_callable=lambda: None)
"""


def test_an_update_made_while_the_server_was_away_counts_after_its_start(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("slow.py", SLOW)
        server.wait_for_dag("after_slow")
        for dag_id in ("slow", "after_slow"):
            server.call("unpause_dag", dag_id=dag_id)
        server.call("trigger_dag", dag_id="slow")
        until(lambda: running_task(server), "the task runs")
        server.stop(kill=True)
        spool = server.home / "spool"
        until(lambda: list(spool.glob("*.try")), "the task has ended without a server")
        server.start()
        (run,) = runs_of(server, "after_slow")
        (event,) = server.call("list_dataset_events")
        assert event["created_runs"] == [{"dag_id": "after_slow", "run_id": run["run_id"]}]


def running_task(server: ServeProcess) -> bool:
    (run,) = server.call("list_runs", dag_id="slow")
    (task,) = server.call("get_run", dag_id="slow", run_id=run["run_id"])["tasks"]
    return bool(task["state"] == "running")


QUICK = """
from datetime import datetime

from airflow import DAG
from airflow.datasets import Dataset
from airflow.operators.python import PythonOperator

with DAG("quick", schedule=[Dataset("file://quick")], start_date=datetime(2024, 1, 1)):
    PythonOperator(task_id="work", python_callable=lambda: None)
"""


def test_a_consumer_starts_within_50_ms(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.write("quick.py", QUICK)
        server.wait_for_dag("quick")
        server.call("unpause_dag", dag_id="quick")
        waits = []
        for number in range(1, 8):
            event = server.call("update_dataset", uri="file://quick")
            run = runs_of(server, "quick", number)[0]
            waits.append((_moment(run["started_at"]) - _moment(event["at"])).total_seconds())
        assert sorted(waits)[3] < 0.05, waits


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
