"""TaskFlow: what @task and its kinds make, and what they say about wrong functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from asyncflow import DAG, get_current_context, task, task_group
from asyncflow.authoring.decorators import setup
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.operators.empty import EmptyOperator
from asyncflow.sensors.base import PokeReturnValue
from asyncflow.testing.player import play


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d", start_date=dt.datetime(2024, 1, 1)) as made:
        yield made


def xcoms(dag: DAG, task_id: str) -> dict[str, Any]:
    result = play(dag, logs=False)
    assert result.state == "success", result.errors
    return result.xcoms[task_id]


def test_results_travel_and_make_edges(dag: DAG) -> None:
    @task
    def one() -> int:
        return 1

    @task(task_id="sum", retries=3)
    def add(a: int, b: int = 5) -> int:
        """Adds."""
        return a + b

    add(one())
    made = dag.get_task("sum")
    assert (made.upstream_task_ids, made.retries, made.doc_md, made.operator_name) == ({"one"}, 3, "Adds.", "@task")
    assert xcoms(dag, "sum") == {"return_value": 6}


def test_async_function_is_run_to_its_end(dag: DAG) -> None:
    @task
    async def later() -> str:
        return "done"

    later()
    assert xcoms(dag, "later") == {"return_value": "done"}


def test_context_variables_come_by_name(dag: DAG) -> None:
    @task
    def look(x: int, ds: str | None = None, ti: Any = None, **context: Any) -> list[Any]:
        return [
            x,
            ds == context["ts"][:10],
            ti.task_id,
            context["dag"].dag_id,
            get_current_context()["run_id"] == ti.run_id,
        ]

    look(7)
    assert xcoms(dag, "look")["return_value"] == [7, True, "look", "d", True]


def test_context_parameter_needs_no_default(dag: DAG) -> None:
    @task
    def look(ti: Any, x: int) -> list[Any]:
        return [ti.task_id, x]

    look(x=3)
    assert xcoms(dag, "look")["return_value"] == ["look", 3]


@pytest.mark.parametrize("annotation", [dict, dict[str, int], "dict[str, int]", "Dict"])
def test_dict_annotation_means_multiple_outputs(dag: DAG, annotation: Any) -> None:
    def split() -> Any:
        return {"a": 1, "b": 2}

    split.__annotations__["return"] = annotation
    split.__globals__["Dict"] = dict
    task(split)()
    assert xcoms(dag, "split") == {"a": 1, "b": 2, "return_value": {"a": 1, "b": 2}}


def test_multiple_outputs_can_be_said_or_denied(dag: DAG) -> None:
    @task(multiple_outputs=True)
    def yes():  # type: ignore[no-untyped-def]
        return {"a": 1}

    @task(multiple_outputs=False)
    def no() -> dict[str, int]:
        return {"a": 1}

    @task
    def use(x: int) -> int:
        return x

    use(yes()["a"])
    no()
    result = play(dag, logs=False)
    assert set(result.xcoms["yes"]) == {"a", "return_value"}
    assert set(result.xcoms["no"]) == {"return_value"}
    assert result.xcoms["use"]["return_value"] == 1


def test_unknown_annotation_is_no_dict(dag: DAG) -> None:
    def odd() -> NotThere:  # type: ignore[name-defined]  # noqa: F821
        return 1

    task(odd)()
    assert xcoms(dag, "odd") == {"return_value": 1}


def test_calls_of_one_function_get_suffixes(dag: DAG) -> None:
    @task
    def work() -> None: ...

    @task_group
    def group() -> None:
        work()
        work()

    work(), work(), group()
    work.override(task_id="mine")()
    assert dag.task_ids == ["work", "work__1", "group.work", "group.work__1", "mine"]


def test_default_args_fill_parameters_of_the_function() -> None:
    with DAG("d", default_args={"path": "/data", "retries": 1}) as made:

        @task
        def read(path: str) -> str:
            return path

        read()
    assert xcoms(made, "read") == {"return_value": "/data"}


def test_dag_task_makes_tasks_of_that_dag() -> None:
    made = DAG("d")

    @made.task
    def a() -> None: ...

    @made.task(task_id="c")
    def b() -> None: ...

    a(), b()
    assert made.task_ids == ["a", "c"]


@pytest.mark.parametrize(
    ("use", "error", "text"),
    [
        (lambda f: task(f)(1, 2), TypeError, r"f\(\) \(task_id 'f'\): too many positional arguments"),
        (lambda f: task(f)(x=1, y=1), TypeError, "unexpected keyword argument 'y'"),
        (
            lambda f: task(f).expand(y=[1]),
            TypeError,
            r"expand\(\) got an unexpected keyword argument 'y'; f\(\) takes x",
        ),
        (lambda f: task(f).expand(x=1), ValueError, "unexpected type 'int' for keyword argument 'x'"),
        (lambda f: task(f).expand(), TypeError, "no arguments"),
        (lambda f: task(f).expand(ti=[1]), ValueError, "task context variable 'ti'"),
        (lambda f: task(f).partial(x=1).partial(x=2), TypeError, "duplicate partial argument: x"),
        (lambda f: task(f).partial(x=1).expand(x=[2]), TypeError, "mapping already partial argument: x"),
        (lambda f: task(task(f)), TypeError, "use only one @task decorator"),
        (lambda f: task("name"), TypeError, "use kwargs instead"),
        (lambda f: task.docker(f), AttributeError, "There is no @task.docker here; there are"),
    ],
)
def test_wrong_use_is_refused_with_a_sentence(dag: DAG, use: Any, error: type[Exception], text: str) -> None:
    def f(x: int) -> None: ...

    with pytest.raises(error, match=text):
        use(f)


def test_context_parameter_with_a_default_of_its_own_is_refused(dag: DAG) -> None:
    @task
    def f(ds: str = "2024-01-01") -> None: ...

    with pytest.raises(ValueError, match="Context key parameter ds can't have a default other than None"):
        f()


def test_methods_are_refused() -> None:
    with pytest.raises(TypeError, match="does not support methods"):

        class Holder:
            @task
            def f(self) -> None: ...


def test_groups_are_no_setups(dag: DAG) -> None:
    @task_group
    def g() -> None: ...

    with pytest.raises(AirflowException, match="cannot be marked as setup"):
        setup(g)


def test_branch_follows_what_the_function_returns(dag: DAG) -> None:
    @task.branch
    def choose(which: str) -> str:
        return which

    choose("b") >> [EmptyOperator(task_id=name) for name in "abc"]
    result = play(dag, logs=False)
    assert result.tasks == {"choose": "success", "a": "skipped", "b": "success", "c": "skipped"}


def test_branch_into_a_group_takes_its_first_tasks(dag: DAG) -> None:
    @task.branch
    def choose() -> str:
        return "g"

    @task_group
    def g() -> None:
        EmptyOperator(task_id="x") >> EmptyOperator(task_id="y")

    choose() >> [g(), EmptyOperator(task_id="b")]
    result = play(dag, logs=False)
    assert result.tasks == {"choose": "success", "g.x": "success", "g.y": "success", "b": "skipped"}


def test_short_circuit_skips_everything_after(dag: DAG) -> None:
    @task.short_circuit
    def go() -> bool:
        return False

    go() >> EmptyOperator(task_id="a") >> EmptyOperator(task_id="b", trigger_rule="all_done")
    assert play(dag, logs=False).tasks == {"go": "success", "a": "skipped", "b": "skipped"}


def test_bash_function_returns_a_command_that_is_rendered(dag: DAG) -> None:
    @task.bash(env={"NAME": "me"}, append_env=True)
    def greet(word: str) -> str:
        return f"echo {word} $NAME {{{{ ti.task_id }}}}"

    greet("hello")
    assert xcoms(dag, "greet") == {"return_value": "hello me greet"}


def test_bash_function_must_return_a_command(dag: DAG) -> None:
    @task.bash
    def nothing() -> str:
        return " "

    nothing()
    assert "must be a non-empty string" in play(dag, logs=False).errors["nothing"]


def test_sensor_function_pokes_until_true_and_may_leave_a_value(dag: DAG) -> None:
    calls = []

    @task.sensor(poke_interval=0, timeout=60)
    def wait(limit: int) -> PokeReturnValue:
        calls.append(1)
        return PokeReturnValue(is_done=len(calls) >= limit, xcom_value=len(calls))

    wait(3)
    assert xcoms(dag, "wait") == {"return_value": 3}


def test_run_if_and_skip_if(dag: DAG) -> None:
    @task.run_if(lambda context: context["ti"].task_id == "other", "not me")
    @task
    def never() -> None: ...

    @task.skip_if(lambda context: (False, "unused"))
    @task
    def always() -> None: ...

    never(), always()
    assert play(dag, logs=False).tasks == {"never": "skipped", "always": "success"}
    with pytest.raises(TypeError, match="go above @task"):
        task.run_if(lambda context: True)(lambda: None)


def test_params_of_a_decorated_dag_reach_its_tasks() -> None:
    from asyncflow import dag as dag_decorator

    @dag_decorator(start_date=dt.datetime(2024, 1, 1), schedule=None)
    def with_params(name: str = "you") -> None:
        @task
        def greet(whom: str) -> str:
            return f"hello {whom}"

        greet(name)  # type: ignore[arg-type]

    made = with_params()
    assert xcoms(made, "greet") == {"return_value": "hello you"}
    assert play(made, conf={"name": "me"}, logs=False).xcoms["greet"] == {"return_value": "hello me"}
