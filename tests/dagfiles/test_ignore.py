"""`.airflowignore` in both syntaxes."""

from __future__ import annotations

import logging

import pytest

from asyncflow.dagfiles.ignore import IgnoreRules


def ignored(syntax: str, lines: str, path: str, *, is_folder: bool = False, folder: str = "") -> bool:
    return IgnoreRules(syntax).with_lines(lines, folder).ignore(path, is_folder=is_folder)


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        ("tests/", "tests/a.py", True),
        ("project_a", "dags/project_a_old.py", True),
        ("project_a", "project_b.py", False),
        (r"tenant_[\d]", "tenant_1/x.py", True),
        ("^top", "sub/top.py", False),
        ("# all of it: .*", "a.py", False),
        ("a\\.py  # the old one", "a.py", True),
        ("   ", "a.py", False),
    ],
)
def test_a_regexp_is_searched_for_in_the_whole_path(lines: str, path: str, expected: bool) -> None:
    assert ignored("regexp", lines, path) is expected


def test_a_regexp_of_a_nested_file_is_relative_to_the_dag_folder() -> None:
    assert ignored("regexp", "^sub/a", "sub/a.py", folder="sub")
    assert not ignored("regexp", "^a", "sub/a.py", folder="sub")


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        ("*.py", "deep/down/a.py", True),
        ("a.py", "deep/a.py", True),
        ("/a.py", "deep/a.py", False),
        ("/a.py", "a.py", True),
        ("deep/*.py", "deep/a.py", True),
        ("deep/*.py", "deep/down/a.py", False),
        ("deep/**/a.py", "deep/a.py", True),
        ("deep/**/a.py", "deep/x/y/a.py", True),
        ("**/a.py", "x/y/a.py", True),
        ("deep/**", "deep/x/a.py", True),
        ("te?t.py", "test.py", True),
        ("te?t.py", "te/t.py", False),
        ("te[sx]t.py", "text.py", True),
        ("te[!s]t.py", "test.py", False),
        ("te[!s]t.py", "text.py", True),
        ("te[st.py", "te[st.py", True),
        (r"what\?.py", "what?.py", True),
        (r"what\?.py", "whats.py", False),
        ("*.py\n!keep.py", "keep.py", False),
        ("!keep.py\n*.py", "keep.py", True),
        ("build/", "build", False),
        ("a.b", "axb", False),
    ],
)
def test_a_glob_works_as_in_gitignore(lines: str, path: str, expected: bool) -> None:
    assert ignored("glob", lines, path) is expected


def test_a_glob_with_a_closing_slash_means_folders_only() -> None:
    assert ignored("glob", "build/", "build", is_folder=True)
    assert ignored("glob", "build/", "deep/build", is_folder=True)


def test_a_glob_with_a_slash_is_relative_to_the_folder_of_its_file() -> None:
    assert ignored("glob", "/a.py", "sub/a.py", folder="sub")
    assert not ignored("glob", "/a.py", "sub/deeper/a.py", folder="sub")


def test_lines_of_a_deeper_file_override_those_above() -> None:
    above = IgnoreRules("glob").with_lines("*.py", "")
    below = above.with_lines("!a.py", "sub")
    assert above.ignore("a.py", is_folder=False)
    assert not below.ignore("sub/a.py", is_folder=False)
    assert below.ignore("sub/b.py", is_folder=False)


@pytest.mark.parametrize(
    ("syntax", "line", "folder", "where"),
    [
        ("regexp", "te[st", "", ".airflowignore"),
        ("glob", "/", "sub", "sub/.airflowignore"),
        ("glob", "te[z-a]", "", ""),
    ],
)
def test_a_bad_line_is_left_out_with_a_warning(
    syntax: str, line: str, folder: str, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert not ignored(syntax, line, "te[st", folder=folder)
    assert f"{where}: the line {line!r} is left out" in caplog.text if where else repr(line) in caplog.text
