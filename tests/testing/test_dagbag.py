"""DagBag: all DAGs of a folder, and what is wrong with the rest."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncflow.airflow import finder
from asyncflow.authoring.conf import conf
from asyncflow.testing import DagBag, check_dag_file, dag_files

GOOD = """
from datetime import datetime
from airflow import DAG
from airflow.operators.empty import EmptyOperator
with DAG("{0}", start_date=datetime(2024, 1, 1), schedule=None) as dag:
    EmptyOperator(task_id="a")
"""


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    path, names = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - names:
        if name.startswith("unusual_prefix_"):
            del sys.modules[name]
    finder.uninstall()
    conf.load({})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASYNCFLOW_HOME", str(tmp_path / "home"))
    dags = tmp_path / "dags"
    (dags / "inner").mkdir(parents=True)
    (dags / "good.py").write_text(GOOD.format("good"))
    (dags / "inner" / "other.py").write_text(GOOD.format("other"))
    return dags


def test_a_whole_folder_has_no_errors(folder: Path) -> None:
    bytecode = sys.dont_write_bytecode
    bag = DagBag(dag_folder=folder, include_examples=False)
    assert bag.import_errors == {}
    assert sorted(bag.dag_ids) == ["good", "other"]
    assert (bag.size(), bag.dags["good"].task_ids, bag.get_dag("nope")) == (2, ["a"], None)
    assert bag.dags["good"].fileloc == str(folder / "good.py")
    assert "good (1 tasks)" in bag.dagbag_report()
    assert sys.dont_write_bytecode == bytecode


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_module_at_all  # airflow dag\n", "no_such_module_at_all"),
        ("from airflow import DAG\nDAG('x'\n", "SyntaxError"),
        ("from airflow import DAG\nraise SystemExit(3)\n", "SystemExit"),
        (GOOD.format("good"), "defined already"),
        (GOOD.format("bad") + "    EmptyOperator(task_id='b') >> dag.get_task('a') >> dag.get_task('b')\n", "b"),
    ],
)
def test_a_broken_file_is_named_with_its_traceback(folder: Path, text: str, words: str) -> None:
    (folder / "zz.py").write_text(text)
    bag = DagBag(folder)
    assert list(bag.import_errors) == [str(folder / "zz.py")]
    assert words in bag.import_errors[str(folder / "zz.py")]
    assert "good" in bag.dags
    assert str(folder / "zz.py") in bag.dagbag_report()


def test_an_import_that_takes_too_long_is_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_DAGBAG_IMPORT_TIMEOUT", "0.05")
    (folder / "zz.py").write_text("from airflow import DAG\nwhile True: pass\n")
    assert "longer than 0.05 s" in DagBag(folder).import_errors[str(folder / "zz.py")]


def test_one_file_can_be_looked_at_alone_and_again(folder: Path) -> None:
    bag = DagBag(folder / "good.py")
    assert bag.dag_ids == ["good"]
    bag = DagBag(folder, collect_dags=False)
    assert bag.size() == 0
    (folder / "good.py").write_text("from airflow import DAG\n1 / 0\n")
    assert bag.process_file(str(folder / "good.py")) == []
    assert "ZeroDivisionError" in next(iter(bag.import_errors.values()))
    (folder / "good.py").write_text(GOOD.format("good"))
    assert [dag.dag_id for dag in bag.process_file(str(folder / "good.py"))] == ["good"]
    assert bag.import_errors == {}


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no DAG folder"):
        DagBag(tmp_path / "gone")


def test_files_can_parametrize_a_test(folder: Path) -> None:
    assert sorted(dag_files(folder)) == [str(folder / "good.py"), str(folder / "inner" / "other.py")]
    assert list(check_dag_file(folder / "good.py")) == ["good"]
    (folder / "bad.py").write_text("1 / 0\n")
    with pytest.raises(AssertionError, match="bad.py cannot be imported:\n(.|\n)*ZeroDivisionError"):
        check_dag_file(folder / "bad.py")
    (folder / "bad.py").write_text("")
    with pytest.raises(AssertionError, match="makes no DAG"):
        check_dag_file(folder / "bad.py")
