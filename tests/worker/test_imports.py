"""What a host tells of an import, with real hosts: one pool for all files of a test."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.executors.pools import HEAD, running_pool

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

DAG = "with DAG('d', schedule=None):\n    PythonOperator(task_id='work', python_callable=print)\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


#: code at module level -> (a reason why it is unrepeatable, whether it has to be loaded again now and then)
REASONS = {
    "network": ("import socket\ntry: socket.create_connection(('127.0.0.1', 9), 0.1)\nexcept OSError: pass", True),
    "process": ("import subprocess\nsubprocess.run(['true'])", True),
    "database": ("import sqlite3\nsqlite3.connect(':memory:').close()", True),
    "random numbers": ("import random as r\nx = getattr(r, 'random')()", True),
    "temporary": ("import tempfile\nx = tempfile.mkdtemp()", False),
    "writes a file": ("open(__file__ + '.out', 'w').close()", False),
    "open": ("f = open(__file__)", False),
    "socket open": ("import socket\ns = socket.socket()", False),
    "pipe open": ("import os\nends = os.pipe()", False),
    "thread": ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()", False),
    "time of the import": (
        "class T:\n    import datetime as d\n    f = getattr(d.datetime, 'n' 'ow')\nNOW = T.f()",
        True,
    ),
}


@pytest.mark.parametrize("words", REASONS)
async def test_what_an_import_does_is_seen(tmp_path: Path, words: str) -> None:
    code, refresh = REASONS[words]
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", f"{HEAD}\n{code}\n{DAG}")
    assert any(words in reason for reason in parsed.unrepeatable), parsed.unrepeatable
    assert parsed.refresh is refresh


HARMLESS = {
    "reads a file of the folder": "open(__file__.replace('a.py', 'x.txt')).read()",
    "imports the standard library": "import asyncio, email.mime.text, http.client, logging.config, unittest, xml.dom",
    "changes the environment": "import os\nos.environ['no_proxy'] = '*'",
    "prints": "print('hello')",
    "logs": "import logging\nlogging.getLogger(__name__).warning('hello')",
}


@pytest.mark.parametrize("what", HARMLESS)
async def test_what_does_no_harm_leaves_an_import_repeatable(tmp_path: Path, what: str) -> None:
    async with running_pool(tmp_path) as h:
        h.write("x.txt", "x")
        parsed = await h.parse_good("a.py", f"{HEAD}\n{HARMLESS[what]}\n{DAG}")
    assert parsed.unrepeatable == ()
    assert not parsed.refresh


async def test_a_file_read_outside_the_folder_cannot_be_watched(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("x")
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", f"{HEAD}\nopen({str(outside)!r}).read()\n{DAG}")
    assert parsed.refresh
    assert parsed.unrepeatable == ()
    assert str(outside) in parsed.warnings[0]


async def test_packages_beside_the_file_are_importable_and_remembered(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        h.write("lib/__init__.py", "")
        h.write("lib/names.py", "NAME = 'd'")
        parsed = await h.parse_good("sub/a.py", f"{HEAD}\nfrom lib.names import NAME\nDAG(NAME, schedule=None)\n{DAG}")
        finished, log = await h.run(parsed, "d")
    folder = str(h.settings.dags)
    assert set(parsed.reads) == {f"{folder}/lib/__init__.py", f"{folder}/lib/names.py"}
    assert finished.exit_code == 0, log


async def test_a_zip_holds_files_and_the_packages_they_import(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        with zipfile.ZipFile(h.settings.dags / "bundle.zip", "w") as archive:
            archive.writestr("a.py", f"{HEAD}\nimport inner.names\nassert inner.names.NAME == 'x'\n{DAG}")
            archive.writestr("inner/__init__.py", "")
            archive.writestr("inner/names.py", "NAME = 'x'")
            archive.writestr("broken.py", "x = 1\ny = x / 0\n")
        parsed = await h.parse_good("bundle.zip/a.py")
        finished, log = await h.run(parsed, "d")
        broken = await h.parse("bundle.zip/broken.py")
    assert [spec.dag_id for spec in parsed.dags] == ["d"]
    assert finished.exit_code == 0, log
    assert broken.error is not None
    assert (broken.error.kind, broken.error.line) == ("ZeroDivisionError", 2)


async def test_one_bad_dag_does_not_take_the_good_ones_along(tmp_path: Path) -> None:
    cycle = "with DAG('bad', schedule=None):\n    a = PythonOperator(task_id='a', python_callable=print)\n    a >> a\n"
    async with running_pool(tmp_path) as h:
        parsed = await h.parse("a.py", f"{HEAD}\n{DAG}\n{cycle}")
    assert parsed.error is not None
    assert "a >> a" in parsed.error.message or "'a'" in parsed.error.message


async def test_an_error_in_a_helper_names_both_lines(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        h.write("helper.py", "def make():\n    raise LookupError('nothing there')\n")
        parsed = await h.parse("a.py", "import helper\nx = 1\nhelper.make()\n")
    error = parsed.error
    assert error is not None
    assert (error.file, error.line, error.kind) == ("a.py", 3, "LookupError")
    assert error.message == "LookupError: nothing there (helper.py, line 2)"
    assert error.traceback.startswith("Traceback")
    assert "asyncflow/worker" not in error.traceback
    assert any(path.endswith("helper.py") for path in parsed.reads)


async def test_the_environment_and_folder_an_import_sets_are_there_for_its_tasks(tmp_path: Path) -> None:
    source = f"""{HEAD}
import os, signal
os.environ["COLOUR"] = "red"
os.chdir("/")
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
def work():
    return os.environ["COLOUR"] + os.getcwd()
with DAG("d", schedule=None):
    PythonOperator(task_id="work", python_callable=work)
"""
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", source)
        finished, _ = await h.run(parsed, "d")
    assert finished.result is not None
    assert finished.result.xcoms == {"return_value": '"red/"'}
    assert any("SIGCHLD" in warning for warning in parsed.warnings)
    assert any("working directory" in warning for warning in parsed.warnings)


async def test_what_an_import_prints_is_kept_up_to_its_end(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", f"{HEAD}\nprint('x' * 20_000)\nprint('the end')\n{DAG}")
    assert parsed.output.endswith("x\nthe end\n")
    assert len(parsed.output) <= 16 * 1024


async def test_settings_reach_a_dag_file_under_airflows_names(tmp_path: Path) -> None:
    source = f"""{HEAD}
from airflow.configuration import conf
print(conf.get("core", "dags_folder"), conf.getint("core", "parallelism"))
{DAG}"""
    async with running_pool(tmp_path, concurrency=7) as h:
        parsed = await h.parse_good("a.py", source)
    assert parsed.output == f"{h.settings.dags} 7\n"


async def test_an_edit_in_the_same_second_is_not_hidden_by_a_stale_pyc(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        for number in range(3):
            h.write("helper.py", f"NAME = 'n{number}'")
            parsed = await h.parse_good("a.py", f"{HEAD}\nimport helper\nwith DAG(helper.NAME, schedule=None): pass\n")
            assert [spec.dag_id for spec in parsed.dags] == [f"n{number}"]
