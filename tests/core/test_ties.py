"""How DAGs hang together, from their definitions."""

from __future__ import annotations

from datetime import timedelta

from asyncflow.core.specs import DagSpec, MarkerSpec, TaskSpec
from asyncflow.core.ties import DatasetTie, TaskLink, ties_of
from asyncflow.core.timetable import NullTimetable


def _spec(*tasks: TaskSpec, condition: object = None) -> DagSpec:
    return DagSpec(
        dag_id="d",
        timetable=NullTimetable(),
        tasks={task.task_id: task for task in tasks},
        dataset_expression=condition,
    )


def test_a_dag_by_itself_has_no_ties() -> None:
    assert ties_of(_spec(TaskSpec(task_id="a", extra={"bash_command": "true"}))).is_alone


def test_what_tasks_make_and_read() -> None:
    found = ties_of(
        _spec(
            TaskSpec(task_id="a", outlets=({"uri": "s3://x", "name": "x"}, {"alias": "any"}, {"object": 1})),
            TaskSpec(task_id="b", inlets=({"uri": "s3://x"},)),
        )
    )
    assert found.makes == (DatasetTie("a", "s3://x", "x"), DatasetTie("a", "", "any"))
    assert found.reads == (DatasetTie("b", "s3://x", ""),)


def test_operators_that_name_other_dags() -> None:
    found = ties_of(
        _spec(
            TaskSpec(task_id="go", extra={"trigger_dag_id": "next"}),
            TaskSpec(task_id="wait", extra={"external_dag_id": "before"}),
            TaskSpec(
                task_id="mark",
                marker=MarkerSpec(dag_id="after", task_id="t", offset=timedelta(0)),
                extra={"external_dag_id": "after"},
            ),
        )
    )
    assert found.links == (
        TaskLink("trigger", "go", "next"),
        TaskLink("sensor", "wait", "before"),
        TaskLink("marker", "mark", "after"),
    )


def test_a_condition_is_a_tie() -> None:
    assert not ties_of(_spec(condition={"all": ["a"]})).is_alone
