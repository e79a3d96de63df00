"""Where boxes go: never over each other, groups around what is theirs, arrows from border to border."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.web.graph_layout import Box, Layout, Node, layout


def _node(name: str, width: float = 100, height: float = 40) -> Node:
    return Node(name, width, height)


def _boxes(laid: Layout) -> dict[str, Box]:
    return {box.id: box for box in laid.boxes}


def _overlap(a: Box, b: Box) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def _inside(inner: Box, outer: Box) -> bool:
    right, bottom = inner.x + inner.width, inner.y + inner.height
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and right <= outer.x + outer.width
        and bottom <= outer.y + outer.height
    )


GROUPED = [_node("a"), Node("g", 80, 20, (_node("g.x"), _node("g.y"), _node("g.z", 120))), _node("b"), _node("alone")]
EDGES = [("a", "g.x"), ("a", "g.y"), ("g.x", "g.z"), ("g.z", "b"), ("a", "b")]


def test_arrows_lead_to_the_right() -> None:
    boxes = _boxes(layout([_node("a"), _node("b"), _node("c")], [("a", "b"), ("b", "c"), ("a", "c")]))
    assert boxes["a"].x + boxes["a"].width < boxes["b"].x
    assert boxes["b"].x + boxes["b"].width < boxes["c"].x


def test_or_down() -> None:
    boxes = _boxes(layout([_node("a"), _node("b")], [("a", "b")], down=True))
    assert boxes["a"].y + boxes["a"].height < boxes["b"].y


@pytest.mark.parametrize("down", [False, True])
def test_a_group_is_around_its_tasks_and_no_others(down: bool) -> None:
    boxes = _boxes(layout(GROUPED, EDGES, down=down))
    group = boxes["g"]
    assert group.is_group
    assert all(_inside(boxes[name], group) for name in ("g.x", "g.y", "g.z"))
    assert not any(_overlap(boxes[name], group) for name in ("a", "b", "alone"))


def test_arrows_into_a_group_meet_at_its_border() -> None:
    laid = layout(GROUPED, EDGES)
    group = _boxes(laid)["g"]
    into = next(arrow for arrow in laid.arrows if (arrow.source, arrow.target) == ("a", "g"))
    assert into.points[-1].x == group.x
    assert not into.head
    inner = [arrow for arrow in laid.arrows if arrow.source == "g" and arrow.target.startswith("g.")]
    assert {arrow.target for arrow in inner} == {"g.x", "g.y"}
    assert all(arrow.points[0] == into.points[-1] and arrow.head for arrow in inner)


def test_a_long_arrow_passes_beside_the_boxes_between() -> None:
    laid = layout([_node("a"), _node("b"), _node("c")], [("a", "b"), ("b", "c"), ("a", "c")])
    between = _boxes(laid)["b"]
    long = next(arrow for arrow in laid.arrows if (arrow.source, arrow.target) == ("a", "c"))
    beside = [point for point in long.points if between.x <= point.x <= between.x + between.width]
    assert beside
    assert all(not between.y < point.y < between.y + between.height for point in beside)


def test_a_circle_is_drawn_too() -> None:
    laid = layout([_node("a"), _node("b"), _node("c")], [("a", "b"), ("b", "c"), ("c", "a")])
    assert len(laid.boxes) == len(laid.arrows) == 3


def test_nothing_to_draw() -> None:
    assert layout([], []).boxes == []


def test_tasks_without_arrows_stand_below_each_other() -> None:
    boxes = layout([_node("a"), _node("b")], []).boxes
    assert boxes[0].x == boxes[1].x
    assert not _overlap(*boxes)


@settings(max_examples=40)
@given(st.data())
def test_boxes_never_overlap_and_stay_on_the_page(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 25))
    names = [f"t{n}" for n in range(count)]
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] < pair[1])
    edges = [(names[a], names[b]) for a, b in data.draw(st.lists(pairs, max_size=40, unique=True))] if count > 1 else []
    size = st.floats(20, 300)
    split = data.draw(st.integers(0, count))
    nodes = [Node(name, data.draw(size), data.draw(size)) for name in names]
    top = [*nodes[:split], Node("g", 60, 20, tuple(nodes[split:]))] if split < count else nodes
    laid = layout(top, edges, down=data.draw(st.booleans()))
    assert {box.id for box in laid.boxes if not box.is_group} == set(names)
    page = Box("", 0, 0, laid.width + 0.1, laid.height + 0.1, True, 0)
    assert all(_inside(box, page) for box in laid.boxes)
    tasks = [box for box in laid.boxes if not box.is_group]
    assert not [pair for pair in combinations(tasks, 2) if _overlap(*pair)]
