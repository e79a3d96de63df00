"""The graph of a DAG as shapes to draw: boxes with their state, arrows, labels. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncflow.core.models import DagRun
from asyncflow.core.specs import DagSpec
from asyncflow.web import views
from asyncflow.web.address import run_path, segment
from asyncflow.web.dag_tree import Line
from asyncflow.web.forecast import Insight
from asyncflow.web.graph_layout import Arrow, Layout, Node, Point
from asyncflow.web.grid_view import Part, gravest
from asyncflow.web.i18n import ENGLISH, Language
from asyncflow.web.shapes import HEIGHT, STRIPE, beside, box_width, cut, middle, path

#: a box has room for this, so that its place does not depend on how long things took
_ANY_TIME = "3 min 20 s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A box to draw."""

    id: str
    kind: str  #: task, closed (a group that is folded) or group
    x: float
    y: float
    width: float
    height: float
    label: str
    small: str
    title: str
    href: str
    state: str
    glyph: str
    before: str  #: ids of the boxes before and after it, for highlighting; separated by spaces
    after: str
    usual: str  #: how long it usually takes
    until: datetime | None  #: when it is expected to end
    critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An arrow to draw."""

    path: str
    head: bool
    source: str
    target: str
    label: str
    at: Point  #: where its label goes
    critical: bool


def nodes(lines: Sequence[Line]) -> list[Node]:
    """The visible lines of the tree as boxes inside boxes."""
    found: list[Node] = []
    stack: list[tuple[Line, list[Node]]] = []
    for line in lines:
        while stack and stack[-1][0].depth >= line.depth:
            _close(stack, found)
        if line.is_group and line.is_open:
            stack.append((line, []))
            continue
        node = Node(line.id, box_width(_label(line), _small(line, "success", _ANY_TIME)), HEIGHT)
        (stack[-1][1] if stack else found).append(node)
    while stack:
        _close(stack, found)
    return found


def _close(stack: list[tuple[Line, list[Node]]], found: list[Node]) -> None:
    line, children = stack.pop()
    node = Node(line.id, box_width(line.label, "") + STRIPE, HEIGHT, tuple(children))
    (stack[-1][1] if stack else found).append(node)


def edges(spec: DagSpec, lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Arrows between visible boxes; those of tasks in a folded group are its own."""
    shown = {task_id: line.id for line in lines if not line.is_open for task_id in line.task_ids}
    found: dict[tuple[str, str], None] = {}
    for task_id, source in shown.items():
        for after in spec.tasks[task_id].downstream:
            target = shown.get(after)
            if target is not None and target != source:
                found[source, target] = None
    return list(found)


def shapes(
    lines: Sequence[Line],
    laid: Layout,
    between: Sequence[tuple[str, str]],
    parts: Sequence[Part],
    run: DagRun | None,
    toggles: Mapping[str, str],
    known: Insight,
    _: Language = ENGLISH,
) -> list[Shape]:
    """The boxes, groups before what is in them. `parts` count by the place of the line."""
    by_id = {line.id: (place, line) for place, line in enumerate(lines)}
    by_place: dict[int, list[Part]] = {}
    for part in parts:
        by_place.setdefault(part.line, []).append(part)
    before, after = beside(between)
    found = []
    for box in laid.boxes:
        place, line = by_id[box.id]
        state, title = gravest(by_place.get(place, []), _)
        badge = views.badge(None if state == "none" else state)
        usual = _.duration(known.usual.get(line.id))
        found.append(
            Shape(
                id=line.id,
                kind="group" if box.is_group else "closed" if line.is_group else "task",
                x=round(box.x, 1),
                y=round(box.y, 1),
                width=round(box.width, 1),
                height=round(box.height, 1),
                label=cut(_label(line), box.width - STRIPE - 12, 1.0),
                small=cut(_small(line, _.state(state) if run else "", usual, _), box.width - STRIPE - 12, 0.82),
                title=f"{line.id} · {line.operator or _('task group')} · {title or _.state(state)}",
                href=_href(line, run if by_place.get(place) else None, toggles),
                state=state,
                glyph="" if state == "none" else badge.glyph,
                before=" ".join(before.get(line.id, ())),
                after=" ".join(after.get(line.id, ())),
                usual=usual,
                until=known.ends.get(line.id),
                critical=line.id in known.path,
            )
        )
    return found


def _label(line: Line) -> str:
    folded = "▸ " if line.is_group and not line.is_open else ""
    return folded + line.label + (" [ ]" if line.mapped else "")


def _small(line: Line, state: str, usual: str, _: Language = ENGLISH) -> str:
    what = _.n("{n} task", "{n} tasks", len(line.task_ids)) if line.is_group else line.operator
    return " · ".join(part for part in (what, state, f"~{usual}" if usual else "") if part)


def _href(line: Line, run: DagRun | None, toggles: Mapping[str, str]) -> str:
    if line.is_group:
        return toggles[line.id]
    if run is None:
        return f"tasks/{segment(line.id)}"
    place = run_path(run.dag_id, run.run_id)
    return f"{place}?task_id={segment(line.id)}" if line.mapped else f"{place}/tasks/{segment(line.id)}"


def arrows(spec: DagSpec, laid: Layout, known: Insight, *, down: bool) -> list[Link]:
    """The lines to draw."""
    return [
        Link(
            path=path(arrow.points, down),
            head=arrow.head,
            source=arrow.source,
            target=arrow.target,
            label=_edge_label(spec, arrow),
            at=middle(arrow.points),
            critical=(arrow.source, arrow.target) in known.links,
        )
        for arrow in laid.arrows
    ]


def _edge_label(spec: DagSpec, arrow: Arrow) -> str:
    task = spec.tasks.get(arrow.source)
    return task.edge_labels.get(arrow.target, "")[:60] if task else ""
