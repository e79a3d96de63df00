"""Texts and lines as SVG wants them: widths that are known without a browser, names cut to fit. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from asyncflow.web.graph_layout import Point

_LETTER = 7.9
#: the coloured stripe of a box, with the sign of its state
STRIPE = 24.0
HEIGHT = 42.0
_NARROWEST, _WIDEST = 96.0, 280.0
#: letters that are half as wide again as most
_BROAD = "mwMW@%"


def path(points: Sequence[Point], down: bool) -> str:
    """A smooth line through the points, level where it leaves and arrives."""
    text = f"M{points[0].x:g} {points[0].y:g}"
    for a, b in zip(points, points[1:], strict=False):
        if a == b:
            continue  # a stretch without length would turn the arrow's head
        if (a.x == b.x) if down else (a.y == b.y):
            text += f"L{b.x:g} {b.y:g}"
        elif down:
            middle = (a.y + b.y) / 2
            text += f"C{a.x:g} {middle:g} {b.x:g} {middle:g} {b.x:g} {b.y:g}"
        else:
            middle = (a.x + b.x) / 2
            text += f"C{middle:g} {a.y:g} {middle:g} {b.y:g} {b.x:g} {b.y:g}"
    return text


def middle(points: Sequence[Point]) -> Point:
    """Where the label of a line goes."""
    half = len(points) // 2
    a, b = points[half - 1], points[half]
    return Point((a.x + b.x) / 2, (a.y + b.y) / 2)


def beside(edges: Iterable[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Of each box the ones before it, and of each the ones after it: what stands out with it."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for source, target in edges:
        after.setdefault(source, []).append(target)
        before.setdefault(target, []).append(source)
    return before, after


def _letters(text: str) -> float:
    """Width of a text in Latin letters; those of East Asia are about twice as wide."""
    broad = 0.5 * sum(map(text.count, _BROAD))
    if not text or max(text) < "\u1100":  # no wide letter comes before these
        return len(text) + broad
    return broad + sum(1.75 if unicodedata.east_asian_width(letter) in "WF" else 1.0 for letter in text)


def box_width(label: str, operator: str) -> float:
    """Of a box with a name and a smaller line below it."""
    wanted = max(_letters(label), _letters(operator) * 0.82 + 8) * _LETTER + STRIPE + 14
    return max(_NARROWEST, min(_WIDEST, wanted))


def cut(text: str, width: float, size: float) -> str:
    """As much of a text as fits in, SVG breaking no lines; the whole is in the title."""
    if _letters(text) * _LETTER * size <= width:
        return text
    room = width - _LETTER * size
    for end, letter in enumerate(text):
        room -= _letters(letter) * _LETTER * size
        if room < 0:
            return text[:end] + "…"
    return text
