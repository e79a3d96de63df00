"""The command line in this process: real click, a temporary home, actions over hand-written rows."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from asyncflow.cli.app import cli
from asyncflow.cli.session import Session
from tests.cli.fake_actions import FakeActions


class _Connection:
    def __init__(self, actions: FakeActions) -> None:
        self._actions = actions

    def call(self, method: str, **params: Any) -> Any:
        json.dumps(params)  # what crosses the socket must be JSON-able
        return anyio.run(partial(getattr(self._actions, method), **params))

    def close(self) -> None:
        pass


class Commands:
    """Runs `asyncflow <args>`; the result has `exit_code`, `stdout` and `stderr`."""

    def __init__(self, home: Path, actions: FakeActions) -> None:
        self.home = home
        self.actions = actions

    def __call__(self, *args: str, code: int = 0, input: str | None = None) -> Result:
        session = Session(lambda _settings, _dags: _Connection(self.actions))
        result = CliRunner().invoke(cli, ["--home", str(self.home), *args], obj=session, input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *args: str) -> Any:
        """The answer of a command with `--output json`."""
        return json.loads(self(*args, "--output", "json").stdout)


@pytest.fixture
def actions() -> FakeActions:
    return FakeActions()


@pytest.fixture
def run(tmp_path: Path, actions: FakeActions, monkeypatch: pytest.MonkeyPatch) -> Commands:
    for name in ("ASYNCFLOW_HOME", "ASYNCFLOW_DAGS", "AIRFLOW__CORE__DAGS_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    return Commands(tmp_path / "home", actions)
