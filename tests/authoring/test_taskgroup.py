"""Task groups: ids, collisions, default_args, order, leaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asyncflow import DAG, TaskGroup, task_group
from asyncflow.authoring.exceptions import (
    AirflowDagCycleException,
    AirflowException,
    DuplicateTaskIdFound,
    TaskAlreadyInTaskGroup,
)
from asyncflow.errors import InvalidDag
from asyncflow.operators.empty import EmptyOperator


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d") as made:
        yield made


def test_ids_have_the_prefixes_of_the_groups_around(dag: DAG) -> None:
    with TaskGroup("a"):
        with TaskGroup("b") as inner:
            task = EmptyOperator(task_id="t")
        with TaskGroup("c", prefix_group_id=False):
            bare = EmptyOperator(task_id="u")
    assert (inner.group_id, task.task_id, task.label) == ("a.b", "a.b.t", "t")
    assert (bare.task_id, bare.label) == ("u", "u")
    assert set(dag.task_group_dict) == {"a", "a.b", "a.c"}
    assert inner.parent_group is dag.task_group_dict["a"]
    assert dag.task_group.is_root


def test_same_group_id_twice_is_refused(dag: DAG) -> None:
    TaskGroup("a")
    with pytest.raises(DuplicateTaskIdFound, match="group_id 'a' has already been added") as caught:
        TaskGroup("a")
    assert caught.value.where is not None


def test_group_and_task_cannot_share_an_id(dag: DAG) -> None:
    TaskGroup("a")
    with pytest.raises(DuplicateTaskIdFound):
        EmptyOperator(task_id="a")
    EmptyOperator(task_id="b")
    with pytest.raises(DuplicateTaskIdFound):
        TaskGroup("b")


def test_decorated_group_called_again_gets_a_suffix(dag: DAG) -> None:
    @task_group
    def work() -> None:
        """What it is for."""
        EmptyOperator(task_id="t")

    assert [work().group_id for _ in range(3)] == ["work", "work__1", "work__2"]
    assert dag.task_ids == ["work.t", "work__1.t", "work__2.t"]
    assert dag.task_group_dict["work"].tooltip == "What it is for."


def test_decorated_group_gives_what_the_function_returns(dag: DAG) -> None:
    @task_group(group_id="mine", default_args={"retries": 2})
    def work(name: str) -> EmptyOperator:
        return EmptyOperator(task_id=name)

    task = work("t")
    assert (task.task_id, task.retries) == ("mine.t", 2)
    assert work.override(group_id="other")("t").task_id == "other.t"


@pytest.mark.parametrize("group_id", ["a.b", "a b", "x" * 201])
def test_id_that_prefixes_has_no_dots(dag: DAG, group_id: str) -> None:
    with pytest.raises(InvalidDag, match="group_id"):
        TaskGroup(group_id)


def test_group_needs_a_dag() -> None:
    with pytest.raises(AirflowException, match="can only be made inside a DAG"):
        TaskGroup("a")


def test_group_of_another_dag_is_no_parent(dag: DAG) -> None:
    with pytest.raises(InvalidDag, match="group of another DAG"):
        TaskGroup("a", parent_group=DAG("other").task_group)


def test_default_args_of_inner_groups_win(dag: DAG) -> None:
    with TaskGroup("a", default_args={"retries": 1, "queue": "q"}):
        with TaskGroup("b", default_args={"retries": 2}):
            task = EmptyOperator(task_id="t")
    assert (task.retries, task.queue) == (2, "q")


def test_task_cannot_be_added_to_a_second_group(dag: DAG) -> None:
    with TaskGroup("a"):
        task = EmptyOperator(task_id="t")
    with pytest.raises(TaskAlreadyInTaskGroup, match="is in group 'a' already"):
        TaskGroup("b").add(task)


def test_children_are_found_by_label_and_in_order(dag: DAG) -> None:
    with TaskGroup("a") as group:
        z, y = EmptyOperator(task_id="z"), EmptyOperator(task_id="y")
        TaskGroup("x")
        y >> z
    assert group.get_child_by_label("z") is z
    assert [node.node_id for node in group.hierarchical_alphabetical_sort()] == ["a.x", "a.y", "a.z"]
    assert [node.node_id for node in group.topological_sort()] == ["a.y", "a.x", "a.z"]
    assert group.has_task(z)


def test_groups_sort_by_the_edges_of_their_tasks(dag: DAG) -> None:
    with TaskGroup("late"):
        last = EmptyOperator(task_id="t")
    with TaskGroup("early"):
        first = EmptyOperator(task_id="t")
    first >> last
    assert [node.node_id for node in dag.task_group.topological_sort()] == ["early", "late"]
    last >> first
    with pytest.raises(AirflowDagCycleException):
        dag.task_group.topological_sort()


def test_leaf_of_a_group_that_ends_in_a_teardown_is_the_work_before_it(dag: DAG) -> None:
    with TaskGroup("g") as group:
        setup, work, teardown = (EmptyOperator(task_id=name) for name in ("setup", "work", "teardown"))
        setup >> work >> teardown.as_teardown(setups=setup)
    after = EmptyOperator(task_id="after")
    group >> after
    assert [task.task_id for task in group.get_leaves()] == ["g.work"]
    assert after.upstream_task_ids == {"g.work"}


def test_groups_are_neither_setup_nor_teardown(dag: DAG) -> None:
    with pytest.raises(AirflowException, match="cannot be a setup"):
        TaskGroup("a").as_setup()
    with pytest.raises(AirflowException, match="cannot be a teardown"):
        TaskGroup("b").as_teardown()
