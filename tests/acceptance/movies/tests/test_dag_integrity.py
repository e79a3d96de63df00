"""Every DAG file is whole: as in the book, by DagBag, and by the fixture."""

import glob
import importlib.util
import os

import pytest
from airflow.models import DAG, DagBag
from airflow.utils.dag_cycle_tester import check_cycle

DAGS = os.path.join(os.path.dirname(__file__), "..", "dags")


@pytest.mark.parametrize("dag_file", glob.glob(os.path.join(DAGS, "**", "*.py"), recursive=True))
def test_dag_integrity(dag_file):
    module_name, _ = os.path.splitext(os.path.basename(dag_file))
    mod_spec = importlib.util.spec_from_file_location(module_name, dag_file)
    module = importlib.util.module_from_spec(mod_spec)
    mod_spec.loader.exec_module(module)
    dag_objects = [var for var in vars(module).values() if isinstance(var, DAG)]
    assert dag_objects
    for dag in dag_objects:
        check_cycle(dag)


def test_dagbag_has_no_import_errors():
    bag = DagBag(dag_folder=DAGS, include_examples=False)
    assert bag.import_errors == {}
    assert bag.dags["ratings"].get_task("rank").upstream_task_ids == {"fetch"}


def test_the_fixture_knows_the_same(asyncflow_dagbag):
    assert asyncflow_dagbag.dag_ids == ["ratings"]


def test_a_broken_file_is_found(tmp_path):
    (tmp_path / "broken.py").write_text("from airflow import DAG\nfrom airflow.operators.nowhere import X\n")
    bag = DagBag(dag_folder=tmp_path)
    assert "airflow.operators.nowhere" in bag.import_errors[str(tmp_path / "broken.py")]
