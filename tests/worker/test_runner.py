"""One try of a task: outcomes, callbacks, timeouts, XComs, what travels with the result."""

from __future__ import annotations

import datetime as dt
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.context import get_current_context
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.decorators import task as task_decorator
from asyncflow.authoring.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    DownstreamTasksSkipped,
    TaskDeferred,
)
from asyncflow.authoring.triggers import BaseTrigger
from asyncflow.core.messages import RunContext, TryInfo, TryResult
from asyncflow.core.models import TaskKey
from asyncflow.operators.empty import EmptyOperator
from asyncflow.operators.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator
from asyncflow.testing.memory import MemoryApi
from asyncflow.worker.runner import run_try, time_limit

START = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
KEY = TaskKey("d", "r", "t", -1)


def make_dag(**options: Any) -> DAG:
    return DAG("d", start_date=START, schedule=None, **options)


def python(work: Callable[..., Any], **options: Any) -> PythonOperator:
    with make_dag():
        return PythonOperator(task_id="t", python_callable=work, **options)


def raising(error: BaseException) -> Callable[..., Any]:
    def work() -> None:
        raise error

    return work


def run(task: Any, *, api: MemoryApi | None = None, **fields: Any) -> TryResult:
    conf = fields.pop("conf", {})
    info = TryInfo(
        token="",
        dag_id="d",
        task_id="t",
        run=RunContext(run_id="r", logical_date=START, conf=conf),
        log_path="",
        **fields,
    )
    return run_try(task, info, api or MemoryApi(), logs=False)


# ---- outcomes -------------------------------------------------------------------------------------------------------


def test_success_brings_value_and_rendered_fields() -> None:
    result = run(python(lambda x: int(x) + 1, op_kwargs={"x": "{{ 40 + 1 }}", "password": "pw"}))
    assert (result.outcome, result.xcoms) == ("success", {"return_value": "42"})
    assert result.rendered_fields == {
        "templates_dict": None,
        "op_args": [],
        "op_kwargs": {"x": "41", "password": "***"},
    }
    assert result.started_at <= result.ended_at


@pytest.mark.parametrize(
    ("error", "outcome", "retryable"),
    [
        (ValueError("told to"), "failed", True),
        (AirflowFailException("told to"), "failed", False),
        (AirflowSensorTimeout("told to"), "failed", False),
        (AirflowSkipException("told to"), "skipped", True),
        (AirflowRescheduleException(START), "reschedule", True),
        (SystemExit(0), "success", True),
        (SystemExit(3), "failed", True),
    ],
    ids=repr,
)
def test_what_an_exception_means(error: BaseException, outcome: str, retryable: bool) -> None:
    result = run(python(raising(error)))
    assert (result.outcome, result.retryable) == (outcome, retryable)


def test_a_failure_says_what_and_where() -> None:
    result = run(python(raising(ValueError("told to fail"))))
    assert result.error == "ValueError: told to fail"
    assert result.traceback is not None
    assert "in work\n" in result.traceback
    assert result.xcoms == {}


def test_a_reschedule_says_when() -> None:
    assert run(python(raising(AirflowRescheduleException(START)))).reschedule_at == START


def test_a_broken_template_fails_the_try() -> None:
    result = run(python(print, op_args=["{{ nowhere }}"]))
    assert (result.outcome, result.error) == ("failed", "UndefinedError: 'nowhere' is undefined")


def test_a_conf_that_does_not_fit_fails_the_try() -> None:
    from asyncflow.authoring.params import Param

    with make_dag(params={"n": Param(1, type="integer")}):
        task = PythonOperator(task_id="t", python_callable=print)
    result = run(task, conf={"n": "many"})
    assert result.outcome == "failed"
    assert result.error is not None
    assert result.error.startswith("ParamValidationError")


def test_the_operator_of_the_dag_is_not_changed() -> None:
    task = python(print, op_args=["{{ ds }}"])
    run(task)
    assert task.op_args == ["{{ ds }}"]


def test_ctrl_c_passes_through_after_on_kill() -> None:
    killed: list[str] = []

    class Stopped(BaseOperator):
        def execute(self, context: Any) -> None:
            raise KeyboardInterrupt

        def on_kill(self) -> None:
            killed.append(self.task_id)

    with make_dag():
        task = Stopped(task_id="t")
    with pytest.raises(KeyboardInterrupt):
        run(task)
    assert killed == ["t"]


def test_hooks_run_around_execute_in_order() -> None:
    seen: list[Any] = []

    class Seen(BaseOperator):
        def pre_execute(self, context: Any) -> None:
            seen.append("pre")

        def execute(self, context: Any) -> str:
            seen.append(get_current_context()["ti"].task_id)
            return "value"

        def post_execute(self, context: Any, result: Any = None) -> None:
            seen.append(("post", result, context["ti"].xcom_pull("t")))

    with make_dag():
        task = Seen(task_id="t", on_execute_callback=lambda context: seen.append("execute callback"))
    run(task)
    assert seen == ["execute callback", "pre", "t", ("post", "value", "value")]


# ---- XComs ----------------------------------------------------------------------------------------------------------


def test_pushes_are_stored_at_once_and_stay_when_the_try_fails() -> None:
    def work(ti: Any) -> None:
        ti.xcom_push("k", {"n": 1})
        raise ValueError

    api = MemoryApi()
    assert run(python(work), api=api).outcome == "failed"
    assert api.xcoms_of(KEY) == {"k": '{"n": 1}'}


def test_nothing_is_kept_of_none_or_without_do_xcom_push() -> None:
    assert run(python(lambda: None)).xcoms == {}
    assert run(python(lambda: b"raw", do_xcom_push=False)).xcoms == {}


def test_multiple_outputs_are_kept_one_by_one() -> None:
    result = run(python(lambda: {"a": 1, "b": None}, multiple_outputs=True))
    assert result.xcoms == {"a": "1", "b": "null", "return_value": '{"a": 1, "b": null}'}


@pytest.mark.parametrize(("value", "words"), [([1], "expected dictionary"), ({1: 2}, "keys must be strings")])
def test_multiple_outputs_must_be_a_dict_with_text_keys(value: Any, words: str) -> None:
    result = run(python(lambda: value, multiple_outputs=True))
    assert result.outcome == "failed"
    assert result.error is not None
    assert words in result.error


def mapped_over(value: Any) -> TryResult:
    with make_dag():
        task = PythonOperator(task_id="t", python_callable=lambda: value)
        PythonOperator.partial(task_id="copies", python_callable=print).expand(op_args=task.output)
    return run(task)


def test_the_length_is_reported_when_tasks_are_mapped_over_it() -> None:
    assert mapped_over([[1], [2]]).map_length == 2
    assert run(python(lambda: [1, 2])).map_length is None


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "XComForMappingNotPushed"),
        (7, "UnmappableXComTypePushed"),
        ("text", "UnmappableXComTypePushed"),
        (list(range(1025)), "UnmappableXComLengthPushed"),
    ],
)
def test_what_cannot_be_mapped_over_fails_the_task_that_returned_it(value: Any, error: str) -> None:
    result = mapped_over(value)
    assert result.outcome == "failed"
    assert result.error is not None
    assert result.error.startswith(error)


# ---- mapped tasks ---------------------------------------------------------------------------------------------------


def test_a_copy_gets_its_element_and_its_name() -> None:
    with make_dag():

        @task_decorator(task_id="t", map_index_template="{{ task.op_kwargs['x'] }}!")
        def double(x: int) -> int:
            return x * 2

        mapped = double.expand(x=[10, 20]).operator
    result = run(mapped, map_index=1)
    assert (result.xcoms["return_value"], result.rendered_map_index) == ("40", "20!")


def test_a_broken_name_template_is_no_failure() -> None:
    with make_dag():
        mapped = PythonOperator.partial(task_id="t", python_callable=print, map_index_template="{{ nowhere }}").expand(
            op_args=[["a"]]
        )
    result = run(mapped, map_index=0)
    assert (result.outcome, result.rendered_map_index) == ("success", None)


# ---- skipping others ------------------------------------------------------------------------------------------------


def downstream(task: Any) -> None:
    for name in ("x", "y", "z"):
        task >> EmptyOperator(task_id=name)


def test_a_branch_names_what_it_did_not_choose() -> None:
    with make_dag():
        task = BranchPythonOperator(task_id="t", python_callable=lambda: "y")
        downstream(task)
    api = MemoryApi()
    result = run(task, api=api)
    assert set(result.skip_tasks) == {"x", "z"}
    assert result.skip_map_index == -1
    assert api.xcoms_of(KEY) == {"skipmixin_key": '{"followed": ["y"]}'}


@pytest.mark.parametrize(
    ("choice", "words"), [("nope", "there are no tasks ['nope']"), ([1], "as text, not [1]"), (5, "not 'int'")]
)
def test_a_branch_to_nowhere_fails(choice: Any, words: str) -> None:
    with make_dag():
        task = BranchPythonOperator(task_id="t", python_callable=lambda: choice)
        downstream(task)
    result = run(task)
    assert (result.outcome, result.skip_tasks) == ("failed", ())
    assert result.error is not None
    assert words in result.error


def test_a_short_circuit_skips_all_instances_downstream() -> None:
    with make_dag():
        task = ShortCircuitOperator(task_id="t", python_callable=lambda: False)
        downstream(task)
    result = run(task)
    assert (set(result.skip_tasks), result.skip_map_index) == ({"x", "y", "z"}, None)


def test_the_exception_of_airflow_3_skips_and_succeeds() -> None:
    result = run(python(raising(DownstreamTasksSkipped(tasks=["x"]))))
    assert (result.outcome, result.skip_tasks) == ("success", ("x",))


# ---- callbacks ------------------------------------------------------------------------------------------------------

CALLBACKS = ("on_success_callback", "on_failure_callback", "on_retry_callback", "on_skipped_callback")


def called(work: Callable[..., Any], **fields: Any) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []

    def callback(name: str) -> Callable[[Any], None]:
        return lambda context: seen.append((name, context.get("exception"), context["ti"].state))  # type: ignore[arg-type]

    task = python(work, retries=1, **{name: callback(name) for name in CALLBACKS})
    run(task, max_tries=1, **fields)
    return [(name, type(error).__name__, state) for name, error, state in seen]  # type: ignore[misc]


def test_each_end_calls_its_callback() -> None:
    failing = raising(ValueError("x"))
    assert called(lambda: 1) == [("on_success_callback", "NoneType", "success")]
    assert called(failing, try_number=1) == [("on_retry_callback", "ValueError", "up_for_retry")]
    assert called(failing, try_number=2) == [("on_failure_callback", "ValueError", "failed")]
    assert called(raising(AirflowFailException()), try_number=1)[0][0] == "on_failure_callback"
    assert called(raising(AirflowSkipException())) == [("on_skipped_callback", "NoneType", "skipped")]
    assert called(raising(AirflowRescheduleException(START))) == []


def test_a_broken_callback_changes_nothing_and_the_next_one_is_called() -> None:
    seen: list[str] = []

    def broken(context: Any) -> None:
        raise RuntimeError("callback broke")

    task = python(lambda: 1, on_success_callback=[broken, lambda context: seen.append("second")])
    assert run(task).outcome == "success"
    assert seen == ["second"]


# ---- limits ---------------------------------------------------------------------------------------------------------


def endless() -> None:
    while True:
        time.sleep(0.01)


def test_execution_timeout_ends_the_try_and_can_be_retried() -> None:
    result = run(python(endless, execution_timeout=dt.timedelta(seconds=0.05)))
    assert (result.outcome, result.retryable) == ("failed", True)
    assert result.error is not None
    assert result.error.startswith(
        "AirflowTaskTimeout: Timeout: the task ran longer than its execution_timeout of 0.05"
    )


def test_no_limit_sets_no_alarm_and_a_limit_keeps_the_one_around_it() -> None:
    handler, outer = signal.signal(signal.SIGALRM, signal.SIG_IGN), signal.setitimer(signal.ITIMER_REAL, 500)
    try:
        with time_limit(0):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 400
        with time_limit(5):
            assert signal.getitimer(signal.ITIMER_REAL)[0] <= 5
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 400
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *outer)


def test_sigterm_fails_the_try_after_on_kill() -> None:
    killed: list[str] = []

    class Killed(PythonOperator):
        def on_kill(self) -> None:
            killed.append(self.task_id)

    with make_dag():
        task = Killed(task_id="t", python_callable=lambda: os.kill(os.getpid(), signal.SIGTERM) or endless())
    handler = signal.getsignal(signal.SIGTERM)
    result = run(task)
    assert (result.outcome, result.error) == ("failed", "AirflowTaskTerminated: Task received SIGTERM signal")
    assert killed == ["t"]
    assert signal.getsignal(signal.SIGTERM) is handler


# ---- deferral -------------------------------------------------------------------------------------------------------


class Bell(BaseTrigger):
    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "tests.Bell", {"at": 5}


class Deferring(BaseOperator):
    def execute(self, context: Any) -> None:
        self.defer(trigger=Bell(), method_name="resume", kwargs={"n": 1}, timeout=dt.timedelta(minutes=1))

    def resume(self, context: Any, n: int, event: Any = None) -> Any:
        return [n, event, context["run_id"]]


def deferring() -> Deferring:
    with make_dag():
        return Deferring(task_id="t")


def test_a_deferral_says_what_to_wait_for_and_how_to_go_on() -> None:
    result = run(deferring())
    assert result.outcome == "deferred"
    assert result.trigger == {
        "classpath": "tests.Bell",
        "kwargs": {"at": 5},
        "method": "resume",
        "local": False,
        "method_kwargs": {"n": 1},
        "timeout": 60.0,
    }


def test_a_deferred_task_goes_on_in_its_method() -> None:
    result = run(deferring(), next_method="resume", next_kwargs={"n": 1, "event": "rang"})
    assert result.xcoms["return_value"] == '[1, "rang", "r"]'


def test_a_broken_trigger_fails_the_task() -> None:
    result = run(deferring(), next_method="__fail__", next_kwargs={"error": "bell is broken"})
    assert (result.outcome, result.error) == ("failed", "TaskDeferralError: bell is broken")


def test_the_exception_shows_what_it_waits_for() -> None:
    assert "method=resume" in repr(TaskDeferred(trigger=Bell(), method_name="resume", timeout=5))
