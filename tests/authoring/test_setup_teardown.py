"""Setup and teardown: marks, blocks, and the edges that blocks make (compared with Airflow 2.11)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asyncflow import DAG, TriggerRule, setup, task, teardown
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.setup_teardown import ContextWrapper, SetupTeardownContext
from asyncflow.operators.empty import EmptyOperator


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d") as made:
        yield made


def make(name: str) -> EmptyOperator:
    return EmptyOperator(task_id=name)


def edges(dag: DAG) -> set[tuple[str, str]]:
    return {(one.task_id, below) for one in dag.tasks for below in one.downstream_task_ids}


def test_marks(dag: DAG) -> None:
    s, t = make("s"), make("t")
    s >> t.as_teardown(setups=s, on_failure_fail_dagrun=True)
    assert (s.is_setup, t.is_teardown, t.trigger_rule, t.on_failure_fail_dagrun) == (
        True,
        True,
        TriggerRule.ALL_DONE_SETUP_SUCCESS,
        True,
    )
    assert edges(dag) == {("s", "t")}


def test_task_cannot_be_both(dag: DAG) -> None:
    with pytest.raises(ValueError, match="already a setup"):
        make("s").as_setup().as_teardown()
    with pytest.raises(ValueError, match="already a teardown"):
        make("t").as_teardown().as_setup()


def test_block_of_a_teardown_wires_its_setups_and_work(dag: DAG) -> None:
    s, t = make("s"), make("t")
    with t.as_teardown(setups=s):
        a, b = make("a"), make("b")
        a >> b
        make("c")
    make("outside")
    assert edges(dag) == {("s", "t"), ("s", "a"), ("a", "b"), ("b", "t"), ("s", "c"), ("c", "t")}


def test_block_of_a_setup_wires_its_teardown(dag: DAG) -> None:
    s = make("s").as_setup()
    s >> make("t").as_teardown()
    with s:
        make("a")
    assert edges(dag) == {("s", "t"), ("s", "a"), ("a", "t")}


def test_inner_block_lies_within_the_outer(dag: DAG) -> None:
    with make("s1").as_setup() >> make("t1").as_teardown():  # type: ignore[union-attr]
        with make("s2").as_setup() >> make("t2").as_teardown():  # type: ignore[union-attr]
            make("a")
        make("b")
    assert edges(dag) == {
        ("s1", "t1"),
        ("s2", "t2"),
        ("s2", "a"),
        ("a", "t2"),
        ("s1", "s2"),
        ("t2", "t1"),
        ("s1", "b"),
        ("b", "t1"),
    }


def test_work_of_an_inner_block_without_teardown_precedes_the_outer_one(dag: DAG) -> None:
    with make("s1").as_setup() >> make("t1").as_teardown():  # type: ignore[union-attr]
        with make("s2").as_setup():
            make("a")
    assert edges(dag) == {("s1", "t1"), ("s1", "s2"), ("s2", "a"), ("a", "t1")}


def test_several_setups_at_once(dag: DAG) -> None:
    s1, s2, t = make("s1").as_setup(), make("s2").as_setup(), make("t").as_teardown()
    [s1, s2] >> t
    with ContextWrapper([s1, s2]) as scope:
        make("a")
        assert scope is SetupTeardownContext
    assert edges(dag) == {("s1", "t"), ("s2", "t"), ("s1", "a"), ("s2", "a"), ("a", "t")}


def test_task_made_before_can_join_a_block(dag: DAG) -> None:
    early, s, t = make("early"), make("s"), make("t")
    with t.as_teardown(setups=s):
        SetupTeardownContext.add_task(early)
    assert ("s", "early") in edges(dag)
    with pytest.raises(AirflowException, match="outside of the block"):
        SetupTeardownContext.add_task(early)


def test_block_of_an_ordinary_task_is_refused(dag: DAG) -> None:
    with pytest.raises(AirflowException, match="Only setup/teardown tasks"), make("a"):
        pass
    with pytest.raises(ValueError, match="either setup or teardown"), ContextWrapper([make("s").as_setup(), make("b")]):
        pass


def test_block_that_fails_wires_nothing(dag: DAG) -> None:
    s, t = make("s"), make("t")

    def fail_inside() -> None:
        with t.as_teardown(setups=s):
            make("a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()
    assert edges(dag) == {("s", "t")}
    assert make("later").upstream_task_ids == set()


def test_decorators_mark_what_they_make(dag: DAG) -> None:
    @setup
    def begin() -> None: ...

    @teardown(on_failure_fail_dagrun=True)
    @task
    def end() -> None: ...

    @task
    def work() -> None: ...

    with begin() >> end():  # type: ignore[union-attr]
        work()
    assert (dag.get_task("begin").is_setup, dag.get_task("end").is_teardown) == (True, True)
    assert dag.get_task("end").on_failure_fail_dagrun is True
    assert edges(dag) == {("begin", "end"), ("begin", "work"), ("work", "end")}


def test_setups_within_whose_scope_a_task_lies(dag: DAG) -> None:
    s, a, t, b = make("s"), make("a"), make("t"), make("b")
    s >> a >> t.as_teardown(setups=s)
    a >> b
    assert [one.task_id for one in a.get_upstreams_only_setups()] == ["s"]
    assert list(b.get_upstreams_only_setups()) == []
    assert {one.task_id for one in b.get_upstreams_follow_setups()} == {"a", "s", "t"}
