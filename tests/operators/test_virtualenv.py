"""Functions in other interpreters: with this one as the other, and with an environment made for the task."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from asyncflow import DAG, task
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.operators.empty import EmptyOperator
from asyncflow.operators.python import ExternalPythonOperator, PythonVirtualenvOperator, is_venv_installed
from asyncflow.testing.player import play


def _add(a, b=1, ds=None, **context):
    import sys

    return {"sum": a + b, "ds": ds, "prefix": sys.prefix, "plain": context["run_id"]}


def _fail():
    raise SystemExit(7)


@pytest.mark.slow
def test_function_runs_in_the_interpreter_given() -> None:
    with DAG("d") as dag:
        ExternalPythonOperator(task_id="e", python=sys.executable, python_callable=_add, op_kwargs={"a": 1})
    result = play(dag, logs=False)
    assert result.state == "success", result.errors
    value = result.xcoms["e"]["return_value"]
    assert (value["sum"], value["prefix"]) == (2, sys.prefix)
    assert value["plain"] == result.run_id


@pytest.mark.slow
def test_decorated_function_loses_its_decorators() -> None:
    with DAG("d") as dag:

        @task.external_python(python=sys.executable)
        def double(x: int) -> int:
            return x * 2

        @task.branch_external_python(python=sys.executable)
        def choose(x: int) -> str:
            return "a" if x == 4 else "b"

        choose(double(2)) >> [EmptyOperator(task_id="a"), EmptyOperator(task_id="b")]
    result = play(dag, logs=False)
    assert result.tasks == {"double": "success", "choose": "success", "a": "success", "b": "skipped"}


@pytest.mark.slow
def test_exit_code_fails_or_skips() -> None:
    with DAG("d") as dag:
        ExternalPythonOperator(task_id="f", python=sys.executable, python_callable=_fail)
        ExternalPythonOperator(task_id="s", python=sys.executable, python_callable=_fail, skip_on_exit_code=[7])
        ExternalPythonOperator(task_id="n", python="/no/python", python_callable=_fail)
    result = play(dag, logs=False)
    assert (result.tasks["f"], result.tasks["s"]) == ("failed", "skipped")
    assert "non-zero exit status 7" in result.errors["f"]
    assert "/no/python" in result.errors["n"]


@pytest.mark.slow
def test_environment_is_made_and_kept(tmp_path: Path) -> None:
    with DAG("d") as dag:
        for name in ("one", "two"):
            PythonVirtualenvOperator(
                task_id=name,
                python_callable=_add,
                op_args=[1, 2],
                system_site_packages=False,
                venv_cache_path=tmp_path,
            )
    result = play(dag, logs=False)
    assert result.state == "success", result.errors
    made = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(made) == 1
    assert result.xcoms["one"]["return_value"]["prefix"] == str(made[0])
    assert result.xcoms["two"]["return_value"]["sum"] == 3


@pytest.mark.parametrize("function", [lambda: 1, len])
def test_only_functions_with_a_source_can_travel(function: Any) -> None:
    with pytest.raises(AirflowException, match="must be a function made by def"):
        ExternalPythonOperator(task_id="e", python=sys.executable, python_callable=function)


def test_unknown_interpreter_version_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with DAG("d") as dag:
        PythonVirtualenvOperator(task_id="v", python_callable=_fail, python_version="2.0")
    assert "python2.0 is not installed here" in play(dag, logs=False).errors["v"]


def test_files_can_ask_for_virtualenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "virtualenv").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert is_venv_installed()
