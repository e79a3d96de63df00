"""BaseOperator: keywords, default_args, checks, and what subclasses may rely on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from asyncflow import DAG, BaseOperator, TaskGroup, TriggerRule
from asyncflow.authoring.conf import conf
from asyncflow.authoring.exceptions import AirflowException, FailStopDagInvalidTriggerRule, TaskDeferred
from asyncflow.errors import InvalidDag
from asyncflow.operators.bash import BashOperator
from asyncflow.operators.empty import EmptyOperator


class Copy(BaseOperator):
    """As users write them."""

    template_fields = ("source", "target")

    def __init__(self, *, source: str, target: str = "there", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.target = target


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d", start_date=dt.datetime(2024, 1, 1)) as made:
        yield made


def test_defaults_are_those_of_airflow() -> None:
    task = EmptyOperator(task_id="a")
    assert (task.owner, task.retries, task.retry_delay, task.pool, task.queue) == (
        "airflow",
        0,
        dt.timedelta(minutes=5),
        "default_pool",
        "default",
    )
    assert task.trigger_rule is TriggerRule.ALL_SUCCESS
    assert (task.priority_weight, task.weight_rule, task.do_xcom_push) == (1, "downstream", True)
    assert task.execution_timeout is None


def test_settings_give_the_defaults() -> None:
    conf.load({"core.default_task_retries": "4", "core.default_task_execution_timeout": "60"})
    try:
        task = EmptyOperator(task_id="a")
    finally:
        conf.load({})
    assert (task.retries, task.execution_timeout) == (4, dt.timedelta(minutes=1))


def test_unknown_keyword_names_task_and_near_names() -> None:
    with pytest.raises(TypeError, match=r"BashOperator \(task_id 'a'\) does not know .*'bash_comand' .*'bash_command'"):
        BashOperator(task_id="a", bash_command="x", bash_comand="y")
    with pytest.raises(TypeError, match="'retrys'.*did you mean 'retries'"):
        EmptyOperator(task_id="a", retrys=1)


def test_missing_argument_names_the_task() -> None:
    with pytest.raises(TypeError, match=r"Copy \(task_id 'c'\) is missing the argument 'source'"):
        Copy(task_id="c")
    with pytest.raises(TypeError, match="task_id"):
        EmptyOperator()


def test_positional_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="takes keyword arguments only"):
        EmptyOperator("a")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({"task_id": "a b"}, InvalidDag, "task_id 'a b' is not allowed"),
        ({"task_id": 5}, TypeError, "task_id must be a string"),
        ({"retries": "many"}, AirflowException, "'retries' type must be int"),
        ({"retry_delay": "5m"}, TypeError, "retry_delay must be a timedelta or a number of seconds"),
        ({"execution_timeout": 5}, TypeError, "execution_timeout must be timedelta"),
        ({"trigger_rule": "all_sucess"}, AirflowException, "trigger_rule must be one of all_success"),
        ({"weight_rule": "sideways"}, AirflowException, "weight_rule must be one of"),
        ({"pool_slots": 0}, ValueError, "pool slots for a cannot be less than 1"),
        ({"priority_weight": "high"}, TypeError, "priority_weight must be int"),
        ({"start_date": "2024-01-01"}, TypeError, "start_date must be a datetime"),
        ({"depends_on_past": "no"}, TypeError, "depends_on_past must be bool"),
    ],
)
def test_wrong_value_is_refused_with_a_sentence(kwargs: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        EmptyOperator(**{"task_id": "a", **kwargs})


def test_numbers_are_seconds_and_texts_are_retries() -> None:
    task = EmptyOperator(task_id="a", retry_delay=30, max_retry_delay=90.5, retries="3")
    assert (task.retry_delay, task.max_retry_delay, task.retries) == (
        dt.timedelta(seconds=30),
        dt.timedelta(seconds=90.5),
        3,
    )


@pytest.mark.parametrize(
    ("old", "new"), [("dummy", "always"), ("none_failed_or_skipped", "none_failed_min_one_success")]
)
def test_old_names_of_trigger_rules_work(old: str, new: str) -> None:
    assert EmptyOperator(task_id="a", trigger_rule=old).trigger_rule.value == new


def test_wait_for_downstream_implies_depends_on_past() -> None:
    assert EmptyOperator(task_id="a", wait_for_downstream=True).depends_on_past is True


def test_old_keywords_are_taken() -> None:
    assert EmptyOperator(task_id="a", task_concurrency=3).max_active_tis_per_dag == 3
    EmptyOperator(task_id="b", provide_context=True)


def test_default_args_reach_every_init_of_the_hierarchy() -> None:
    with DAG("d", default_args={"owner": "dag", "retries": 1, "target": "dag", "pool": "dag"}):
        with TaskGroup("g", default_args={"retries": 2, "pool": "group"}):
            task = Copy(task_id="c", source="s", default_args={"pool": "own"})
        other = Copy(task_id="c", source="s", target="mine", owner="me")
    assert (task.owner, task.retries, task.target, task.pool) == ("dag", 2, "dag", "own")
    assert (other.owner, other.retries, other.target, other.pool) == ("me", 1, "mine", "dag")


def test_default_args_do_not_collide_with_what_a_subclass_fixes() -> None:
    class Fixed(Copy):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(source="fixed", **kwargs)

    with DAG("d", default_args={"source": "default"}):
        assert Fixed(task_id="f").source == "fixed"


def test_subclass_without_kwargs_still_works() -> None:
    class Plain(BaseOperator):
        def __init__(self, name: str, task_id: str) -> None:
            super().__init__(task_id=task_id)
            self.name = name

    with DAG("d", default_args={"retries": 2, "name": "n"}):
        task = Plain(task_id="p")  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"Plain \(task_id 'q'\) does not know the argument 'size'"):
            Plain(task_id="q", size=3)  # type: ignore[call-arg]
    assert (task.name, task.retries) == ("n", 2)


def test_params_of_dag_defaults_and_task_merge_by_key() -> None:
    with DAG("d", params={"a": 1, "b": 1, "c": 1}, default_args={"params": {"b": 2}}):
        task = EmptyOperator(task_id="t", params={"c": 3})
    assert task.params == {"a": 1, "b": 2, "c": 3}


def test_outputs_in_template_fields_become_edges(dag: DAG) -> None:
    a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
    copy = Copy(task_id="c", source=a.output, target={"x": [b.output["key"]]})  # type: ignore[arg-type]
    assert copy.upstream_task_ids == {"a", "b"}
    assert a.downstream_task_ids == {"c"}


def test_output_put_into_a_template_field_later_becomes_an_edge(dag: DAG) -> None:
    a, copy = EmptyOperator(task_id="a"), Copy(task_id="c", source="s")
    copy.target = a.output  # type: ignore[assignment]
    assert copy.upstream_task_ids == {"a"}


def test_fail_stop_allows_no_other_trigger_rule() -> None:
    with DAG("d", fail_stop=True), pytest.raises(FailStopDagInvalidTriggerRule, match="Task 'a' has the trigger rule"):
        EmptyOperator(task_id="a", trigger_rule="all_done")


def test_task_cannot_be_in_two_dags() -> None:
    task = EmptyOperator(task_id="a", dag=DAG("one"))
    with pytest.raises(InvalidDag, match="is in DAG 'one' already"):
        task.dag = DAG("two")


def test_copy_for_execution_leaves_the_dag_alone(dag: DAG) -> None:
    task = Copy(task_id="c", source="{{ ds }}")
    run = task.prepare_for_execution()
    run.source = "rendered"  # type: ignore[attr-defined]
    assert task.source == "{{ ds }}"


def test_defer_raises_what_the_runner_waits_for() -> None:
    with pytest.raises(TaskDeferred) as caught:
        EmptyOperator(task_id="a").defer(trigger="t", method_name="resume", kwargs={"x": 1})
    assert (caught.value.trigger, caught.value.method_name, caught.value.kwargs) == ("t", "resume", {"x": 1})


def test_tasks_sort_by_id_and_name_their_class() -> None:
    tasks = [EmptyOperator(task_id="b"), EmptyOperator(task_id="a")]
    assert [repr(task) for task in sorted(tasks)] == ["<Task(EmptyOperator): a>", "<Task(EmptyOperator): b>"]
