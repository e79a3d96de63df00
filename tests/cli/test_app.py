"""The root command: help, near names, settings, exit codes, what needs no server."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from asyncflow import __version__
from asyncflow.cli.app import cli
from tests.cli.conftest import Commands


def every_command(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    context = click.Context(group)
    found = [path]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += every_command(command, (*path, name)) if isinstance(command, click.Group) else [(*path, name)]
    return found


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("path", every_command(cli), ids=" ".join)
def test_help_works_everywhere_and_names_the_shared_options(path: tuple[str, ...], flag: str) -> None:
    result = CliRunner().invoke(cli, [*path, flag])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    assert "--dags" in result.stdout
    assert "--home" in result.stdout


def test_wrong_command_offers_near_ones(run: Commands) -> None:
    assert "Did you mean list" in run("dags", "lst", code=2).stderr
    assert "There are: check, migrate." in run("db", "zzzzzz", code=2).stderr


def test_version_is_printed(run: Commands) -> None:
    assert run("version").stdout == f"{__version__}\n"


@pytest.mark.slow
def test_version_starts_fast(tmp_path: Path) -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "asyncflow", "version"], check=True, capture_output=True, cwd=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.15


def test_version_imports_nothing_heavy() -> None:
    code = "import sys; from asyncflow.cli.app import cli; cli(['version'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert not loaded & {
        "rich",
        "yaml",
        "cryptography",
        "jsonschema",
        "uvicorn",
        "starlette",
        "pendulum",
        "jinja2",
        "anyio",
    }


def test_config_list_shows_every_setting_with_its_airflow_name(run: Commands, tmp_path: Path) -> None:
    rows = {row["name"]: row for row in run.json("config", "list")}
    assert rows["concurrency"]["airflow_name"] == "core.parallelism"
    assert rows["home"]["value"] == str(tmp_path / "home")


def test_config_get_value_takes_our_name_or_airflows(run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "7")
    assert run("config", "get-value", "concurrency").stdout == "7\n"
    assert run("config", "get-value", "core", "parallelism").stdout == "7\n"
    assert "Did you mean 'concurrency'" in run("config", "get-value", "concurency", code=3).stderr


def test_bad_setting_is_a_sentence(run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_PORT", "high")
    assert "ASYNCFLOW_PORT: 'high' is not a whole number" in run("config", "list", code=2).stderr


def test_shared_options_work_before_and_after_the_command(tmp_path: Path) -> None:
    for args in (["--dags", str(tmp_path), "config"], ["config", "--dags", str(tmp_path)]):
        result = CliRunner().invoke(cli, [*args, "get-value", "dags"])
        assert result.stdout == f"{tmp_path}\n"
    result = CliRunner().invoke(cli, ["config", "get-value", "dags", "-S", str(tmp_path)])
    assert result.stdout == f"{tmp_path}\n"


def test_info_says_where_things_are_and_that_no_server_runs(run: Commands, tmp_path: Path) -> None:
    info = run.json("info")
    assert info["server"] == "not running"
    assert info["database"] == str(tmp_path / "home" / "asyncflow.db")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(run: Commands, shell: str) -> None:
    assert "_ASYNCFLOW_COMPLETE" in run("completion", shell).stdout


def test_completion_of_dag_and_task_ids(run: Commands) -> None:
    from click.shell_completion import ShellComplete

    from asyncflow.cli.session import Session
    from tests.cli.conftest import _Connection

    session = Session(lambda _settings, _dags: _Connection(run.actions))
    completer = ShellComplete(cli, {"obj": session}, "asyncflow", "_ASYNCFLOW_COMPLETE")
    assert [item.value for item in completer.get_completions(["dags", "pause"], "e")] == ["etl"]
    assert [item.value for item in completer.get_completions(["tasks", "state", "etl"], "l")] == ["load"]
    assert completer.get_completions(["tasks", "state", "none"], "") == []


@pytest.mark.parametrize(("args", "words"), [(("check",), "asyncflow db migrate")])
def test_database_that_is_not_there(run: Commands, args: tuple[str, ...], words: str) -> None:
    assert words in run("db", *args, code=1).stderr


def test_database_is_made_and_checked(run: Commands, tmp_path: Path) -> None:
    assert "is up to date" in run("db", "migrate").stdout
    assert (tmp_path / "home" / "asyncflow.db").exists()
    assert "is in order" in run("db", "check").stdout


def test_database_that_is_damaged_is_a_sentence(run: Commands, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "asyncflow.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    assert "asyncflow.db" in run("db", "check", code=1).stderr


def test_json_output_is_one_document(run: Commands) -> None:
    assert json.loads(run("dags", "list", "-o", "json").stdout)


def test_serve_takes_a_folder(run: Commands, tmp_path: Path) -> None:
    path = tmp_path / "dag.py"
    path.write_text("")
    assert "is a file" in run("serve", str(path), code=2).stderr
    assert "serve takes the folder" in run("serve", "--dags", str(path), code=2).stderr


def test_serve_names_a_log_level_that_does_not_exist(run: Commands) -> None:
    assert "accepted are DEBUG, INFO" in run("serve", "--log-level", "loud", code=2).stderr
