"""`asyncflow variables`, `connections` and `pools` on a home without a server: real actions, real store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from asyncflow.cli.app import cli
from asyncflow.cli.session import Session


class Commands:
    """Runs `asyncflow <args>` on a home of its own; gives what it printed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *args: str, code: int = 0, input: str | None = None) -> str:
        where = ["--home", str(self.root / "home"), "--dags", str(self.root / "no-such-folder")]
        result = CliRunner().invoke(cli, [*where, *args], obj=Session(), input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.output

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "-o", "json"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    commands = Commands(tmp_path)
    commands("connections", "delete", "fs_default")  # every new home has it
    return commands


def test_a_variable_is_set_read_and_deleted(run: Commands) -> None:
    run("variables", "set", "colour", "blue", "--description", "of the sky")
    assert run("variables", "get", "colour") == "blue\n"
    assert run.json("variables", "list") == [{"key": "colour"}]
    run("variables", "delete", "colour")
    assert "There is no Variable" in run("variables", "get", "colour", code=3)
    assert run("variables", "get", "colour", "-d", "none") == "none\n"


def test_json_values_are_checked_when_asked_for(run: Commands) -> None:
    run("variables", "set", "n", '{"a": [1, 2]}')
    assert run("variables", "get", "n", "--json") == '{"a": [1, 2]}\n'
    run("variables", "set", "text", "plain", "--json")
    assert run("variables", "get", "text") == '"plain"\n'
    run("variables", "set", "broken", "{")
    assert "is not JSON" in run("variables", "get", "broken", "-j", code=2)


def test_the_environment_wins(run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    run("variables", "set", "colour", "blue")
    monkeypatch.setenv("AIRFLOW_VAR_COLOUR", "red")
    monkeypatch.setenv("ASYNCFLOW_CONN_DB", "postgres://u:p@h/s")
    assert run("variables", "get", "colour") == "red\n"
    assert run.json("connections", "get", "db")[0]["uri"] == "postgres://u:p@h/s"


def test_secret_values_are_hidden_in_lists(run: Commands) -> None:
    run("variables", "set", "api_key", "hunter2")
    assert run.json("variables", "list", "--show-values") == [{"key": "api_key", "value": "***", "description": ""}]
    run("connections", "add", "db", "--conn-uri", "postgres://ann:hunter2@h:1/s?key=hunter2")
    assert "hunter2" not in run("connections", "list", "-o", "json")
    assert run.json("connections", "list", "--show-values")[0]["password"] == "hunter2"
    assert run.json("connections", "list", "--conn-id", "other") == []


def test_variables_go_out_and_come_in_as_files(run: Commands) -> None:
    Path("in.json").write_text('{"a": "text", "b": {"n": 1}}')
    assert run("variables", "import", "in.json") == "2 of 2 Variables set.\n"
    assert json.loads(run("variables", "export", "-")) == {"a": "text", "b": {"n": 1}}
    run("variables", "export", "out.yaml")
    assert Path("out.yaml").stat().st_mode & 0o077 == 0
    run("variables", "set", "a", "changed")
    assert "exist already: a" in run("variables", "import", "out.yaml", "-a", "skip")
    assert run("variables", "get", "a") == "changed\n"
    assert "exist already" in run("variables", "import", "out.yaml", "-a", "fail", code=4)
    run("variables", "import", "out.yaml")
    assert run("variables", "get", "a") == "text\n"
    assert run("variables", "import", "-", input='{"c": "d"}') == "1 of 1 Variables set.\n"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.json", "{", "x.json is not JSON"),
        ("x.json", "[]", "must hold an object"),
        ("x.yaml", "a: [", "x.yaml is not YAML"),
        ("x.env", "\n# remark\nA=1\nnothing\n", "x.env, line 4: write NAME=value"),
        ("x.env", "A=1\nA=2\n", "x.env, line 2: A is there twice"),
    ],
)
def test_files_that_cannot_be_read_are_named_with_the_line(run: Commands, name: str, text: str, words: str) -> None:
    Path(name).write_text(text)
    assert words in run("variables", "import", name, code=2)


def test_a_missing_file_or_folder_is_a_sentence(run: Commands) -> None:
    assert "There is no file gone.json." in run("variables", "import", "gone.json", code=2)
    assert "cannot be written" in run("variables", "export", "gone/out.json", code=2)


def test_a_connection_is_added_by_parts_by_uri_and_by_json(run: Commands) -> None:
    parts = ("--conn-type", "postgres", "--conn-host", "h", "--conn-login", "ann", "--conn-password", "pw1")
    said = run("connections", "add", "one", *parts, "--conn-port", "5432", "--conn-extra", '{"a": 1}')
    assert said == "Successfully added `conn_id`=one : postgres://ann:***@h:5432\n"
    run("connections", "add", "two", "--conn-uri", "http://h/x")
    run("connections", "add", "three", "--conn-json", '{"conn_type": "fs", "extra": {"path": "/p"}}')
    rows = {row["conn_id"]: row for row in run.json("connections", "list", "--show-values")}
    assert (rows["one"]["port"], rows["one"]["extra"]) == (5432, '{"a": 1}')
    assert (rows["two"]["conn_type"], rows["two"]["schema"]) == ("http", "x")
    assert rows["three"]["extra"] == '{"path": "/p"}'
    assert "exists already" in run("connections", "add", "one", "--conn-uri", "http://h", code=4)
    run("connections", "delete", "one")
    assert "Did you mean 'two'?" in run("connections", "get", "tow", code=3)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "Must supply either"),
        (("--conn-uri", "http://h", "--conn-json", "{}"), "Cannot supply both"),
        (("--conn-uri", "http://h", "--conn-host", "x"), "--conn-uri says already what --conn-host would say"),
        (("--conn-json", '{"conn_type": "x"}', "--conn-extra", "{}"), "--conn-json says already what --conn-extra"),
        (("--conn-uri", "nonsense"), "does not begin with a type"),
        (("--conn-json", "{"), "not JSON"),
        (("--conn-json", '{"host": "h"}'), "needs a conn_type"),
        (("--conn-type", "http", "--conn-port", "many"), "port='many' is not a whole number"),
    ],
)
def test_a_connection_that_cannot_be_is_refused_with_a_sentence(
    run: Commands, args: tuple[str, ...], words: str
) -> None:
    assert words in run("connections", "add", "x", *args, code=2)


@pytest.mark.parametrize("flags", [("out.json",), ("out.yaml",), ("out.env",), ("out.env", "json")])
def test_connections_go_out_and_come_in_as_files(run: Commands, flags: tuple[str, ...]) -> None:
    run("connections", "add", "db", "--conn-uri", "postgres://a%40b:p%2Fw@h:1/s?x=y")
    before = run.json("connections", "get", "db")
    form = ("--serialization-format", flags[1]) if len(flags) > 1 else ()
    run("connections", "export", flags[0], *form)
    run("connections", "delete", "db")
    assert run("connections", "import", flags[0]) == "Imported connection db\n"
    assert run.json("connections", "get", "db") == before
    assert run("connections", "import", flags[0]) == ""
    assert run("connections", "import", flags[0], "--overwrite") == "Imported connection db\n"


def test_export_wants_a_format_it_can_see(run: Commands) -> None:
    assert "name the format" in run("connections", "export", "out.txt", code=2)
    words = run("connections", "export", "out.json", "--serialization-format", "uri", code=2)
    assert "goes with the format env only" in words
    assert run("connections", "export", "-") == "{}\n"


def test_connections_of_a_file_are_all_right_or_none_is_set(run: Commands) -> None:
    Path("in.json").write_text('{"good": "http://h", "bad": 3}')
    assert "'bad' must be a URI or an object" in run("connections", "import", "in.json", code=2)
    assert run.json("connections", "list") == []
    Path("in.json").write_text('{"good": ["http://h"], "b a d": "http://h"}')
    assert "letters, digits and _ . ~ : - are accepted" in run("connections", "import", "in.json", code=2)
    Path("in.json").write_text('{"good": ["http://h"], "bad": "{"}')
    assert "not JSON" in run("connections", "import", "in.json", code=2)


def test_pools_are_set_and_go_out_and_come_in(run: Commands) -> None:
    run("pools", "set", "small", "2", "for the database", "--include-deferred")
    assert run.json("pools", "get", "small") == [
        {"pool": "small", "slots": 2, "description": "for the database", "include_deferred": True}
    ]
    run("pools", "export", "pools.json")
    run("pools", "delete", "small")
    assert run("pools", "import", "pools.json") == "2 pools set.\n"
    assert [row["pool"] for row in run.json("pools", "list", "--usage")] == ["default_pool", "small"]
    assert "cannot be deleted" in run("pools", "delete", "default_pool", code=2)
    assert "Did you mean 'small'?" in run("pools", "delete", "smal", code=3)
    assert "There is no pool" in run("pools", "get", "none", code=3)
    Path("pools.json").write_text('{"bad": {"slots": "two"}}')
    assert "Pool 'bad'" in run("pools", "import", "pools.json", code=2)
    Path("pools.json").write_text('{"bad": {"slots": -2}}')
    assert "or -1 for no limit" in run("pools", "import", "pools.json", code=2)


def test_a_connection_is_tested_in_a_process_of_its_own(run: Commands, tmp_path: Path) -> None:
    run("connections", "add", "here", "--conn-type", "fs", "--conn-extra", json.dumps({"path": str(tmp_path)}))
    run("connections", "add", "gone", "--conn-type", "fs", "--conn-extra", '{"path": "/no/such/folder"}')
    run("connections", "add", "db", "--conn-uri", "postgres://me:pa55word@h/")
    assert run("connections", "test", "here") == f"Connection success! {tmp_path} is there.\n"
    assert "Connection failed! There is no /no/such/folder." in run("connections", "test", "gone", code=1)
    said = run("connections", "test", "db", code=1)
    assert "pip install apache-airflow-providers-postgres" in said
    assert "There is no Connection" in run("connections", "test", "nothing", code=3)


def test_the_use_of_a_pool_is_listed_by_what_takes_its_slots(run: Commands) -> None:
    (row,) = run.json("pools", "list", "--usage")
    assert {name: row[name] for name in ("running", "queued", "scheduled", "deferred", "open")} == {
        "running": 0,
        "queued": 0,
        "scheduled": 0,
        "deferred": 0,
        "open": 128,
    }
