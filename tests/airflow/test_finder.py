"""`import airflow...`: every name of the table is there, and what is not there is refused with a sentence."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncflow.airflow import finder
from asyncflow.airflow.names import ALIASES, EXPORTS


@pytest.fixture(autouse=True)
def _airflow_names() -> Iterator[None]:
    finder.install()
    yield
    finder.uninstall()


def failing(statement: str) -> ImportError:
    """What an import statement at line 3 of /dags/my_dag.py raises."""
    with pytest.raises(ImportError) as caught:
        exec(compile(f"\n\n{statement}\n", "/dags/my_dag.py", "exec"), {})
    return caught.value


@pytest.mark.parametrize("module", sorted(finder.known_modules()))
def test_every_name_of_the_table_resolves(module: str) -> None:
    imported = importlib.import_module(module)
    for name in finder.names_of(module):
        assert getattr(imported, name) is not None or name in ("NEW_SESSION",)


def test_aliases_point_at_modules_of_the_table() -> None:
    assert set(ALIASES.values()) <= set(EXPORTS)
    assert not set(ALIASES) & set(EXPORTS)


def test_the_three_dialects_name_the_same_operator() -> None:
    old = importlib.import_module("airflow.operators.bash_operator").BashOperator
    new = importlib.import_module("airflow.operators.bash").BashOperator
    newest = importlib.import_module("airflow.providers.standard.operators.bash").BashOperator
    assert old is new is newest


def test_the_same_class_is_found_natively() -> None:
    from asyncflow.authoring.dag import DAG

    assert importlib.import_module("airflow").DAG is DAG
    assert importlib.import_module("airflow.sdk").DAG is DAG


def test_submodules_are_attributes_of_their_packages() -> None:
    airflow = importlib.import_module("airflow")
    assert airflow.utils.dates.days_ago(0).hour == 0
    assert airflow.models.Variable is importlib.import_module("airflow.models.variable").Variable


def test_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from airflow.exceptions import *", names)
    assert issubclass(names["AirflowSkipException"], names["AirflowException"])  # type: ignore[arg-type]
    assert "errors" not in names


def test_an_unknown_name_says_where_and_what_is_near() -> None:
    error = failing("from airflow.operators.bash import BashOperatr")
    assert str(error) == (
        "/dags/my_dag.py:3: cannot import 'BashOperatr' from 'airflow.operators.bash': asyncflow does not have it; "
        "near names are BashOperator."
    )


def test_a_name_that_lives_elsewhere_is_pointed_at() -> None:
    assert "it is in airflow.operators and airflow.operators.bash" in str(
        failing("from airflow.operators.python import BashOperator")
    )


def test_a_module_with_nothing_near_lists_what_it_offers() -> None:
    assert "it offers PythonSensor." in str(failing("from airflow.sensors.python import Xyzzy"))


def test_an_unknown_module_says_where() -> None:
    error = failing("import airflow.operatorz.bash")
    assert isinstance(error, ModuleNotFoundError)
    assert str(error).startswith("/dags/my_dag.py:3: asyncflow has no module 'airflow.operatorz'")


def test_the_database_is_refused_with_what_to_do_instead() -> None:
    assert "has no SQLAlchemy metadata database" in str(failing("from airflow.settings import Session"))


def test_a_missing_provider_is_named() -> None:
    message = str(failing("from airflow.providers.postgres.hooks.postgres import PostgresHook"))
    assert "apache-airflow-providers-postgres" in message


def test_looking_for_a_name_is_no_error() -> None:
    airflow = importlib.import_module("airflow")
    assert not hasattr(airflow, "no_such_thing")
    assert getattr(airflow, "no_such_thing", None) is None
    assert importlib.util.find_spec("airflow.no_such_module") is None


def test_a_guarded_import_falls_through() -> None:
    names: dict[str, object] = {}
    exec("try:\n    from airflow.no_such import x\nexcept ImportError:\n    x = 1", names)
    assert names["x"] == 1


def test_a_provider_package_lies_on_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "airflow" / "providers" / "acme" / "hooks"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "acme.py").write_text("from airflow.hooks.base import BaseHook\nclass AcmeHook(BaseHook): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    finder.uninstall()
    finder.install()
    made = importlib.import_module("airflow.providers.acme.hooks.acme").AcmeHook()
    assert type(made).__mro__[1].__name__ == "BaseHook"


def test_an_installed_provider_wins_over_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert importlib.import_module("airflow.providers.common.compat.sdk").AirflowException is not None
    common = tmp_path / "airflow" / "providers" / "common"
    (common / "compat").mkdir(parents=True)
    (common / "compat" / "__init__.py").write_text("")
    (common / "compat" / "sdk.py").write_text("AirflowException = 'the package has it'\n")
    (common / "other").mkdir()
    (common / "other" / "thing.py").write_text("x = 1\n")
    (tmp_path / "airflow" / "providers" / "standard" / "operators").mkdir(parents=True)
    (tmp_path / "airflow" / "providers" / "standard" / "operators" / "bash.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    finder.uninstall()
    finder.install()
    assert importlib.import_module("airflow.providers.common.compat.sdk").AirflowException == "the package has it"
    assert importlib.import_module("airflow.providers.common.other.thing").x == 1
    assert importlib.import_module("airflow.providers.standard.operators.bash").BashOperator is not None


def test_example_dags_are_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    libs = tmp_path / "airflow" / "example_dags" / "libs"
    libs.mkdir(parents=True)
    (libs / "helper.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.import_module("airflow.example_dags.libs.helper").x == 1
    assert "asyncflow has no module" in str(failing("import airflow.example_dags.none"))


def test_it_wins_over_an_installed_airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "__init__.py").write_text("DAG = 'the real one'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.import_module("airflow").DAG != "the real one"


def test_installing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from asyncflow.airflow import finder; finder.install(); import airflow; "
        "print([m for m in ('jinja2', 'pendulum', 'yaml', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
