"""Deferred tasks, triggers and async tasks on a real server."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import ServeProcess, until

pytestmark = pytest.mark.slow

DEFERRING = """
import asyncio
from datetime import datetime, timedelta, timezone
from pathlib import Path
from airflow import DAG
from airflow.models import BaseOperator, Variable
from airflow.operators.python import PythonOperator
from airflow.sensors.date_time import DateTimeSensorAsync
from airflow.triggers.base import TriggerEvent
from airflow.triggers.temporal import TimeDeltaTrigger
from bells import Bell, BadBell, Sleeper

class Ringing(BaseOperator):
    template_fields = ("word",)

    def __init__(self, bell, timeout=None, word="{{ run_id }}", **kwargs):
        super().__init__(**kwargs)
        self.bell, self.bell_timeout, self.word = bell, timeout, word

    def execute(self, context):
        print("about to wait")
        kwargs = {"day": datetime(2026, 1, 2)}
        self.defer(trigger=self.bell, method_name="rang", kwargs=kwargs, timeout=self.bell_timeout)

    def rang(self, context, day, event=None):
        print(f"rang with {event!r} on {day:%A} in {self.word}")
        return event

def make(dag_id, **tasks):
    with DAG(dag_id, schedule=None, start_date=datetime(2024, 1, 1)) as dag:
        previous = None
        for name, task in tasks.items():
            task(name)
    return dag

good = make("good", wait=lambda n: Ringing(task_id=n, bell=Bell("ding")))
bad = make("bad", wait=lambda n: Ringing(task_id=n, bell=BadBell()))
late = make("late", wait=lambda n: Ringing(task_id=n, bell=Sleeper(3600), timeout=timedelta(seconds=0.2)))
soon = make("soon", wait=lambda n: Ringing(task_id=n, bell=TimeDeltaTrigger(timedelta(seconds=0.2))))
long = make("long", wait=lambda n: Ringing(task_id=n, bell=Sleeper(3600)))
file = make("file", wait=lambda n: Ringing(task_id=n, bell=Bell("{flag}", wait_for="{flag}")))
past = make("past", wait=lambda n: DateTimeSensorAsync(
    task_id=n, target_time=datetime(2024, 1, 1, tzinfo=timezone.utc), start_from_trigger=True, end_from_trigger=True))
"""

BELLS = """
import asyncio, os, time
from airflow.models import Variable
from airflow.triggers.base import BaseTrigger, TriggerEvent

class Bell(BaseTrigger):
    def __init__(self, word, wait_for=None):
        super().__init__()
        self.word, self.wait_for = word, wait_for

    def serialize(self):
        return ("bells.Bell", {"word": self.word, "wait_for": self.wait_for})

    async def run(self):
        self.log.info("listening for %s, volume %s", self.task_instance.task_id, Variable.get("volume", "loud"))
        print(f"pid {os.getpid()}")
        while self.wait_for and not os.path.exists(self.wait_for):
            await asyncio.sleep(0.02)
        yield TriggerEvent((self.word, 3))

class BadBell(BaseTrigger):
    def serialize(self):
        return ("bells.BadBell", {})

    async def run(self):
        raise RuntimeError("the clapper is gone")
        yield

class Sleeper(BaseTrigger):
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def serialize(self):
        return ("bells.Sleeper", {"seconds": self.seconds})

    async def run(self):
        await asyncio.sleep(self.seconds)
        yield TriggerEvent("awake")

    async def cleanup(self):
        self.log.info("cleaning up")

class Blocker(BaseTrigger):
    def serialize(self):
        return ("bells.Blocker", {})

    async def run(self):
        await asyncio.sleep(0.1)
        time.sleep(0.8)
        yield TriggerEvent("done")
"""


def log_of(server: ServeProcess, run: Any, task_id: str = "wait") -> str:
    folder = server.home / "logs"
    found = [path for path in sorted(folder.rglob("*.log")) if run["run_id"] in str(path) and task_id in str(path)]
    return "".join(path.read_text() for path in found)


@pytest.fixture
def server(tmp_path: Path) -> Any:
    with ServeProcess(tmp_path) as server:
        server.write("bells.py", BELLS)
        server.write("deferring.py", DEFERRING.replace("{flag}", str(tmp_path / "flag")))
        for dag_id in ("good", "bad", "late", "soon", "long", "file", "past"):
            server.wait_for_dag(dag_id)
        yield server


def state(server: ServeProcess, run: Any, dag_id: str) -> str:
    return str(server.call("get_run", dag_id=dag_id, run_id=run["run_id"])["tasks"][0]["state"])


def test_a_deferred_task_goes_on_with_its_event(server: ServeProcess) -> None:
    run = server.run_to_end("good")
    assert run["state"] == "success"
    log = log_of(server, run)
    for line in ("about to wait", "listening for wait, volume loud", "rang with ('ding', 3) on Friday"):
        assert line in log
    assert run["tasks"][0]["try_number"] == 1


def test_ends_without_a_good_event(server: ServeProcess) -> None:
    bad, late = server.run_to_end("bad"), server.run_to_end("late")
    assert (bad["state"], late["state"]) == ("failed", "failed")
    assert "the clapper is gone" in log_of(server, bad)
    assert "Trigger failure" in log_of(server, bad)
    assert "Trigger timeout" in log_of(server, late)


def test_installed_triggers_and_tasks_that_never_need_a_process(server: ServeProcess) -> None:
    assert server.run_to_end("soon")["state"] == "success"
    assert server.run_to_end("past")["state"] == "success"


def test_marking_a_deferred_task_stops_its_trigger(server: ServeProcess) -> None:
    server.call("unpause_dag", dag_id="long")
    run = server.call("trigger_dag", dag_id="long")
    until(lambda: state(server, run, "long") == "deferred", "it is deferred")
    until(lambda: "Sleeper starting" in log_of(server, run), "the trigger runs")
    server.call("mark_tasks", dag_id="long", run_id=run["run_id"], task_id="wait", state="success")
    assert server.wait_for_run("long", run["run_id"])["state"] == "success"
    until(lambda: "cleaning up" in log_of(server, run), "the trigger cleans up")


def test_triggers_outlive_their_process_and_the_server(server: ServeProcess, tmp_path: Path) -> None:
    server.call("unpause_dag", dag_id="file")
    run = server.call("trigger_dag", dag_id="file")
    pid = int(until(lambda: log_of(server, run).partition("\npid ")[2].partition("\n")[0], "the trigger says its pid"))
    os.kill(pid, signal.SIGKILL)
    until(lambda: log_of(server, run).count("listening") == 2, "it is started again")
    server.stop(kill=True)
    server.start()
    until(lambda: log_of(server, run).count("listening") == 3, "it is started by the next server")
    (tmp_path / "flag").touch()
    assert server.wait_for_run("file", run["run_id"])["state"] == "success"


STANDARD = """
from datetime import datetime, timedelta
from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sensors.external_task import ExternalTaskSensor
from airflow.sensors.filesystem import FileSensor
from airflow.sensors.time_delta import TimeDeltaSensorAsync

with DAG("other", schedule=None, start_date=datetime(2024, 1, 1)):
    EmptyOperator(task_id="done")

with DAG("standard", schedule=None, start_date=datetime(2024, 1, 1)):
    FileSensor(task_id="file", filepath="{flag}", deferrable=True, poke_interval=0.05)
    FileSensor(task_id="direct", filepath="{flag}", deferrable=True, poke_interval=0.05, start_from_trigger=True)
    TimeDeltaSensorAsync(task_id="delta", delta=timedelta(seconds=0.5))
    ExternalTaskSensor(task_id="external", external_dag_id="other", external_task_id="done", deferrable=True,
                       poll_interval=0.05)
    ExternalTaskSensor(task_id="soft", external_dag_id="other", deferrable=True, soft_fail=True, poll_interval=0.05,
                       allowed_states=["failed"], execution_timeout=timedelta(seconds=1))
    TriggerDagRunOperator(task_id="make", trigger_dag_id="other", logical_date="{{ logical_date }}",
                          wait_for_completion=True, poke_interval=0.05, deferrable=True)
"""


def test_the_standard_kinds_defer(server: ServeProcess, tmp_path: Path) -> None:
    server.write("standard.py", STANDARD.replace("{flag}", str(tmp_path / "there")))
    server.wait_for_dag("standard")
    server.wait_for_dag("other")
    for dag_id in ("other", "standard"):
        server.call("unpause_dag", dag_id=dag_id)
    run = server.call("trigger_dag", dag_id="standard")

    def states() -> dict[str, str]:
        tasks = server.call("get_run", dag_id="standard", run_id=run["run_id"])["tasks"]
        return {task["task_id"]: task["state"] for task in tasks}

    until(lambda: states()["file"] == states()["direct"] == "deferred", "those that wait for the file are deferred")
    (tmp_path / "there").touch()
    server.wait_for_run("standard", run["run_id"])
    assert states() == {
        "file": "success",
        "direct": "success",
        "delta": "success",
        "external": "success",
        "soft": "skipped",
        "make": "success",
    }
