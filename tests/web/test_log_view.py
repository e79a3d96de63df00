"""A log as HTML."""

from __future__ import annotations

import re
from typing import Any

import pytest

from asyncflow.engine.logs import Window
from asyncflow.web.log_view import END_OF_FOLD, Renderer, Text, merged


def rendered(text: str, **how: Any) -> Text:
    renderer = Renderer(**how)
    renderer.feed(text.encode(), 0)
    return renderer.finish()


def html(text: str, **how: Any) -> str:
    return str(rendered(text, **how).html)


def shown(text: str) -> str:
    """What a reader sees of lines."""
    return re.sub(r"<[^>]+>", "", html(text))


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '" onload="x', "&amp;", "::group::<img src=x>", "\x1b[31m<b>\x1b[0m"]
)
def test_nothing_of_a_log_is_markup(text: str) -> None:
    tags = set(re.findall(r"<(\w+)", html(text)))
    assert tags <= {"div", "a", "span", "details", "summary"}
    assert 'onload="' not in html(text)


def test_a_line_is_named_by_its_byte() -> None:
    text = html("é\nb\n")
    assert 'id="b0"' in text
    assert 'id="b3"' in text
    assert 'href="?at=7#b0"' in html("a\n", link="?at=7")


def test_a_line_without_a_level_has_that_of_the_line_before() -> None:
    found = re.findall(r'class="(line[^"]*)"', html("[2026-01-01T00:00:00.000+0000] {a.py:1} ERROR - no\nTraceback\n"))
    assert found == ["line error", "line error"]
    assert 'class="line warning"' in html("more\n", level="warning")


def test_groups_fold_and_are_always_closed() -> None:
    text = html("::group::Setup\none\n::endgroup::\ntwo\n::endgroup::\n::group::\nthree\n")
    assert text.count("<details") == text.count("</details>") == 2
    assert "<summary>Setup</summary>" in text
    assert "<summary>group</summary>" in text


def test_a_fold_that_goes_on_says_so_and_its_end_is_told_later() -> None:
    text = html("::group::a\n::group::b\none\n")
    assert text.count('<details class="fold" data-on>') == 2
    assert html("two\n::endgroup::\nthree\n", goes_on=True).count(END_OF_FOLD) == 1
    assert END_OF_FOLD not in html("two\n::endgroup::\nthree\n")


def test_a_fold_does_not_hide_what_went_wrong_or_was_searched_for() -> None:
    head = "[2026-01-01T00:00:00.000+0000] {a.py:1}"
    assert '<details class="fold" open>' in html(f"::group::a\n{head} ERROR - no\n{head} INFO - on\n::endgroup::\n")
    assert '<details class="fold" open>' in html("::group::a\nneedle\n::endgroup::\n", find="needle")
    assert "open" not in html(f"::group::a\n{head} INFO - fine\n::endgroup::\n")


def test_what_is_searched_for_is_marked_in_any_case() -> None:
    assert "a <mark>B&lt;</mark> c <mark>b&lt;</mark>" in html("a B< c b<", find="b<")


def test_a_long_pause_is_said() -> None:
    text = html("[2026-01-01T00:00:00.000+0000] {a:1} INFO - a\n[2026-01-01T00:01:30.000+0000] {a:1} INFO - b\n")
    assert '<div class="gap">90 s</div>' in text
    assert ">3 min</div>" in html("[2026-01-01T00:00:00] a\n[2026-01-01T00:03:00] b\n")
    assert "2.5 h" in html("[2026-01-01T00:00:00] a\n[2026-01-01T02:30:00] b\n")
    assert "gap" not in html("[2026-01-01T00:00:00] a\n[9999-99-99T00:01:30] b\n")


def test_logs_are_merged_by_time_and_a_line_stays_behind_its_head() -> None:
    first = b"[2026-01-01T00:00:01.000+0000] {a:1} INFO - a1\n more\n[2026-01-01T00:00:03.000+0000] {a:1} INFO - a3\n"
    second = b"[2026-01-01T00:00:02.000+0000] {a:1} WARNING - b2\n"
    lines = merged([("a", "/a", Window(first, 0, 9)), ("b", "/b", Window(second, 0, 9))])
    assert [(line.name, str(line.html)[-4:]) for line in lines] == [
        ("a", "- a1"),
        ("", "more"),
        ("b", "- b2"),
        ("a", "- a3"),
    ]
    assert [line.name for line in merged([("b", "/b", Window(second + first, 0, 9))], "warning")] == ["b"]


def test_a_merged_log_keeps_its_last_lines_and_those_that_are_wanted() -> None:
    text = "".join(f"[2026-01-01T00:00:0{n}.000+0000] {{a:1}} INFO - line {n}\n" for n in range(5)).encode()
    assert [str(it.html)[-1] for it in merged([("a", "/a", Window(text, 0, 9))], most=2)] == ["3", "4"]
    assert [str(it.html) for it in merged([("a", "/a", Window(text, 0, 9))], find="LINE 2")][0].endswith(
        "<mark>line 2</mark>"
    )
