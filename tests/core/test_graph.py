"""Order, cycles, closures, weights, and what a DagGraph knows of its tasks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.core.graph import (
    DagGraph,
    closure,
    input_sources,
    reversed_edges,
    topological_order,
    total_priority_weights,
)
from asyncflow.core.specs import ExpandSpec, LiteralInput, TaskGroupSpec, XComInput
from asyncflow.errors import CycleFound
from tests.core.simulate import a_dag, a_task

DIAMOND = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}


def test_order_keeps_ties_as_given() -> None:
    assert topological_order({"z": [], "a": ["m"], "m": []}) == ["z", "a", "m"]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=60))
def test_order_respects_every_edge(pairs: list[tuple[int, int]]) -> None:
    edges: dict[str, list[str]] = {str(n): [] for n in range(21)}
    for a, b in pairs:
        if a < b:
            edges[str(a)].append(str(b))
    order = topological_order(edges)
    assert sorted(order) == sorted(edges)
    assert all(order.index(a) < order.index(b) for a in edges for b in edges[a])


@pytest.mark.parametrize(
    ("edges", "named"),
    [
        ({"a": ["a"]}, "a >> a"),
        ({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a", "y"], "y": []}, "a >> b >> c >> a"),
        ({"start": ["m"], "m": ["n"], "n": ["m", "end"], "end": []}, "m >> n >> m"),
    ],
)
def test_a_cycle_is_named_and_nothing_else(edges: dict[str, list[str]], named: str) -> None:
    with pytest.raises(CycleFound, match=f"in a circle: {named}\\.$"):
        topological_order(edges)


def test_closure_is_everything_below() -> None:
    assert closure(["b"], DIAMOND) == {"d"}
    assert closure(["a"], DIAMOND) == {"b", "c", "d"}
    assert closure(["d"], reversed_edges(DIAMOND)) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("rule", "weights"),
    [
        ("downstream", {"a": 1111, "b": 1010, "c": 1100, "d": 1000}),
        ("upstream", {"a": 1, "b": 11, "c": 101, "d": 1111}),
        ("absolute", {"a": 1, "b": 10, "c": 100, "d": 1000}),
    ],
)
def test_total_weights_follow_the_rule(rule: str, weights: dict[str, int]) -> None:
    own = {"a": 1, "b": 10, "c": 100, "d": 1000}
    assert total_priority_weights(own, dict.fromkeys(own, rule), DIAMOND) == weights


def test_sources_of_zipped_and_concatenated_inputs_are_found() -> None:
    parts = (
        XComInput(task_id="a"),
        LiteralInput(length=2),
        XComInput(transform="concat", parts=(XComInput(task_id="b"),)),
    )
    assert input_sources(XComInput(transform="zip", parts=parts)) == ["a", "b"]


def test_nested_mapped_groups_are_listed_innermost_first() -> None:
    outer = TaskGroupSpec(group_id="o", expand=ExpandSpec(inputs={"x": XComInput(task_id="s")}))
    plain = TaskGroupSpec(group_id="o.p", parent="o")
    inner = TaskGroupSpec(group_id="o.p.i", parent="o.p", expand=ExpandSpec(inputs={"y": LiteralInput(length=2)}))
    tasks = [a_task("s"), a_task("t", group_id="o.p.i", upstream=["s"]), a_task("free")]
    graph = DagGraph(a_dag(*tasks, groups=[outer, plain, inner]))
    assert graph.mapped_groups == {"s": (), "t": ("o.p.i", "o"), "free": ()}
    assert graph.expands == {"t"}
    assert graph.all_map_sources("t") == {"s"}
    assert graph.map_sources["t"] == ()
    assert len(graph.group_expansions("o.p.i")) == 2


@pytest.mark.parametrize("dagrun_fails", [False, True])
def test_a_teardown_is_a_leaf_only_if_it_may_fail_the_run(dagrun_fails: bool) -> None:
    teardown = a_task("t", upstream=["w"], is_teardown=True, on_failure_fail_dagrun=dagrun_fails)
    graph = DagGraph(a_dag(a_task("w"), teardown))
    assert graph.leaves == ({"t"} if dagrun_fails else {"w"})


def test_a_dag_of_teardowns_alone_is_judged_by_the_last() -> None:
    graph = DagGraph(a_dag(a_task("t", is_teardown=True), a_task("u", upstream=["t"], is_teardown=True)))
    assert graph.leaves == {"u"}


def test_setups_reach_the_tasks_between_them_and_their_teardowns() -> None:
    graph = DagGraph(
        a_dag(
            a_task("s", is_setup=True),
            a_task("lonely", is_setup=True),
            a_task("w1", upstream=["s", "lonely"]),
            a_task("w2", upstream=["w1"]),
            a_task("t", upstream=["s", "w2"], is_teardown=True),
            a_task("after", upstream=["w2"]),
        )
    )
    assert graph.relevant_setups("w2") == ["lonely", "s"]
    assert graph.relevant_setups("after") == ["lonely"]
    assert graph.indirect_setups == {"w2": ("lonely", "s"), "after": ("lonely",)}
    assert graph.teardowns_of("s") == ["t"]
