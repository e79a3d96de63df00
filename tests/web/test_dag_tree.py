from __future__ import annotations

import pytest

from asyncflow.core.specs import DagSpec, TaskGroupSpec, TaskSpec
from asyncflow.core.timetable import NullTimetable
from asyncflow.errors import InvalidInput
from asyncflow.web import dag_tree
from tests.web.dag_home import a_spec


def _names(spec: DagSpec, text: str | None = None, search: str = "") -> list[tuple[str, int]]:
    return [(line.id, line.depth) for line in dag_tree.lines(spec, dag_tree.opened(spec, text), search)]


def test_lines_follow_the_order_in_which_tasks_run() -> None:
    assert _names(a_spec()) == [("start", 0), ("load", 0), ("load.users", 1), ("load.orders", 1), ("end", 0)]


def test_a_closed_group_stands_for_its_tasks() -> None:
    lines = dag_tree.lines(a_spec(), dag_tree.opened(a_spec(), "-"))
    assert [line.id for line in lines] == ["start", "load", "end"]
    assert lines[1].task_ids == ("load.users", "load.orders")
    assert not lines[1].is_open


def test_inner_groups_show_only_when_all_around_them_are_open() -> None:
    groups = {"a": TaskGroupSpec(group_id="a"), "a.b": TaskGroupSpec(group_id="a.b", parent="a", label="b")}
    tasks = {"a.b.t": TaskSpec(task_id="a.b.t", group_id="a.b")}
    spec = DagSpec(dag_id="d", timetable=NullTimetable(), tasks=tasks, groups=groups)
    assert _names(spec, "*") == [("a", 0), ("a.b", 1), ("a.b.t", 2)]
    assert _names(spec, "a.b") == [("a", 0)]
    assert _names(spec, "a") == [("a", 0), ("a.b", 1)]


def test_a_large_dag_starts_closed() -> None:
    tasks = {f"g.t{n}": TaskSpec(task_id=f"g.t{n}", group_id="g") for n in range(61)}
    spec = DagSpec(dag_id="d", timetable=NullTimetable(), tasks=tasks, groups={"g": TaskGroupSpec(group_id="g")})
    assert _names(spec) == [("g", 0)]
    assert len(_names(spec, "*")) == 62


def test_a_search_finds_tasks_by_part_of_their_id() -> None:
    assert _names(a_spec(), search="ORD") == [("load.orders", 0)]


def test_toggling_opens_and_closes() -> None:
    spec = a_spec()
    assert dag_tree.toggled(spec, frozenset({"load"}), "load") == "-"
    assert dag_tree.toggled(spec, frozenset(), "load") == "*"


def test_unknown_groups_in_the_address_are_left_out() -> None:
    assert dag_tree.opened(a_spec(), "nonsense,load") == frozenset({"load"})


def test_tasks_of_older_versions_come_last_and_are_marked() -> None:
    old = a_spec(tasks={"gone": TaskSpec(task_id="gone"), "end": TaskSpec(task_id="end")}, groups={})
    (line,) = dag_tree.gone_lines(a_spec(), [old, old])
    assert (line.id, line.gone) == ("gone", True)
    assert dag_tree.gone_lines(a_spec(), [old], "other") == []


def test_what_is_around_a_task() -> None:
    spec = a_spec()
    assert dag_tree.around(spec, "load.users", upstream=True, downstream=False) == {"start", "load.users"}
    assert dag_tree.around(spec, "load.users", upstream=False, downstream=True) == {"load.users", "end"}


def test_a_circle_of_tasks_is_shown_in_the_order_of_the_file() -> None:
    tasks = {"a": TaskSpec(task_id="a", downstream=("b",)), "b": TaskSpec(task_id="b", downstream=("a",))}
    assert dag_tree.order_of(DagSpec(dag_id="d", timetable=NullTimetable(), tasks=tasks)) == ["a", "b"]


def test_a_dag_is_narrowed_to_what_is_around_a_task() -> None:
    spec = a_spec()
    found = dag_tree.narrowed(spec, "load.users", "upstream")
    assert {name: (task.upstream, task.downstream) for name, task in found.tasks.items()} == {
        "start": ((), ("load.users",)),
        "load.users": (("start",), ()),
    }
    assert set(dag_tree.narrowed(spec, "load.users", None).tasks) == {"start", "load.users", "end"}
    assert dag_tree.narrowed(spec, "", None) is spec
    with pytest.raises(InvalidInput, match="no such task"):
        dag_tree.narrowed(spec, "lode", None)
