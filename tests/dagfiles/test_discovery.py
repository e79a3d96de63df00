"""Which files of the DAG folder are DAG files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from asyncflow.dagfiles.discovery import discover, might_hold_dag

DAG = "from airflow import DAG\n"


def put(folder: Path, *paths: str, text: str = DAG) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_python_files_that_speak_of_dags_are_found_at_any_depth(tmp_path: Path) -> None:
    put(tmp_path, "b.py", "a.py", "deep/down/c.py")
    put(tmp_path, "helper.py", text="x = 1\n")
    put(tmp_path, "notes.txt", "__pycache__/d.py", ".git/e.py")
    assert discover(tmp_path) == ["a.py", "b.py", "deep/down/c.py"]


def test_without_safe_mode_every_python_file_counts(tmp_path: Path) -> None:
    put(tmp_path, "helper.py", text="x = 1\n")
    assert discover(tmp_path, safe_mode=False) == ["helper.py"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"from airflow import DAG", True),
        (b"from ASYNCFLOW import Dag", True),
        (b"from airflow.sdk import Asset", True),
        (b"import airflow", False),
        (b"a dag of nothing", False),
        (b"", False),
    ],
)
def test_safe_mode_wants_both_words_in_any_case(text: bytes, expected: bool) -> None:
    assert might_hold_dag(text) is expected


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert discover(tmp_path / "missing") == []


def test_ignore_files_count_for_their_folder_and_below(tmp_path: Path) -> None:
    put(tmp_path, "a.py", "sub/a.py", "sub/b.py", "sub/deeper/b.py", "other/b.py", "skipped/x.py")
    put(tmp_path, ".airflowignore", text="skipped\n")
    put(tmp_path, "sub/.airflowignore", text="b\\.py\n")
    assert discover(tmp_path) == ["a.py", "other/b.py", "sub/a.py"]


def test_ignore_files_may_be_written_as_globs(tmp_path: Path) -> None:
    put(tmp_path, "a.py", "sub/a.py", "sub/b.py")
    put(tmp_path, ".airflowignore", text="/sub/*\n!b.py\n")
    assert discover(tmp_path, syntax="glob") == ["a.py", "sub/b.py"]


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    put(dags, "real/a.py", "real/deep/b.py")
    put(tmp_path, "outside/c.py")
    (dags / "a_link_to_real").symlink_to(dags / "real")
    (dags / "real" / "loop").symlink_to(dags)
    (dags / "out").symlink_to(tmp_path / "outside")
    (dags / "broken.py").symlink_to(tmp_path / "nowhere")
    assert discover(dags) == ["out/c.py", "real/a.py", "real/deep/b.py"]


def test_dag_files_at_the_top_of_a_zip_are_found(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("b.py", DAG)
        archive.writestr("helper.py", "x = 1")
        archive.writestr("package/c.py", DAG)
        archive.writestr("readme.txt", DAG)
    assert discover(tmp_path) == ["packed.zip/b.py"]
    assert discover(tmp_path, safe_mode=False) == ["packed.zip/b.py", "packed.zip/helper.py"]


def test_a_damaged_zip_is_listed_so_that_its_error_shows(tmp_path: Path) -> None:
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.py", DAG * 100)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"b.py", b"c.py", 1))  # the member is now called otherwise than the directory says
    assert discover(tmp_path) == ["packed.zip"]


def test_a_text_that_begins_like_a_zip_is_none(tmp_path: Path) -> None:
    put(tmp_path, "PK.txt", text="PK is not a zip")
    assert discover(tmp_path) == []


def test_a_file_that_cannot_be_read_is_listed_so_that_its_error_shows(tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to("/proc/self/mem")  # a regular file whose first byte cannot be read
    assert discover(tmp_path) == ["a.py"]


def test_an_ignore_file_that_cannot_be_read_ignores_nothing(tmp_path: Path) -> None:
    put(tmp_path, "a.py")
    (tmp_path / ".airflowignore").symlink_to("/proc/self/mem")
    assert discover(tmp_path) == ["a.py"]
