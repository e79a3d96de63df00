"""DAGs, datasets and what ties them together, as a graph to draw. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asyncflow.core.datasets import names
from asyncflow.engine.dataset_pages import DatasetRow, TiedDag
from asyncflow.web.address import dag_path, query, segment
from asyncflow.web.dataset_view import dataset_path
from asyncflow.web.graph_layout import Layout, Node
from asyncflow.web.shapes import HEIGHT, STRIPE, beside, box_width, cut, path

#: what a box stands for -> what the legend and its smaller line say
KINDS = {
    "dag": "DAG",
    "dataset": "dataset",
    "alias": "dataset alias",
    "trigger": "triggers a DAG",
    "sensor": "waits for a DAG",
    "marker": "clears a DAG, too",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A box of the graph, before it has a place."""

    id: str  #: kind, colon, name
    kind: str
    label: str
    remark: str  #: beside the kind, in its smaller line: "" or "paused" or "not in the folder"
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Boxes and arrows."""

    things: Mapping[str, Thing]
    edges: Sequence[tuple[str, str]]

    def around(self, centre: str) -> Net:
        """What a box leads to, what leads to it, and itself."""
        kept = {centre, *_reach(centre, self.edges, 0), *_reach(centre, self.edges, 1)}
        return self._only(kept)

    def matching(self, text: str) -> Net:
        """Boxes with a text in their name, and their neighbours."""
        wanted = {name for name, thing in self.things.items() if text in thing.label.casefold()}
        beside = {end for edge in self.edges if wanted & set(edge) for end in edge}
        return self._only(wanted | beside)

    def _only(self, kept: set[str]) -> Net:
        return Net(
            things={name: thing for name, thing in self.things.items() if name in kept},
            edges=[edge for edge in self.edges if set(edge) <= kept],
        )


def _reach(start: str, edges: Iterable[tuple[str, str]], end: int) -> set[str]:
    """All that can be reached from a box along the arrows (`end` 0) or against them (1)."""
    beside: dict[str, list[str]] = {}
    for edge in edges:
        beside.setdefault(edge[end], []).append(edge[1 - end])
    found: set[str] = set()
    todo = [start]
    while todo:
        for name in beside.get(todo.pop(), ()):
            if name not in found:
                found.add(name)
                todo.append(name)
    return found


def net(dags: Sequence[TiedDag], rows: Sequence[DatasetRow], *, datasets_only: bool) -> Net:
    """All that hangs together: DAGs with ties, their datasets and, unless `datasets_only`, tasks that name DAGs."""
    builder = _Builder({dag.dag_id: dag for dag in dags}, {row.uri: row for row in rows})
    for dag in dags:
        builder.datasets(dag)
        if not datasets_only:
            builder.links(dag)
    if datasets_only:
        for row in rows:
            builder.dataset(row.uri)
    return Net(things=builder.things, edges=list(builder.edges))


class _Builder:
    def __init__(self, dags: Mapping[str, TiedDag], rows: Mapping[str, DatasetRow]) -> None:
        self.things: dict[str, Thing] = {}
        self.edges: dict[tuple[str, str], None] = {}
        self._dags = dags
        self._rows = rows

    def datasets(self, dag: TiedDag) -> None:
        for tie in dag.ties.makes:
            self._edge(self._dag(dag.dag_id), self.dataset(tie.uri) if tie.uri else self._alias(tie.name))
        if dag.ties.condition is not None:
            uris, aliases = names(dag.ties.condition)
            for name in [*map(self.dataset, uris), *map(self._alias, aliases)]:
                self._edge(name, self._dag(dag.dag_id))

    def links(self, dag: TiedDag) -> None:
        """As Airflow: DAG, then the task, then the DAG that it starts; a sensor leads from the other DAG to its own."""
        for link in dag.ties.links:
            if "{{" in link.dag_id:
                continue  # which DAG only a run can tell
            task = self._thing(
                f"{link.kind}:{dag.dag_id}.{link.task_id}",
                link.kind,
                link.task_id,
                "",
                f"{dag_path(dag.dag_id)}/details{query({}, task=link.task_id)}",
            )
            mine, other = self._dag(dag.dag_id), self._dag(link.dag_id)
            ends = (other, mine) if link.kind == "sensor" else (mine, other)
            self._edge(ends[0], task)
            self._edge(task, ends[1])

    def _edge(self, source: str, target: str) -> None:
        self.edges[source, target] = None

    def _dag(self, dag_id: str) -> str:
        known = self._dags.get(dag_id)
        remark = "not in the folder" if known is None else "paused" if known.paused else ""
        label = known.name if known else dag_id
        return self._thing(f"dag:{dag_id}", "dag", label, remark, dag_path(dag_id) if known else "")

    def dataset(self, uri: str) -> str:
        row = self._rows.get(uri)
        label = (row.name if row else "") or uri
        return self._thing(f"dataset:{uri}", "dataset", label, "", dataset_path(uri))

    def _alias(self, name: str) -> str:
        return self._thing(f"alias:{name}", "alias", name, "", f"/datasets?q={segment(name)}")

    def _thing(self, name: str, kind: str, label: str, remark: str, href: str) -> str:
        if name not in self.things:
            self.things[name] = Thing(id=name, kind=kind, label=label, remark=remark, href=href)
        return name


# ---- drawing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A box to draw."""

    id: str
    kind: str
    x: float
    y: float
    width: float
    height: float
    label: str
    small: str
    title: str
    href: str
    before: str  #: places of the boxes before and after it, for highlighting; separated by spaces
    after: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An arrow to draw."""

    path: str
    source: str
    target: str


def nodes(drawn: Net, words: Mapping[str, str]) -> list[Node]:
    """The boxes with their sizes. `words`: kinds and remarks in the reader's language."""
    return [
        Node(name, box_width(thing.label, small(thing, words)), HEIGHT) for name, thing in sorted(drawn.things.items())
    ]


def small(thing: Thing, words: Mapping[str, str]) -> str:
    """The smaller line of a box."""
    kind = words[KINDS[thing.kind]]
    return f"{kind} · {words[thing.remark]}" if thing.remark else kind


def shapes(drawn: Net, laid: Layout, words: Mapping[str, str], chosen: str) -> tuple[list[Shape], list[Link]]:
    """Boxes and arrows. They are named by their place: names of DAGs and datasets may hold spaces."""
    place = {name: f"n{at}" for at, name in enumerate(sorted(drawn.things))}
    before, after = beside(drawn.edges)
    found = []
    for box in laid.boxes:
        thing = drawn.things[box.id]
        line = small(thing, words)
        found.append(
            Shape(
                id=place[box.id],
                kind=thing.kind,
                x=round(box.x, 1),
                y=round(box.y, 1),
                width=round(box.width, 1),
                height=round(box.height, 1),
                label=cut(thing.label, box.width - STRIPE - 12, 1.0),
                small=cut(line, box.width - STRIPE - 12, 0.82),
                title=f"{thing.label} · {line}",
                href=thing.href,
                before=" ".join(place[name] for name in before.get(box.id, ())),
                after=" ".join(place[name] for name in after.get(box.id, ())),
                chosen=box.id == chosen,
            )
        )
    lines = [
        Link(path=path(arrow.points, False), source=place[arrow.source], target=place[arrow.target])
        for arrow in laid.arrows
    ]
    return found, lines
