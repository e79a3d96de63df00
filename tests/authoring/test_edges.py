"""Edges: >>, <<, lists, labels, chain and its kin; groups as ends; what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asyncflow import DAG, Label, TaskGroup, chain, chain_linear, cross_downstream
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.operators.empty import EmptyOperator


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d") as made:
        yield made


def tasks(names: str) -> list[EmptyOperator]:
    return [EmptyOperator(task_id=name) for name in names]


def edges(dag: DAG) -> set[str]:
    found = {f"{task.task_id}{below}" for task in dag.tasks for below in task.downstream_task_ids}
    assert found == {f"{above}{task.task_id}" for task in dag.tasks for above in task.upstream_task_ids}
    return found


def test_operators_give_what_stands_on_the_right(dag: DAG) -> None:
    a, b, c, d = tasks("abcd")
    assert (a >> b) is b
    assert (c << b) is b
    [a, b] >> d
    [d] << c  # type: ignore[operator]
    assert edges(dag) == {"ab", "bc", "ad", "bd", "cd"}


def test_set_upstream_and_downstream_take_one_or_several(dag: DAG) -> None:
    a, b, c, d = tasks("abcd")
    a.set_downstream([b, c])
    d.set_upstream(b)
    assert edges(dag) == {"ab", "ac", "bd"}


def test_chain_joins_neighbours_and_pairs(dag: DAG) -> None:
    a, b, c, d, e, f = tasks("abcdef")
    chain(a, [b, c], [d, e], f)
    assert edges(dag) == {"ab", "ac", "bd", "ce", "df", "ef"}


def test_chain_refuses_lists_of_different_length(dag: DAG) -> None:
    a, b, c = tasks("abc")
    with pytest.raises(AirflowException, match="of one length: 1 and 2"):
        chain([a], [b, c])
    with pytest.raises(TypeError, match="not str"):
        chain([a], "b")  # type: ignore[arg-type]


def test_chain_linear_joins_each_with_each(dag: DAG) -> None:
    a, b, c, d, e = tasks("abcde")
    chain_linear(a, [b, c], [d, e])
    assert edges(dag) == {"ab", "ac", "bd", "be", "cd", "ce"}


@pytest.mark.parametrize("given", [(), ([],)])
def test_chain_linear_needs_something_to_join(dag: DAG, given: tuple[list[EmptyOperator], ...]) -> None:
    with pytest.raises(ValueError, match="chain_linear"):
        chain_linear(*given)


def test_cross_downstream_joins_each_with_each(dag: DAG) -> None:
    a, b, c, d = tasks("abcd")
    cross_downstream([a, b], [c, d])
    assert edges(dag) == {"ac", "ad", "bc", "bd"}


def test_label_marks_the_edge_and_makes_it(dag: DAG) -> None:
    a, b, c = tasks("abc")
    a >> Label("yes") >> [b, c]
    b << Label("no") << c
    assert edges(dag) == {"ab", "ac", "cb"}
    assert dag.get_edge_info("a", "b") == {"label": "yes"}
    assert dag.get_edge_info("c", "b") == {"label": "no"}
    assert dag.get_edge_info("b", "c") == {}


def test_label_stands_beside_tasks_only(dag: DAG) -> None:
    with pytest.raises(TypeError, match="not beside EdgeModifier"):
        Label("a") >> Label("b")


def test_edges_of_a_group_leave_its_leaves_and_reach_its_roots(dag: DAG) -> None:
    a, z = tasks("az")
    with TaskGroup("g", prefix_group_id=False) as group:
        b, c, d = tasks("bcd")
        b >> [c, d]
    a >> group >> z
    assert edges(dag) == {"ab", "bc", "bd", "cz", "dz"}
    assert (group.upstream_task_ids, group.downstream_task_ids) == ({"a"}, {"z"})


def test_edge_between_groups_is_noted_between_groups(dag: DAG) -> None:
    with TaskGroup("g", prefix_group_id=False) as one:
        tasks("ab")
    with TaskGroup("h", prefix_group_id=False) as two:
        tasks("cd")
    one >> Label("then") >> two
    one >> two
    assert edges(dag) == {"ac", "ad", "bc", "bd"}
    assert (one.downstream_group_ids, two.upstream_group_ids) == ({"h"}, {"g"})


def test_edge_brings_a_task_without_dag_into_the_dag() -> None:
    dag = DAG("d")
    a, b = EmptyOperator(task_id="a", dag=dag), EmptyOperator(task_id="b")
    a >> b
    assert dag.task_ids == ["a", "b"]
    c = EmptyOperator(task_id="c")
    c >> b
    assert c.dag is dag


def test_edge_needs_one_dag() -> None:
    one, two = EmptyOperator(task_id="a", dag=DAG("one")), EmptyOperator(task_id="a", dag=DAG("two"))
    with pytest.raises(AirflowException, match="different DAGs: 'one', 'two'"):
        one >> two
    with pytest.raises(AirflowException, match="An edge needs a DAG"):
        EmptyOperator(task_id="x") >> EmptyOperator(task_id="y")


def test_edge_to_something_else_is_refused(dag: DAG) -> None:
    with pytest.raises(TypeError, match="'a' can be set up- or downstream of tasks.* not of str"):
        tasks("a")[0] >> "b"  # type: ignore[operator]


def test_relatives_near_and_far(dag: DAG) -> None:
    a, b, c, d = tasks("abcd")
    a >> b >> c
    d >> c
    assert a.get_flat_relative_ids(upstream=False) == {"b", "c"}
    assert c.get_flat_relative_ids(upstream=True) == {"a", "b", "d"}
    assert {task.task_id for task in c.get_direct_relatives(upstream=True)} == {"b", "d"}
    assert [task.task_id for task in dag.topological_sort()].index("c") == 3
