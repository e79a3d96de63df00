"""`ti`, `dag_run`, hooks, `XCom` and notifiers as user code meets them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from asyncflow.authoring import exceptions
from asyncflow.authoring.api import use_api
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.notifier import BaseNotifier
from asyncflow.authoring.operatorlink import BaseOperatorLink
from asyncflow.authoring.taskinstance import TaskInstance
from asyncflow.authoring.triggers import BaseTrigger, TriggerEvent
from asyncflow.authoring.xcomstore import XCom
from asyncflow.core.messages import RunContext, TryInfo
from asyncflow.core.models import TaskKey
from asyncflow.hooks.base import BaseHook
from asyncflow.operators.empty import EmptyOperator
from asyncflow.testing.memory import MemoryApi

START = dt.datetime(2024, 5, 3, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def run(number: int, **fields: Any) -> RunContext:
    return RunContext(run_id=f"r{number}", run_type="scheduled", logical_date=START + number * DAY, **fields)


@pytest.fixture
def api() -> Iterator[MemoryApi]:
    made = MemoryApi(
        runs=[("d", run(-2, state="success", started_at=START)), ("d", run(-1, state="failed")), ("d", run(0))],
        connections={"c": {"conn_type": "http", "host": "h"}},
    )
    made.states[TaskKey("d", "r-1", "t", -1)] = "failed"
    made.states[TaskKey("d", "r0", "m", 1)] = "success"
    before = use_api(made)
    yield made
    use_api(before)


@pytest.fixture
def ti(api: MemoryApi) -> TaskInstance:
    with DAG("d", start_date=START, schedule="@daily"):
        task = EmptyOperator(task_id="t", retries=1)
    info = TryInfo(token="", dag_id="d", task_id="t", max_tries=1, run=run(0), log_path="/l", hostname="host")
    return TaskInstance(task, info, api, now=lambda: START + DAY)


def test_it_says_who_it_is(ti: TaskInstance) -> None:
    assert ti.key == ("d", "t", "r0", 1, -1)
    assert ti.key.key == ti.key
    assert (ti.key.primary, ti.operator, ti.hostname, ti.queue) == (
        ("d", "t", "r0", -1),
        "EmptyOperator",
        "host",
        "default",
    )
    assert (ti.logical_date, ti.execution_date) == (START, START)
    assert (ti.prev_attempted_tries, ti.next_try_number, ti.current_state()) == (1, 2, "running")
    assert repr(ti) == "<TaskInstance: d.t r0 [running]>"
    assert ti.log_url == "http://localhost:8080/dags/d/runs/r0/tasks/t/log?map_index=-1&try=1"
    assert ti.mark_success_url.endswith("/dags/d/runs/r0/tasks/t/log?map_index=-1")


def test_it_lasts_from_start_to_end(ti: TaskInstance) -> None:
    assert ti.duration is None
    assert ti.start_date is not None
    ti.end_date = ti.start_date.add(seconds=5)
    assert ti.duration == 5


def test_it_knows_whether_a_failure_is_retried(ti: TaskInstance) -> None:
    assert ti.is_eligible_to_retry()
    ti.try_number = 2
    assert not ti.is_eligible_to_retry()


def test_runs_and_instances_before(ti: TaskInstance) -> None:
    before = ti.get_previous_dagrun()
    assert before is not None
    assert (before.run_id, before.get_state()) == ("r-1", "failed")
    assert ti.get_previous_execution_date(state="success") == START - 2 * DAY
    assert ti.get_previous_start_date(state="success") == START
    assert ti.get_previous_execution_date(state="queued") is None
    assert repr(ti.previous_ti) == "<TaskInstance: d.t r-1 [failed]>"
    assert ti.previous_ti_success is None


def test_the_run_lists_its_instances(ti: TaskInstance) -> None:
    dag_run = ti.get_dagrun()
    found = dag_run.get_task_instances(state=["success"])
    assert [(one.task_id, one.map_index, one.current_state()) for one in found] == [("m", 1, "success")]
    assert dag_run.get_task_instance("m", 1) is not None
    assert dag_run.get_task_instance("m") is None


def test_the_run_answers_airflows_questions(ti: TaskInstance) -> None:
    dag_run = ti.dag_run
    assert (dag_run.execution_date, dag_run.is_backfill, dag_run.get_dag().dag_id) == (START, False, "d")
    assert dag_run.id == ti.dag_run.id
    assert str(dag_run) == "<DagRun d @ 2024-05-03 00:00:00+00:00: r0, state:running>"


def test_the_context_is_always_the_same(ti: TaskInstance) -> None:
    assert ti.get_template_context() is ti.get_template_context()
    ti.refresh_from_db()
    other = EmptyOperator(task_id="other")
    ti.refresh_from_task(other)
    assert ti.task is other


def test_what_a_try_returned_is_seen_by_its_own_callbacks(ti: TaskInstance) -> None:
    ti.xcom_push("pushed", 1)
    ti.pending_xcoms = {"return_value": "2"}
    assert ti.xcom_pull("t") == ti.xcom_pull(["t"])[0] == ti.xcom_pull() == 2
    assert ti.xcom_pull("t", key="pushed") == 1
    assert ti.xcom_pull("other") is None
    assert ti.xcom_pull("t", map_indexes=3) is None
    assert ti.xcom_pull("t", run_id="r-1") is None


# ---- XCom by name, hooks, notifiers -----------------------------------------------------------------------------


def test_xcoms_by_name(ti: TaskInstance) -> None:
    where = {"dag_id": "d", "run_id": "r0", "task_id": "t"}
    XCom.set("k", [1], **where)
    assert XCom.get_one(key="k", **where) == [1]
    assert XCom.get_value(ti_key=ti.key, key="k") == [1]
    (found,) = XCom.get_many(run_id="r0", dag_ids="d")
    assert (found.key, found.value, XCom.deserialize_value(found)) == ("k", [1], [1])
    assert repr(found) == '<XCom "k" (t @ r0)>'
    assert XCom.deserialize_value(XCom.serialize_value({"a": 1})) == {"a": 1}
    XCom.clear(**where)
    assert XCom.get_one(key="k", **where) is None


def test_hooks_find_connections(api: MemoryApi) -> None:
    hook = BaseHook()
    assert hook.get_connection("c").host == "h"
    assert [found.conn_id for found in hook.get_connections("c")] == ["c"]
    assert hook.log.name.startswith("airflow.task.hooks")
    with pytest.raises(NotImplementedError):
        hook.get_conn()
    assert (hook.get_connection_form_widgets(), hook.get_ui_field_behaviour()) == ({}, {})


class Note(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.sent: list[str] = []

    def notify(self, context: Any) -> None:
        self.sent.append(self.text)
        if self.text == "break":
            raise RuntimeError


def test_a_notifier_is_a_callback_with_templates(ti: TaskInstance) -> None:
    note = Note("{{ ti.task_id }} of {{ run_id }}")
    note(ti.get_template_context())
    assert note.sent == ["t of r0"]


def test_a_broken_notifier_is_logged(ti: TaskInstance, caplog: pytest.LogCaptureFixture) -> None:
    Note("break")(ti.get_template_context())
    assert "Failed to send notification" in caplog.text


def test_bases_name_what_a_subclass_must_define() -> None:
    with pytest.raises(NotImplementedError, match="notify"):
        BaseNotifier().notify({})
    with pytest.raises(NotImplementedError, match="get_link"):
        BaseOperatorLink().get_link(None, ti_key=None)
    with pytest.raises(NotImplementedError, match="serialize"):
        BaseTrigger().serialize()


def test_events_are_equal_by_payload() -> None:
    assert TriggerEvent({"a": 1}) == TriggerEvent({"a": 1})
    assert TriggerEvent(1) != 1
    assert repr(TriggerEvent(1)) == "TriggerEvent<1>"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (exceptions.XComNotFound("d", "t", "k"), "Task 't' of DAG 'd' left no XCom 'k'"),
        (exceptions.UnmappableXComTypePushed({1}, 2), "type set (inside: int)"),
        (exceptions.UnmappableXComLengthPushed([1, 2], 1), "has 2 elements; more than 1"),
        (exceptions.AirflowDagDuplicatedIdException("d", "b.py", "a.py"), "'d' of b.py is defined already in a.py"),
        (exceptions.TaskAlreadyInTaskGroup("t", None, "g"), "in the root of the DAG already"),
        (exceptions.AirflowRescheduleException(START), "reschedule at 2024-05-03"),
        (exceptions.BackfillUnfinished("some failed"), "some failed"),
        (exceptions.AirflowFileParseException("broken", "f.json"), "broken"),
    ],
)
def test_errors_are_sentences(error: Exception, text: str) -> None:
    assert text in str(error)
