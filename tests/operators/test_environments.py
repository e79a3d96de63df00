"""Virtual environments that are kept: which one is used again, which is made anew, which is deleted.

The tools are scripts that only write down how they were called; tests/operators/test_virtualenv.py makes a real one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import time_machine

from asyncflow.authoring.conf import conf
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.operators.environments import Environment

#: makes bin/python in the folder that is its last argument, and notes its own arguments
_TOOL = """#!/bin/sh
echo "$(basename "$0") $*" >> "{log}"
for last in "$@"; do :; done
case "$*" in
  *broken*) echo "no such package"; exit 1;;
  *" -r "*) ;;
  *) mkdir -p "$last/bin"; cp "$0" "$last/bin/python";;
esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """What the tools were called with since the last look."""
    tools, log = tmp_path / "tools", tmp_path / "log"
    tools.mkdir()
    for name in ("uv", "python3.99"):
        (tools / name).write_text(_TOOL.format(log=log))
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")

    def look() -> list[str]:
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    yield look
    conf.load({})


def use(environment: Environment, cache: Path, **options: object) -> str:
    with environment.kept(cache, **options) as python:  # type: ignore[arg-type]
        return python


def test_the_same_is_made_once(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    wanted = Environment(requirements=("a==1",), python="3.99", index_urls=("http://one", "http://two"))
    python = use(wanted, tmp_path / "cache")
    made, installed = calls()
    assert made == f"uv venv -q --allow-existing --python 3.99 --system-site-packages {Path(python).parents[1]}"
    urls = "--index-url http://one --extra-index-url http://two"
    assert installed == f"uv pip install -q --python {python} {urls} -r {Path(python).parents[1]}/requirements.txt"
    assert use(Environment(**wanted.__dict__), tmp_path / "cache") == python
    assert calls() == []


@pytest.mark.parametrize(
    "other",
    [
        Environment(requirements=("a==2",)),
        Environment(requirements=("a==1",), python="3.99"),
        Environment(requirements=("a==1",), system_site_packages=False),
        Environment(requirements=("a==1",), index_urls=("http://one",)),
    ],
)
def test_what_differs_has_its_own(calls: Callable[[], list[str]], tmp_path: Path, other: Environment) -> None:
    assert use(other, tmp_path) != use(Environment(requirements=("a==1",)), tmp_path)
    assert use(other, tmp_path, cache_key="new") != use(other, tmp_path)


def test_pip_is_used_for_options_of_pip_and_when_told_to(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    use(Environment(python="3.99", pip_install_options=("--no-deps",), requirements=("a",)), tmp_path)
    made, installed = calls()
    assert made.startswith("python3.99 -m venv")
    assert "-m pip install --disable-pip-version-check -q --no-deps -r" in installed
    conf.load({"standard.venv_install_method": "pip"})
    use(Environment(python="3.99"), tmp_path)
    assert [call.split()[0] for call in calls()] == ["python3.99"]


def test_a_version_that_is_not_there_is_named(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    conf.load({"standard.venv_install_method": "pip"})
    with pytest.raises(AirflowException, match=r"python3\.98 is not installed here"):
        use(Environment(python="3.98"), tmp_path)


def test_half_an_environment_is_never_used(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    conf.load({"standard.venv_install_method": "uv"})
    wanted = Environment(requirements=("a==1",), pip_install_options=("broken",))
    with pytest.raises(AirflowException, match="failed:\nno such package"):
        use(wanted, tmp_path)
    assert [path.suffix for path in tmp_path.glob("venv-*")] == [".lock"]
    python = use(Environment(requirements=("a==1",)), tmp_path)
    (Path(python).parents[1] / "install_complete_marker.json").unlink()
    calls()
    assert use(Environment(requirements=("a==1",)), tmp_path) == python
    assert len(calls()) == 2


def test_open_requirements_are_installed_anew_each_day(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    opened, fixed = Environment(requirements=("a>=1", "b==2")), Environment(requirements=("b==2", "c @ file:///c"))
    with time_machine.travel("2024-01-01T12:00Z", tick=False) as clock:
        first = [use(opened, tmp_path, shared=True), use(fixed, tmp_path, shared=True)]
        clock.shift(3600)
        assert use(opened, tmp_path, shared=True) == first[0]
        clock.shift(24 * 3600)
        assert use(opened, tmp_path, shared=True) != first[0]
        assert use(fixed, tmp_path, shared=True) == first[1]
        assert use(opened, tmp_path) == use(opened, tmp_path)


def test_what_is_not_used_for_a_week_is_deleted_but_not_from_under_a_task(
    calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    old, busy, fresh = (Environment(requirements=(f"{name}==1",)) for name in ("old", "busy", "fresh"))
    with busy.kept(tmp_path, shared=True) as in_use:
        unused, known = use(old, tmp_path, shared=True), use(fresh, tmp_path, shared=True)
        for python in (in_use, unused):
            os.utime(Path(python).parents[1] / "install_complete_marker.json", (0, 0))
        use(Environment(), tmp_path, shared=True)
    assert [Path(python).exists() for python in (in_use, unused, known)] == [True, False, True]


def test_no_version_means_the_interpreter_of_the_task(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    use(Environment(), tmp_path)
    assert f"--python {sys.executable} " in calls()[0]
