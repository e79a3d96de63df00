"""Sensors on a real server: without a process where it can see for itself, and never in each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import ServeProcess, until

pytestmark = pytest.mark.slow

HEAD = """
from datetime import datetime, timedelta
from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.sensors.date_time import DateTimeSensor
from airflow.sensors.external_task import ExternalTaskSensor
from airflow.sensors.filesystem import FileSensor
from airflow.sensors.python import PythonSensor

def dag(dag_id, **kwargs):
    return DAG(dag_id, schedule=None, start_date=datetime(2024, 1, 1), **kwargs)
"""
OTHER = f"""{HEAD}
with dag("other"):
    PythonOperator(task_id="x", python_callable=lambda: None)
"""
DATE = "2024-01-01T00:00:00+00:00"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServeProcess]:
    with ServeProcess(tmp_path, "--concurrency", "2") as running:
        yield running


def begin(server: ServeProcess, dag_id: str, text: str, **params: Any) -> dict[str, Any]:
    """Save a file, wait for its DAG, trigger it."""
    server.write(f"{dag_id}.py", text)
    server.wait_for_dag(dag_id)
    server.call("unpause_dag", dag_id=dag_id)
    run: dict[str, Any] = server.call("trigger_dag", dag_id=dag_id, **params)
    return run


def instance(server: ServeProcess, run: dict[str, Any], task_id: str = "s") -> dict[str, Any]:
    found: dict[str, Any] = server.call(
        "get_task_instance", dag_id=run["dag_id"], run_id=run["run_id"], task_id=task_id
    )
    return found


def log_of(server: ServeProcess, run: dict[str, Any], task_id: str = "s") -> str:
    text: str = server.call("read_log", dag_id=run["dag_id"], run_id=run["run_id"], task_id=task_id)["text"]
    return text


def in_state(server: ServeProcess, run: dict[str, Any], state: str, task_id: str = "s") -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = instance(server, run, task_id)
        return found if found["state"] == state else None

    found: dict[str, Any] = until(look, f"{task_id} is {state}")
    return found


def test_fifty_poking_sensors_leave_room_for_the_task_they_wait_for(server: ServeProcess, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    text = f"""{HEAD}
import pathlib
flag = pathlib.Path({str(flag)!r})
with dag("crowd"):
    for n in range(50):
        PythonSensor(task_id=f"s{{n}}", python_callable=flag.exists, poke_interval=0.2, timeout=60, priority_weight=9)
    PythonOperator(task_id="opens", python_callable=flag.touch)
"""
    run = begin(server, "crowd", text)
    ended = server.wait_for_run("crowd", run["run_id"], limit=90)
    assert {task["state"] for task in ended["tasks"]} == {"success"}
    assert len(ended["tasks"]) == 51


def test_a_sensor_ends_with_the_task_it_waits_for_and_never_has_a_process(server: ServeProcess) -> None:
    text = f"""{HEAD}
with dag("waits"):
    ExternalTaskSensor(task_id="s", external_dag_id="other", external_task_id="x")
"""
    server.write("other.py", OTHER)
    server.wait_for_dag("other")
    server.call("unpause_dag", dag_id="other")
    run = begin(server, "waits", text, logical_date=DATE)
    waiting = in_state(server, run, "up_for_reschedule")
    assert "DAG 'other' has no schedule that would make it" in until(
        lambda: "no schedule" in instance(server, run)["why"] and instance(server, run)["why"], "the store has answered"
    )
    server.call("trigger_dag", dag_id="other", logical_date=DATE)
    ended = server.wait_for_run("waits", run["run_id"])
    assert ended["state"] == "success"
    [only] = instance(server, run)["tries"]
    assert (only["state"], only["pid"], waiting["try_number"]) == ("success", None, 1)
    text = until(lambda: "Marking task as SUCCESS" in log_of(server, run) and log_of(server, run), "the log is written")
    assert "Poking for tasks ['x'] in dag other on 2024-01-01T00:00:00+00:00 ..." in text
    assert "No run of DAG 'other' has the logical date 2024-01-01T00:00:00+00:00." in text
    assert "Success criteria met. Exiting." in text


def test_a_run_that_ended_long_ago_is_found(server: ServeProcess) -> None:
    text = f"""{HEAD}
with dag("waits"):
    ExternalTaskSensor(task_id="s", external_dag_id="other", execution_delta=timedelta(days=1))
"""
    server.write("other.py", OTHER)
    server.wait_for_dag("other")
    server.run_to_end("other", logical_date="2023-12-31T00:00:00+00:00")
    run = begin(server, "waits", text, logical_date=DATE)
    assert server.wait_for_run("waits", run["run_id"])["state"] == "success"


def test_a_templated_sensor_pokes_once_then_the_server_watches_and_a_restart_goes_on(
    server: ServeProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    text = f"""{HEAD}
with dag("files", params={{"folder": {str(folder)!r}}}):
    FileSensor(task_id="s", filepath="{{{{ params.folder }}}}/*.csv", fs_conn_id="fs", poke_interval=0.2, timeout=60)
"""
    server.call("set_connection", conn_id="fs", fields={"conn_type": "fs"})
    run = begin(server, "files", text)
    in_state(server, run, "up_for_reschedule")
    assert "The server waits for it from now on" in log_of(server, run)
    server.stop(kill=True)
    server.start()
    assert f"It waits for the file {folder}/*.csv." in until(lambda: instance(server, run)["why"], "it says why")
    folder.mkdir()
    (folder / "a.csv").touch()
    assert server.wait_for_run("files", run["run_id"])["state"] == "success"
    assert instance(server, run)["try_number"] == 1


def test_callbacks_of_a_watched_sensor_run_in_its_last_poke(server: ServeProcess, tmp_path: Path) -> None:
    mark = tmp_path / "called"
    text = f"""{HEAD}
import pathlib
with dag("calls"):
    DateTimeSensor(
        task_id="s",
        target_time=datetime.utcnow().isoformat() + "+00:00",
        on_success_callback=lambda context: pathlib.Path({str(mark)!r}).write_text(context["ti"].task_id),
    )
    DateTimeSensor(
        task_id="late",
        target_time="2199-01-01T00:00:00+00:00",
        timeout=0.5,
        on_failure_callback=lambda context: pathlib.Path({str(mark)!r} + "2").write_text(str(context["exception"])),
    )
"""
    run = begin(server, "calls", text)
    assert server.wait_for_run("calls", run["run_id"])["state"] == "failed"
    assert mark.read_text() == "s"
    assert "Sensor has timed out" in Path(f"{mark}2").read_text()
