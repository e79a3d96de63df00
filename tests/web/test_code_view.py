from __future__ import annotations

from asyncflow.web import code_view


def test_lines_are_those_that_python_counts() -> None:
    assert len(code_view.coloured("a = 1\n\x0cb = 2\n\nc = '''x\ny'''\n")) == 5
    assert code_view.coloured("") == []


def test_a_very_long_text_is_left_plain() -> None:
    text = "x = 1  # <\n" * 40_000
    assert code_view.coloured(text)[0] == "x = 1  # <"


def test_a_comparison_shows_only_what_is_near_a_change() -> None:
    old = "\n".join(f"line {n}" for n in range(100))
    lines = code_view.compared(old, old.replace("line 50", "new"))
    assert [(line.kind, line.before, line.after) for line in lines if line.kind in ("old", "new")] == [
        ("old", 51, None),
        ("new", None, 51),
    ]
    assert len(lines) == 1 + 3 + 2 + 3
    assert lines[0].text == "lines 48 to 54"
    assert code_view.compared(old, old) == []
