"""A user's project outside of this repository: packaged, installed beside asyncflow into a fresh environment, tested.

The project is `tests/acceptance/movies`: a hook, an operator, a sensor and a plugin with entry points, a DAG that uses
them, and unit tests as "Data Pipelines with Apache Airflow" and Airflow's own documentation write them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "movies"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("ASYNCFLOW_", "AIRFLOW_", "PYTHON", "PYTEST"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**keep, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder, with an environment `.venv` in which it and asyncflow are installed, as wheels.

    What both depend on is lent from the environment of this test, so that nothing is fetched.
    """
    folder = tmp_path_factory.mktemp("user") / "movies"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(folder / ".venv", with_pip=False, symlinks=True)
    site = next((folder / ".venv" / "lib").glob("python3*")) / "site-packages"
    lent = sysconfig.get_paths()["purelib"]
    (site / "lent.pth").write_text(f"import site; site.addsitedir({lent!r})\n")
    flags = ("--no-index", "--no-deps", "--no-build-isolation", "--force-reinstall", "--target", site, "-q")
    for source in (ROOT, folder):
        run(sys.executable, "-m", "pip", "install", *flags, source, cwd=folder)
    return folder


def test_its_unit_tests_pass(project: Path, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    done = run(
        project / ".venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project, ASYNCFLOW_HOME=home
    )
    found = re.search(r"(\d+) passed", done.stdout)
    assert found is not None, done.stdout
    assert int(found[1]) == 21
    assert "failed" not in done.stdout


def test_its_dag_is_played_from_the_command_line(project: Path, tmp_path: Path) -> None:
    """The plugin's macro comes by its entry point, and the connection out of the environment."""
    done = run(
        project / ".venv/bin/python",
        *("-m", "asyncflow", "test", "ratings", "praise", "2024-01-01", "--dags", "dags"),
        cwd=project,
        ASYNCFLOW_HOME=str(tmp_path / "home"),
    )
    assert "*****" in done.stdout
