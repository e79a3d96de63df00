"""What a terminal would make of a line."""

from __future__ import annotations

import pytest

from asyncflow.web.ansi import coloured, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m plain", '<span class="a31">red</span> plain'),
        ("\x1b[1;32mx\x1b[22my\x1b[39mz", '<span class="a1 a32">x</span><span class="a32">y</span>z'),
        ("\x1b[3;4mx\x1b[23my\x1b[24mz", '<span class="a3 a4">x</span><span class="a4">y</span>z'),
        ("\x1b[41;97mx\x1b[49my", '<span class="b41 a97">x</span><span class="a97">y</span>'),
        ("\x1b[38;5;9mx", '<span class="a91">x</span>'),
        ("\x1b[38;5;196;1mx", '<span class="a91 a1">x</span>'),
        ("\x1b[38;5;244mx", '<span class="a90">x</span>'),
        ("\x1b[38;2;0;200;10mx", '<span class="a32">x</span>'),
        ("\x1b[38:2:0:200:10mx", '<span class="a32">x</span>'),
        ("\x1b[48;5;1mx", '<span class="b41">x</span>'),
        ("\x1b[38mx", "x"),
        ("\x1b[38;7;1mx", "x"),
        ("\x1b[999mx", "x"),
        ("\x1b[2K\x1b]0;title\x07x", "x"),
        ("bell\x07\x9b", "bell"),
        ("\x1b[31m", ""),
    ],
)
def test_codes_become_classes_or_nothing(text: str, expected: str) -> None:
    assert coloured(text) == expected


def test_characters_that_turn_others_round_are_shown() -> None:
    assert coloured("rm \u202egnp.sh") == "rm \u27e8202E\u27e9gnp.sh"


def test_everything_else_is_escaped_and_what_is_searched_for_marked() -> None:
    assert coloured('\x1b[31m<b>"', "B") == '<span class="a31">&lt;<mark>b</mark>&gt;&#34;</span>'
    assert plain("\x1b[31m<b>\x1b") == "<b>"
