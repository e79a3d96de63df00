"""What the README says can be done as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from asyncflow.cli.app import cli
from asyncflow.cli.dagfolder import load_dag
from asyncflow.config import load_settings
from asyncflow.testing.player import play

TEXT = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SET_UPS = [line for _, block in BLOCKS for line in block.splitlines() if line.startswith("python3 -m venv")]
COMMANDS = re.findall(r"^asyncflow (.+?)(?:  .*)?$", "".join(block for _, block in BLOCKS), re.MULTILINE)


def test_two_lines_set_everything_up() -> None:
    serve, tests = SET_UPS
    assert serve.endswith("asyncflow serve ./dags")
    assert tests.endswith("pytest -q -n 4")


def test_example_plays(tmp_path: Path) -> None:
    (example,) = [block for language, block in BLOCKS if language == "python"]
    (tmp_path / "hello.py").write_text(example)
    settings = load_settings({"home": tmp_path / "home", "dags": tmp_path}, environ={})
    assert play(load_dag(settings, "hello")).tasks == {"name": "success", "greet": "success"}


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_and_their_options_exist(line: str) -> None:
    command: click.Command = cli
    context = click.Context(cli, **cli.context_settings)
    words = shlex.split(line)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None
        command = found
    command.make_context(command.name, words, parent=context)


def test_every_link_into_the_repository_leads_somewhere() -> None:
    root = Path(__file__).parents[1]
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if not link.startswith("http")]
    assert [link for link in links if not (root / link).exists()] == []
