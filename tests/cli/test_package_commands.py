"""`plugins` and `providers`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Commands

pytestmark = pytest.mark.slow

PLUGIN = """
from airflow.plugins_manager import AirflowPlugin

def shout(text):
    return text.upper()

class Loud(AirflowPlugin):
    name = "loud"
    macros = [shout]
"""


def test_plugins_are_listed_and_broken_ones_are_remarks(run: Commands, tmp_path: Path) -> None:
    folder = tmp_path / "extras"
    folder.mkdir()
    (folder / "loud.py").write_text(PLUGIN)
    (folder / "bad.py").write_text("raise RuntimeError('not today')")
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "asyncflow.toml").write_text(f"plugins = {str(folder)!r}\n")
    done = run("plugins", "-o", "json", "--home", str(tmp_path / "home"))
    assert json.loads(done.stdout) == [{"name": "loud", "source": str(folder / "loud.py"), "macros": "shout"}]
    assert "bad.py cannot be imported" in done.stderr


def test_no_providers_is_a_remark(run: Commands) -> None:
    assert "No provider packages are installed." in run("providers", "list").stderr


def test_settings_are_listed_with_their_source(run: Commands, tmp_path: Path) -> None:
    rows = json.loads(run("config", "list", "-o", "json", "--dags", str(tmp_path)).stdout)
    assert {row["name"]: row["source"] for row in rows}["dags"] == "command line"
