from __future__ import annotations

import pytest

from asyncflow.core.specs import DagSpec, TaskSpec
from asyncflow.web.blame_view import TaskOrigin, line_origins, task_lines, task_origins
from tests.web.dag_home import a_spec

SOURCE = """\
from asyncflow import DAG, task
from asyncflow.operators import BashOperator

with DAG("other"):
    BashOperator(task_id="load", bash_command="other")

with DAG("etl"):
    BashOperator(
        task_id="load", bash_command="true")

    @task(retries=2)
    def extract():
        return 1

    @task.branch
    def choose(): ...

    @task(task_id="renamed")
    def whatever(): ...

    for name in ("a", "b"):
        BashOperator(task_id=f"copy_{name}", bash_command="true")
    for name in ("c", "d"):
        BashOperator(task_id=name, bash_command="true")
    extract()
    extract()
"""


def a_dag(*task_ids: str, line: int | None = 7, **changed: TaskSpec) -> DagSpec:
    tasks = {task_id: TaskSpec(task_id=task_id, label=task_id.rpartition(".")[2]) for task_id in task_ids}
    return a_spec(line=line, tasks={**tasks, **changed}, groups={})


@pytest.mark.parametrize(
    ("task_id", "line"),
    [
        ("load", 8),
        ("group.load", 8),
        ("extract", 11),
        ("extract__1", 11),
        ("choose", 15),
        ("renamed", 18),
        ("copy_a", 22),
        ("c", None),
        ("unknown", None),
    ],
)
def test_the_line_that_makes_a_task(task_id: str, line: int | None) -> None:
    assert task_lines(SOURCE, a_dag(task_id)).get(task_id) == line


def test_of_two_dags_in_a_file_each_has_its_own_lines() -> None:
    assert task_lines(SOURCE, a_dag("load", line=4)) == {"load": 5}


@pytest.mark.parametrize("source", ["def (", "\0", "(" * 5000])
def test_what_is_no_python_has_no_lines(source: str) -> None:
    assert task_lines(source, a_dag("load")) == {}


def test_each_line_has_the_version_that_brought_it() -> None:
    versions = [(4, "a\nb\nnew\nc\nd2\n"), (3, "a\nb\nc\nd2\n"), (2, "a\nb\nc\nd\n"), (1, "a\nc\nd\n")]
    assert line_origins(versions) == [1, 2, 4, 1, 3, 1]
    assert line_origins(versions[:1]) == [4] * 6


def test_a_line_that_left_and_came_back_is_of_its_return() -> None:
    assert line_origins([(3, "a\nb"), (2, "a"), (1, "a\nb")]) == [1, 3]


def test_each_task_has_the_version_since_which_it_is_what_it_is() -> None:
    old, new = a_dag("load"), a_dag(load=TaskSpec(task_id="load", retries=3))
    newest = a_dag("fresh", load=TaskSpec(task_id="load", retries=3))
    found = task_origins([(4, newest), (3, new), (2, new), (1, old)], {"load": 8})
    assert found == [TaskOrigin("fresh", None, 4, 4), TaskOrigin("load", 8, 2, 1)]
