"""The graph of all DAGs as boxes and arrows."""

from __future__ import annotations

from typing import Any

from asyncflow.core.ties import DagTies, DatasetTie, TaskLink
from asyncflow.engine.dataset_pages import DatasetRow, TiedDag, note
from asyncflow.web import dataset_view, dependency_view
from asyncflow.web.dependency_view import KINDS
from asyncflow.web.graph_layout import layout

WORDS = {text: text for text in [*KINDS.values(), "paused", "not in the folder"]}


def a_dag(
    dag_id: str,
    *,
    makes: tuple[str, ...] = (),
    waits: Any = None,
    links: tuple[TaskLink, ...] = (),
    paused: bool = False,
) -> TiedDag:
    ties = DagTies(waits, tuple(DatasetTie("t", uri, "") for uri in makes), (), links)
    return TiedDag(dag_id, dag_id, paused, ties)


def rows_of(*dags: TiedDag) -> list[DatasetRow]:
    rows: dict[str, DatasetRow] = {}
    for dag in dags:
        note(rows, dag)
    return list(rows.values())


def a_net(*dags: TiedDag, datasets_only: bool = False) -> dependency_view.Net:
    return dependency_view.net(dags, rows_of(*dags), datasets_only=datasets_only)


def test_a_dag_leads_to_what_it_makes_and_that_to_who_waits() -> None:
    drawn = a_net(a_dag("a", makes=("x",)), a_dag("b", waits={"all": ["x", {"alias": "any"}]}), a_dag("alone"))
    assert drawn.edges == [("dag:a", "dataset:x"), ("dataset:x", "dag:b"), ("alias:any", "dag:b")]
    assert set(drawn.things) == {"dag:a", "dag:b", "dataset:x", "alias:any"}


def test_tasks_that_name_dags_stand_between_them() -> None:
    links = (TaskLink("trigger", "go", "b"), TaskLink("sensor", "wait", "gone"), TaskLink("trigger", "any", "{{ x }}"))
    chain = a_dag("a", links=links)
    drawn = a_net(chain, a_dag("b", paused=True))
    assert drawn.edges == [
        ("dag:a", "trigger:a.go"),
        ("trigger:a.go", "dag:b"),
        ("dag:gone", "sensor:a.wait"),
        ("sensor:a.wait", "dag:a"),
    ]
    assert (drawn.things["dag:gone"].remark, drawn.things["dag:gone"].href) == ("not in the folder", "")
    assert drawn.things["dag:b"].remark == "paused"
    assert a_net(chain, datasets_only=True).things == {}


def test_around_a_box_is_what_leads_to_it_and_what_it_leads_to() -> None:
    drawn = a_net(a_dag("a", makes=("x",)), a_dag("b", waits="x", makes=("y",)), a_dag("c", waits="x"))
    assert set(drawn.around("dataset:y").things) == {"dataset:y", "dag:b", "dataset:x", "dag:a"}
    assert set(drawn.matching("y").things) == {"dataset:y", "dag:b"}


def test_a_circle_is_drawn_once() -> None:
    drawn = a_net(a_dag("a", waits="y", makes=("x",)), a_dag("b", waits="x", makes=("y",)))
    assert len(drawn.around("dag:a").things) == 4
    laid = layout(dependency_view.nodes(drawn, WORDS), drawn.edges)
    boxes, arrows = dependency_view.shapes(drawn, laid, WORDS, "dag:a")
    assert (len(boxes), len(arrows)) == (4, 4)
    assert [box.title for box in boxes if box.chosen] == ["a · DAG"]


def test_boxes_know_their_neighbours_whatever_their_names() -> None:
    drawn = a_net(a_dag("a b", makes=("s3://x y",)))
    laid = layout(dependency_view.nodes(drawn, WORDS), drawn.edges)
    boxes, arrows = dependency_view.shapes(drawn, laid, WORDS, "")
    by_label = {box.label: box for box in boxes}
    assert by_label["a b"].after == by_label["s3://x y"].id
    assert by_label["s3://x y"].before == by_label["a b"].id == arrows[0].source
    assert " " not in arrows[0].target


def test_a_waiter_knows_what_else_it_waits_for() -> None:
    dag = a_dag("b", waits={"all": ["x", "y"]})
    row = next(row for row in rows_of(dag) if row.uri == "x")
    (waiter,) = dataset_view.waiters(row, {"b": dag}, lambda _: {"x": None, "y": None})
    assert (waiter.since, waiter.missing, waiter.condition) == (None, ("y",), "x and y")
