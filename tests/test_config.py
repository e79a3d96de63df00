from __future__ import annotations

from pathlib import Path

import pytest

from asyncflow.config import Origin, Settings, load_settings, load_with_origins, unused_airflow_variables
from asyncflow.errors import InvalidInput


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def settings(home: Path, toml: str = "", flags: dict[str, object] | None = None, **environ: str) -> Settings:
    home.mkdir(exist_ok=True)
    if toml:
        (home / "asyncflow.toml").write_text(toml)
    return load_settings({"home": home, **(flags or {})}, environ)


def test_a_flag_wins_over_the_environment_over_airflows_over_the_file_over_the_default(home: Path) -> None:
    places = {"ASYNCFLOW_CONCURRENCY": "3", "AIRFLOW__CORE__PARALLELISM": "4"}
    toml = "concurrency = 5"
    assert settings(home, toml, {"concurrency": 2}, **places).concurrency == 2
    assert settings(home, toml, {"concurrency": None}, **places).concurrency == 3
    assert settings(home, toml, AIRFLOW__CORE__PARALLELISM="4").concurrency == 4
    assert settings(home, toml).concurrency == 5
    assert settings(home, "port = 1").concurrency == 0


def test_paths_are_absolute_and_the_rest_lies_in_the_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = settings(home)
    assert given.dags == tmp_path / "dags"
    assert settings(home, flags={"dags": "mine"}).dags == tmp_path / "mine"
    assert {p.parent for p in (given.database, given.logs, given.xcom_dir, given.spool, given.run_dir)} == {home}
    assert {given.socket.parent, given.lock.parent} == {given.run_dir}


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("1", True), ("no", False), ("T", True)])
def test_words_for_true_and_false(home: Path, text: str, value: bool) -> None:
    assert settings(home, ASYNCFLOW_POLL_FILES=text).poll_files is value


@pytest.mark.parametrize(
    ("environ", "toml", "message"),
    [
        ({"ASYNCFLOW_PORT": "http"}, "", "Setting port from ASYNCFLOW_PORT: 'http' is not a whole number"),
        ({"ASYNCFLOW_POLL_FILES": "maybe"}, "", "'maybe' is not true or false"),
        ({}, 'poll_interval = "soon"', "poll_interval from .*asyncflow.toml: 'soon' is not a number"),
        ({"AIRFLOW__CORE__PARALLELISM": "x"}, "", "concurrency from an AIRFLOW__ variable"),
        ({}, "prot = 1", "settings that do not exist: prot"),
        ({}, "port =", "asyncflow.toml cannot be read"),
        ({"ASYNCFLOW_DURABILITY": "total"}, "", "Setting durability='total': accepted are normal, full"),
    ],
)
def test_what_cannot_be_is_refused_with_where_it_stands(
    home: Path, environ: dict[str, str], toml: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        settings(home, toml, **environ)


def test_sequential_means_one_slot(home: Path) -> None:
    assert settings(home, flags={"executor": "sequential", "concurrency": 9}).slots == 1
    assert settings(home, flags={"concurrency": 9}).slots == 9
    assert settings(home).slots >= 8


def test_each_value_says_where_it_came_from(home: Path) -> None:
    home.mkdir()
    (home / "asyncflow.toml").write_text("executor = 'sequential'\nport = 1\n")
    environ = {"ASYNCFLOW_PORT": "2", "AIRFLOW__CORE__PARALLELISM": "4"}
    origins = load_with_origins({"home": home, "host": "::1", "dags": None}, environ)[1]
    assert origins["host"] == Origin("command line")
    assert origins["port"] == Origin("environment", "ASYNCFLOW_PORT")
    assert origins["concurrency"] == Origin("environment", "AIRFLOW__CORE__PARALLELISM")
    assert origins["executor"] == Origin("file", str(home / "asyncflow.toml"))
    assert origins["dags"] == Origin("default")


def test_airflows_settings_that_mean_nothing_here_are_named() -> None:
    environ = {"AIRFLOW__CELERY__BROKER_URL": "x", "AIRFLOW__CORE__PARALLELISM": "4", "AIRFLOW__CORE__FERNET_KEY": "k"}
    assert unused_airflow_variables(environ) == ["AIRFLOW__CELERY__BROKER_URL"]
