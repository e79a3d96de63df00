"""Where the boxes and arrows of a graph go: layers by `fast_sugiyama`, sizes and task groups by us. Pure.

The library knows neither sizes nor groups, so it is asked for the layer and the order within it only. An open group is
laid out by itself and then is one large box of the graph around it; arrows that cross its border meet in a joint on it.
Imports next to nothing: large graphs are laid out in a process of their own (`dag_graph`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: pixels between layers, between boxes of one layer, and inside the border of a group
_LAYER_GAP = 46.0
_BOX_GAP = 14.0
_PAD = 16.0
#: room for the name of a group above what is in it
_TITLE = 22.0
#: what an arrow takes of a layer that it passes
_THREAD = 10.0


class Point(NamedTuple):
    """A place, in pixels from the upper left."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Node:
    """A box to place. A group has children."""

    id: str
    width: float
    height: float
    children: tuple[Node, ...] | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A placed box; `depth` 0 is the outermost."""

    id: str
    x: float
    y: float
    width: float
    height: float
    is_group: bool
    depth: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line from box to box, or a part of it up to the border of a group. `label` stands for its pair of ends."""

    source: str
    target: str
    points: tuple[Point, ...]
    head: bool  #: ends in an arrow head


@dataclass(slots=True)
class Layout:
    """A placed graph."""

    width: float
    height: float
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)


Edge = tuple[str, str]


class _Item(NamedTuple):
    """Something in a layer: a box, or an arrow that passes (no id). `along` the arrows, `across` them."""

    key: int
    along: float
    across: float


@dataclass(slots=True)
class _Placed:
    """The content of one group: centres of its items by their number, and the ways of its arrows."""

    along: float
    across: float
    centres: dict[int, tuple[float, float]]
    routes: dict[tuple[int, int], list[tuple[float, float]]]
    spans: dict[int, tuple[float, float]] = field(default_factory=dict)  #: start and end of the layer of each


def layout(nodes: Sequence[Node], edges: Iterable[Edge], *, down: bool = False) -> Layout:
    """Place `nodes` so that arrows lead to the right, or `down`. Edges join boxes without children."""
    trails: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        _trails(node, (), trails)
    levels = _levels(trails, edges)
    width, height, content = _place("", nodes, levels, down)
    result = Layout(width, height)
    content.emit(result, 0.0, 0.0, 0)
    return result


def _trails(node: Node, above: tuple[str, ...], trails: dict[str, tuple[str, ...]]) -> None:
    trails[node.id] = (*above, node.id)
    for child in node.children or ():
        _trails(child, trails[node.id], trails)


_IN, _OUT = "\0in", "\0out"


def _levels(trails: Mapping[str, tuple[str, ...]], edges: Iterable[Edge]) -> dict[str, dict[Edge, None]]:
    """The edges of each group ("" = outermost) between its own children and its two joints."""
    levels: dict[str, dict[Edge, None]] = {}
    for source, target in edges:
        a, b = trails[source], trails[target]
        same = 0
        while same < min(len(a), len(b)) and a[same] == b[same]:
            same += 1
        if same in (len(a), len(b)):
            continue  # a group and something in it
        levels.setdefault(a[same - 1] if same else "", {})[a[same], b[same]] = None
        for depth in range(same, len(a) - 1):
            levels.setdefault(a[depth], {})[a[depth + 1], _OUT] = None
        for depth in range(same, len(b) - 1):
            levels.setdefault(b[depth], {})[_IN, b[depth + 1]] = None
    return levels


@dataclass(slots=True)
class _Content:
    """A group's inside, in pixels from its upper left corner."""

    group: str
    boxes: dict[str, tuple[float, float, float, float]]
    inner: dict[str, _Content]
    joints: dict[str, Point]
    arrows: list[tuple[Edge, list[Point]]]

    def emit(self, result: Layout, x: float, y: float, depth: int) -> None:
        for name, (left, top, width, height) in self.boxes.items():
            inner = self.inner.get(name)
            result.boxes.append(Box(name, x + left, y + top, width, height, inner is not None, depth))
            if inner is not None:
                inner.emit(result, x + left, y + top, depth + 1)
        for (source, target), points in self.arrows:
            moved = tuple(Point(round(x + p.x, 1), round(y + p.y, 1)) for p in points)
            ends = (self.group if source == _IN else source, self.group if target == _OUT else target)
            result.arrows.append(Arrow(*ends, moved, target != _OUT and target not in self.inner))


def _place(
    group: str, nodes: Sequence[Node], levels: Mapping[str, Mapping[Edge, None]], down: bool
) -> tuple[float, float, _Content]:
    """Width, height and content of one group ("" = outermost)."""
    inner: dict[str, _Content] = {}
    sizes: dict[str, tuple[float, float]] = {}
    for node in nodes:
        if node.children is None:
            sizes[node.id] = (node.width, node.height)
        else:
            width, height, inner[node.id] = _place(node.id, node.children, levels, down)
            sizes[node.id] = (max(width, node.width), height)
    edges = list(levels.get(group, ()))
    joined = {end for edge in edges for end in edge}
    # what no arrow touches comes last: the library numbers passing arrows from the number of its boxes on
    names = sorted([*sizes, *(joint for joint in (_IN, _OUT) if joint in joined)], key=lambda name: name not in joined)
    sizes |= {_IN: (2.0, 2.0), _OUT: (2.0, 2.0)}
    number = {name: n for n, name in enumerate(names)}
    items = [_Item(n, *_turn(sizes[name], down)) for n, name in enumerate(names)]
    placed = _components(items, [(number[a], number[b]) for a, b in edges])
    top = _TITLE if group else 0.0

    def at(centre: tuple[float, float]) -> Point:
        x, y = _turn(centre, down)
        return Point(x + _PAD, y + _PAD + top)

    width, height = _turn((placed.along, placed.across), down)
    width, height = width + 2 * _PAD, height + 2 * _PAD + top
    centres = {name: at(placed.centres[n]) for name, n in number.items()}
    boxes = {}
    for name in names:
        if name in (_IN, _OUT):
            continue
        w, h = sizes[name]
        boxes[name] = (centres[name].x - w / 2, centres[name].y - h / 2, w, h)
    content = _Content(group, boxes, inner, _joints(centres, width, height, top, down), [])
    for edge in edges:
        ends = (number[edge[0]], number[edge[1]])
        route = [at(p) for p in _level(placed, ends, [name in sizes and name not in inner for name in edge])]
        content.arrows.append((edge, [_end(content, edge[0], True, down), *route, _end(content, edge[1], False, down)]))
    return width, height, content


def _turn(pair: tuple[float, float], down: bool) -> tuple[float, float]:
    return (pair[1], pair[0]) if down else pair


def _level(placed: _Placed, edge: tuple[int, int], plain: Sequence[bool]) -> list[tuple[float, float]]:
    """The points by which an arrow passes: level within the layers of its ends, which may have wider boxes than they.

    `plain`: for both ends, whether it is a box; arrows leave and reach groups where their joints are.
    """
    route = list(placed.routes.get(edge, ()))
    if plain[0] and edge[0] in placed.spans:
        route.insert(0, (placed.spans[edge[0]][1], placed.centres[edge[0]][1]))
    if plain[1] and edge[1] in placed.spans:
        route.append((placed.spans[edge[1]][0], placed.centres[edge[1]][1]))
    return route


def _joints(centres: Mapping[str, Point], width: float, height: float, top: float, down: bool) -> dict[str, Point]:
    """Where arrows cross the border of a group."""
    joints = {}
    for joint in (_IN, _OUT):
        if joint not in centres:
            middle = width / 2 if down else (height + top) / 2
        else:
            middle = centres[joint].x if down else centres[joint].y
        edge = 0.0 if joint == _IN else (height if down else width)
        joints[joint] = Point(middle, edge) if down else Point(edge, middle)
    return joints


def _end(content: _Content, name: str, leaving: bool, down: bool) -> Point:
    """Where an arrow leaves or reaches a box, a group or the border around."""
    if name in (_IN, _OUT):
        return content.joints[name]
    left, top, width, height = content.boxes[name]
    if name in content.inner:
        joint = content.inner[name].joints[_OUT if leaving else _IN]
        # a group wider than its content has its right border further out
        return Point(left + (width if leaving and not down else joint.x), top + joint.y)
    if down:
        return Point(left + width / 2, top + (height if leaving else 0))
    return Point(left + (width if leaving else 0), top + height / 2)


def _components(items: Sequence[_Item], edges: Sequence[tuple[int, int]]) -> _Placed:
    """Everything of one group: the connected parts below each other, then what is alone."""
    import fast_sugiyama

    result = _Placed(0.0, 0.0, {}, {})
    if edges:
        joined = len({end for edge in edges for end in edge})
        large = len(items) + len(edges) > 400
        found = fast_sugiyama.from_edges(
            edges,
            vertex_spacing=1,
            dummy_vertices=True,
            check_layout=False,
            # what makes it take a quarter of the time, for graphs too large to look at arrow by arrow
            transpose=not large,
            ranking_type="up" if large else "minimize",
        )
        parts = [_numbers(positions, chains or ()) for positions, _, _, chains in found]
        for places, chains in sorted(parts, key=lambda part: min(part[0])):
            _append(result, _component(items[:joined], places, chains, frozenset(edges)))
    alone = [item for item in items if item.key not in result.centres]
    for item in alone:
        single = _Placed(item.along, item.across, {item.key: (item.along / 2, item.across / 2)}, {})
        _append(result, single)
    return result


def _numbers(
    positions: Iterable[tuple[Any, tuple[float, float]]], chains: Iterable[tuple[Any, Any]]
) -> tuple[dict[int, tuple[float, float]], list[tuple[int, int]]]:
    """One part of the library's answer. Its types allow names, but it was given numbers."""
    return dict(positions), list(chains)


def _append(result: _Placed, part: _Placed) -> None:
    shift = result.across + (_BOX_GAP if result.across else 0.0)
    result.centres |= {key: (a, b + shift) for key, (a, b) in part.centres.items()}
    result.spans |= part.spans
    result.routes |= {edge: [(a, b + shift) for a, b in route] for edge, route in part.routes.items()}
    result.along = max(result.along, part.along)
    result.across = shift + part.across


def _component(
    items: Sequence[_Item],
    positions: Mapping[int, tuple[float, float]],
    chains: Sequence[tuple[int, int]],
    edges: frozenset[tuple[int, int]],
) -> _Placed:
    """One connected part. `positions` give the order within a layer (first) and the layer (second, from the end)."""
    last = max(y for _, y in positions.values())
    unit = min(item.across for item in items if item.key in positions) + _BOX_GAP
    layers: dict[int, list[tuple[float, _Item]]] = {}
    for key, (x, y) in positions.items():
        item = items[key] if key < len(items) else _Item(key, 0.0, _THREAD)
        layers.setdefault(round(last - y), []).append((x * unit, item))
    centres: dict[int, tuple[float, float]] = {}
    spans: dict[int, tuple[float, float]] = {}
    along = 0.0
    for _, layer in sorted(layers.items()):
        thick = max(item.along for _, item in layer)
        for item, across in _settle(sorted(layer, key=lambda pair: (pair[0], pair[1].key))):
            centres[item.key] = (along + thick / 2, across)
            spans[item.key] = (along, along + thick)
        along += thick + _LAYER_GAP
    half = {key: (items[key].across if key < len(items) else _THREAD) / 2 for key in centres}
    least = min(across - half[key] for key, (_, across) in centres.items())
    most = max(across + half[key] for key, (_, across) in centres.items())
    centres = {key: (a, b - least) for key, (a, b) in centres.items()}
    routes = _routes(len(items), chains, edges, centres, spans)
    kept = {key: centre for key, centre in centres.items() if key < len(items)}
    return _Placed(along - _LAYER_GAP, most - least, kept, routes, {key: spans[key] for key in kept})


def _settle(layer: Sequence[tuple[float, _Item]]) -> list[tuple[_Item, float]]:
    """Centres across, near where they are wanted, without overlap: the mean of pushing forward and pushing back."""
    gaps = [0.0] + [(a.across + b.across) / 2 + _BOX_GAP for (_, a), (_, b) in zip(layer, layer[1:], strict=False)]
    forward = [layer[0][0]]
    for n in range(1, len(layer)):
        forward.append(max(layer[n][0], forward[-1] + gaps[n]))
    back = [layer[-1][0]]
    for n in range(len(layer) - 1, 0, -1):
        back.append(min(layer[n - 1][0], back[-1] - gaps[n]))
    return [(item, (f + b) / 2) for (_, item), f, b in zip(layer, forward, reversed(back), strict=True)]


def _routes(
    real: int,
    chains: Sequence[tuple[int, int]],
    edges: frozenset[tuple[int, int]],
    centres: Mapping[int, tuple[float, float]],
    spans: Mapping[int, tuple[float, float]],
) -> dict[tuple[int, int], list[tuple[float, float]]]:
    """The points by which arrows that are longer than one layer pass the layers between."""
    after = {source: target for source, target in chains if source >= real}
    routes: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for source, target in chains:
        if source >= real or target < real:
            continue
        passed = []
        while target >= real:
            across = centres[target][1]
            start, end = spans[target]
            passed += [(start, across), (end, across)]
            target = after[target]
        if (source, target) in edges:
            routes[source, target] = passed
        else:  # the library turned the edge of a circle round
            routes[target, source] = passed[::-1]
    return routes
