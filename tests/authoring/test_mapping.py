"""Dynamic task mapping: what `.partial().expand()` takes, makes, and gives each copy; mapped task groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from asyncflow import DAG, task, task_group
from asyncflow.authoring.mapping import MappedOperator
from asyncflow.operators.bash import BashOperator
from asyncflow.operators.empty import EmptyOperator
from asyncflow.operators.python import PythonOperator
from asyncflow.sensors.python import PythonSensor
from asyncflow.testing.player import play


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d", default_args={"retries": 2, "queue": "q"}) as made:
        yield made


def outputs(dag: DAG) -> dict[str, Any]:
    """Play the DAG: what each task instance returned."""
    result = play(dag, logs=False)
    assert result.state == "success", result.errors
    return {name: xcoms.get("return_value") for name, xcoms in result.xcoms.items()}


def test_mapped_operator_carries_its_scheduling_arguments(dag: DAG) -> None:
    made = BashOperator.partial(task_id="b", pool="p", retry_delay=5, priority_weight=3).expand(bash_command=["a", "b"])
    assert isinstance(made, MappedOperator)
    assert (made.retries, made.queue, made.pool, made.retry_delay.total_seconds()) == (2, "q", "p", 5)
    assert (made.task_type, made.priority_weight, made.template_fields) == (
        "BashOperator",
        3,
        BashOperator.template_fields,
    )
    assert made.is_mapped
    assert made.get_needs_expansion()
    assert dag.get_task("b") is made


def test_each_copy_gets_its_arguments(dag: DAG) -> None:
    PythonOperator.partial(
        task_id="p", python_callable=lambda x, y: (x, y), op_kwargs={"y": "{{ ti.map_index }}"}
    ).expand(op_args=[[1], [2]])
    assert outputs(dag) == {"p[0]": (1, "0"), "p[1]": (2, "1")}


def test_product_varies_the_first_argument_slowest(dag: DAG) -> None:
    @task
    def pair(a: int, b: Any) -> list[Any]:
        return [a, b]

    pair.expand(a=[1, 2], b={"x": 3, "y": 4})
    assert outputs(dag) == {
        "pair[0]": [1, ["x", 3]],
        "pair[1]": [1, ["y", 4]],
        "pair[2]": [2, ["x", 3]],
        "pair[3]": [2, ["y", 4]],
    }


def test_output_of_a_task_is_mapped_over_and_is_upstream(dag: DAG) -> None:
    @task
    def numbers() -> list[int]:
        return [1, 2]

    @task
    def double(x: int, factor: int = 2) -> int:
        return x * factor

    @task
    def total(values: Any) -> int:
        return sum(values)

    total(double.partial(factor=3).expand(x=numbers()))
    assert dag.get_task("double").upstream_task_ids == {"numbers"}
    found = outputs(dag)
    assert (found["double[0]"], found["double[1]"], found["total"]) == (3, 6, 9)


def test_expand_kwargs_gives_each_copy_a_dict(dag: DAG) -> None:
    @task
    def add(a: int, b: int) -> int:
        return a + b

    add.partial(b=10).expand_kwargs([{"a": 1}, {"a": 2}])
    BashOperator.partial(task_id="bash").expand_kwargs([{"bash_command": "echo $X", "env": {"X": "1"}}])
    assert outputs(dag) == {"add[0]": 11, "add[1]": 12, "bash[0]": "1"}


def test_map_zip_and_concat(dag: DAG) -> None:
    @task
    def small() -> list[int]:
        return [1, 2]

    @task
    def large() -> list[int]:
        return [3, 4, 5]

    @task
    def keep(x: Any) -> Any:
        return x

    one, other = small(), large()
    keep.override(task_id="mapped").expand(x=one.map(lambda n: n * 10))
    keep.override(task_id="zipped").expand(x=one.zip(other))
    keep.override(task_id="filled").expand(x=one.zip(other, fillvalue=0))
    keep.override(task_id="joined").expand(x=one.concat(other))
    found = outputs(dag)
    assert [found[f"mapped[{i}]"] for i in range(2)] == [10, 20]
    assert [found[f"zipped[{i}]"] for i in range(2)] == [(1, 3), (2, 4)]
    assert [found[f"filled[{i}]"] for i in range(3)] == [(1, 3), (2, 4), (0, 5)]
    assert [found[f"joined[{i}]"] for i in range(5)] == [1, 2, 3, 4, 5]


def test_values_from_tasks_are_not_rendered_but_literals_are(dag: DAG) -> None:
    @task
    def texts() -> list[str]:
        return ["{{ 1 + 1 }}"]

    @task
    def keep(x: str) -> str:
        return x

    keep.override(task_id="output").expand(x=texts())
    keep.override(task_id="literal").expand(x=["{{ 1 + 1 }}"])
    found = outputs(dag)
    assert (found["output[0]"], found["literal[0]"]) == ("{{ 1 + 1 }}", "2")


def test_mapped_group_reads_its_own_copy(dag: DAG) -> None:
    @task
    def add_one(x: int) -> int:
        return x + 1

    @task
    def double(x: int) -> int:
        return x * 2

    @task_group
    def work(x: int) -> Any:
        return double(add_one(x))

    @task
    def total(values: Any) -> list[int]:
        return list(values)

    total(work.expand(x=[1, 2, 3]))
    found = outputs(dag)
    assert [found[f"work.double[{i}]"] for i in range(3)] == [4, 6, 8]
    assert found["total"] == [4, 6, 8]


def test_mapped_group_depends_on_what_it_is_mapped_over(dag: DAG) -> None:
    @task
    def numbers() -> list[int]:
        return [1]

    @task_group
    def work(x: int, y: int) -> None:
        EmptyOperator(task_id="t")

    made = work.partial(y=1).expand(x=numbers())
    assert made.upstream_task_ids == {"numbers"}
    assert dag.get_task("work.t").upstream_task_ids == {"numbers"}
    assert [node.node_id for node in dag.get_task("numbers").iter_mapped_dependants()] == ["work"]


def test_group_by_dicts(dag: DAG) -> None:
    @task
    def add(a: int, b: int) -> int:
        return a + b

    @task_group
    def work(a: int, b: int) -> None:
        add(a, b)

    work.expand_kwargs([{"a": 1, "b": 2}, {"a": 3, "b": 4}])
    assert outputs(dag) == {"work.add[0]": 3, "work.add[1]": 7}


@pytest.mark.parametrize(
    ("expand", "error", "text"),
    [
        (lambda: BashOperator.partial(task_id="a", bash_comand="x"), TypeError, "'bash_comand'.*'bash_command'"),
        (lambda: _bash().expand(), TypeError, "no arguments to expand against"),
        (lambda: _bash().expand(bash_comand=["x"]), TypeError, "did you mean 'bash_command'"),
        (
            lambda: _bash().expand(bash_command="x"),
            ValueError,
            "unexpected type 'str' for keyword argument bash_command",
        ),
        (lambda: _bash().expand(pool=["x"]), TypeError, "pool cannot be mapped"),
        (lambda: _bash(cwd="/").expand(cwd=["x"]), TypeError, "unmappable or already specified argument: cwd"),
        (lambda: _bash().expand_kwargs("x"), TypeError, "expected XComArg or list"),
        (lambda: _bash().expand_kwargs([1]), TypeError, "expected XComArg or list"),
        (
            lambda: _bash(bash_command="x", trigger_rule="no").expand(cwd=["x"]),
            Exception,
            "trigger_rule must be one of",
        ),
    ],
)
def test_wrong_mapping_is_refused_with_a_sentence(dag: DAG, expand: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        expand()


def _bash(**kwargs: Any) -> Any:
    return BashOperator.partial(task_id="bash", **kwargs)


def test_only_return_values_can_be_mapped_over(dag: DAG) -> None:
    before = EmptyOperator(task_id="e")
    with pytest.raises(ValueError, match="custom key 'x'"):
        _bash().expand(bash_command=before.output["x"])


def test_trigger_rule_always_does_not_wait_for_what_is_mapped_over(dag: DAG) -> None:
    before = EmptyOperator(task_id="e")
    with pytest.raises(ValueError, match="cannot have the trigger rule 'always'"):
        _bash(trigger_rule="always").expand(bash_command=before.output)


def test_partial_that_is_never_expanded_warns(dag: DAG) -> None:
    made = _bash()
    with pytest.warns(UserWarning, match="Task 'bash' was never mapped"):
        made.__del__()
    made._expanded = True


def test_mapped_sensor_and_teardown_work(dag: DAG) -> None:
    sensor = PythonSensor.partial(task_id="s", python_callable=lambda x: x > 0).expand(op_args=[[1], [2]])
    down = _bash().expand(bash_command=["true", "true"])
    sensor >> down.as_teardown()
    result = play(dag, logs=False)
    assert result.tasks == {"s[0]": "success", "s[1]": "success", "bash[0]": "success", "bash[1]": "success"}


def test_copy_may_not_override_a_partial_argument_by_dict(dag: DAG) -> None:
    _bash(bash_command="true").expand_kwargs([{"bash_command": "false"}])
    result = play(dag, logs=False)
    assert result.state == "failed"
    assert "unmappable or already specified" in result.errors["bash[0]"]
