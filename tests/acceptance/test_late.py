"""Missed SLAs, deadlines and mail on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.server import ServeProcess, until
from tests.smtp import Inbox

pytestmark = pytest.mark.slow

LATE = """
import json, os, time
from datetime import datetime, timedelta
from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.sdk import DeadlineAlert, DeadlineReference, SyncCallback

FOLDER = {folder!r}

def work():
    while not os.path.exists(os.path.join(FOLDER, "go")):
        time.sleep(0.02)

def sla_missed(dag, task_list, blocking_task_list, slas, blocking_tis):
    said = [dag.dag_id, task_list, blocking_task_list, [s.task_id for s in slas], [t.state for t in blocking_tis]]
    with open(os.path.join(FOLDER, "sla"), "a") as file:
        file.write(json.dumps(said) + "\\n")

def too_late(text, context):
    with open(os.path.join(FOLDER, "deadline"), "a") as file:
        file.write(f"{{text}} {{context['dag_run'].run_id}}\\n")

with DAG("late", schedule=timedelta(days=1), start_date=datetime.fromisoformat({start!r}), catchup=True,
         max_active_runs=1, sla_miss_callback=sla_missed,
         deadline=DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(seconds=0.5),
                                callback=SyncCallback(too_late, kwargs={{"text": "late:"}}))):
    PythonOperator(task_id="work", python_callable=work, sla=timedelta(seconds=1), email="boss@example.com")
"""

FAILS = """
from datetime import datetime
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.email import EmailOperator

with DAG("mails", schedule=None, start_date=datetime(2024, 1, 1)):
    BashOperator(task_id="fails", bash_command="exit 3", email=["a@example.com"], email_on_failure=True)
    BashOperator(task_id="dies", bash_command="kill -9 $PPID", email=["b@example.com"])
    EmailOperator(task_id="sends", to="c@example.com", subject="for {{ ds }}", html_content="run {{ run_id }}")
"""


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as inbox:
        yield inbox


def mailing(root: Path, inbox: Inbox) -> ServeProcess:
    """A server that hands its mail to the inbox."""
    server = ServeProcess(root)
    server.home.mkdir()
    (server.home / "asyncflow.toml").write_text(
        f'smtp_host = "127.0.0.1"\nsmtp_port = {inbox.port}\nsmtp_starttls = false\nsmtp_retry_limit = 1\n'
    )
    return server


def test_a_late_run_is_recorded_and_told_once_also_after_a_restart(tmp_path: Path, inbox: Inbox) -> None:
    folder = tmp_path / "told"
    folder.mkdir()
    start = datetime.now(UTC) - timedelta(hours=1)  # the next run is due tomorrow
    with mailing(tmp_path, inbox) as server:
        server.write("late.py", LATE.format(folder=str(folder), start=start.isoformat()))
        server.wait_for_dag("late")
        server.call("unpause_dag", dag_id="late")
        until((folder / "sla").exists, "the sla_miss_callback has been called")
        until((folder / "deadline").exists, "the callback of the deadline has been called")
        until(lambda: len(server.call("list_sla_misses", dag_id="late")) == 2, "both are recorded")
        misses = server.call("list_sla_misses", dag_id="late")
        assert {row["task_id"] for row in misses} == {"work", ""}
        until(lambda: inbox.messages, "the mail has arrived")
        server.stop(kill=True)
        server.start()
        server.wait_for_dag("late")
        (folder / "go").touch()
        run_id = server.call("list_runs", dag_id="late")[0]["run_id"]
        assert server.wait_for_run("late", run_id)["state"] == "success"
    said = [json.loads(line) for line in (folder / "sla").read_text().splitlines()]
    assert len(said) == 1
    assert said[0][0] == "late"
    assert said[0][1].startswith("work on ")
    assert said[0][3] == ["work"]
    assert said[0][4] in (["queued"], ["running"])
    assert (folder / "deadline").read_text() == f"late: {run_id}\n"
    assert [message["Subject"] for _, message in inbox.messages] == ["[airflow] SLA miss on DAG=late"]


def test_mail_about_failed_tasks_also_about_those_that_died(tmp_path: Path, inbox: Inbox) -> None:
    with mailing(tmp_path, inbox) as server:
        server.write("mails.py", FAILS)
        server.wait_for_dag("mails")
        run = server.run_to_end("mails")
        until(lambda: len(inbox.messages) == 3, "three mails have arrived")
        assert {ti["task_id"]: ti["state"] for ti in run["tasks"]} == {
            "fails": "failed",
            "dies": "failed",
            "sends": "success",
        }
    by_recipient = {recipients[0]: message for recipients, message in inbox.messages}
    assert by_recipient["a@example.com"]["Subject"].startswith("Airflow alert: <TaskInstance: mails.fails")
    body = by_recipient["b@example.com"].get_payload()[0].get_payload(decode=True).decode()
    assert "killed by signal 9" in body
    assert by_recipient["c@example.com"]["Subject"].startswith("for 20")
