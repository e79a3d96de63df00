"""The colours of states can be told apart, by people with every kind of colour vision, on both themes.

CIEDE2000 between each pair of states, for normal vision and for full protanopia, deuteranopia and tritanopia (matrices
of Machado, Oliveira and Fernandes 2009, in linear light); the smallest of the four counts. Reads the CSS file itself.
"""

from __future__ import annotations

import re
from itertools import combinations
from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt

import pytest

from asyncflow.core.states import TaskState
from asyncflow.web.templating import STATIC

Colour = tuple[float, float, float]

CSS = (STATIC / "app.css").read_text()
#: a second coat of another state, or no paint at all
SHARED = {"restarting": "up_for_retry"}
PALETTE = {
    name: (background, text)
    for name, background, text in re.findall(
        r"\.state-(\w+)(?:, \.state-\w+)? \{ background: (#\w+); color: (#\w+);", CSS
    )
}
PAIRS = [(one, other) for one, other in combinations(PALETTE, 2)]
VISION = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(code: str) -> Colour:
    """`#rgb` or `#rrggbb` in linear light, 0 to 1."""
    digits = code[1:] if len(code) == 7 else "".join(2 * digit for digit in code[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return red, green, blue


def luminance(code: str) -> float:
    red, green, blue = linear(code)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG's ratio, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def lab(colour: Colour) -> Colour:
    """CIE L*a*b* (D65) of linear sRGB."""
    red, green, blue = (min(max(part, 0.0), 1.0) for part in colour)
    xyz = (
        (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047,
        0.2126729 * red + 0.7151522 * green + 0.0721750 * blue,
        (0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883,
    )
    x, y, z = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def hue(a: float, b: float) -> float:
    return degrees(atan2(b, a)) % 360 if a or b else 0.0


def ciede2000(one: Colour, other: Colour) -> float:
    """The difference of two L*a*b* colours (Sharma, Wu and Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean7 = ((hypot(a1, b1) + hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * sqrt(mean7 / (mean7 + 25**7))
    c1, c2 = hypot(a1 * stretch, b1), hypot(a2 * stretch, b2)
    h1, h2 = hue(a1 * stretch, b1), hue(a2 * stretch, b2)
    turn = ((h2 - h1 + 180) % 360 - 180) if c1 * c2 else 0.0
    dl, dc, dh = l2 - l1, c2 - c1, 2 * sqrt(c1 * c2) * sin(radians(turn) / 2)
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    h = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    t = (
        1
        - 0.17 * cos(radians(h - 30))
        + 0.24 * cos(radians(2 * h))
        + 0.32 * cos(radians(3 * h + 6))
        - 0.20 * cos(radians(4 * h - 63))
    )
    sl = 1 + 0.015 * (light - 50) ** 2 / sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    twist = -2 * sqrt(c**7 / (c**7 + 25**7)) * sin(radians(60 * exp(-(((h - 275) / 25) ** 2))))
    return sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + twist * (dc / sc) * (dh / sh))


def seen(code: str, vision: str) -> Colour:
    """A colour as somebody with this vision sees it, in L*a*b*."""
    colour = linear(code)
    rows = VISION[vision]
    red, green, blue = (sum(weight * part for weight, part in zip(row, colour, strict=True)) for row in rows)
    return lab((red, green, blue))


def difference(one: str, other: str) -> float:
    """For whoever sees it least."""
    codes = PALETTE[one][0], PALETTE[other][0]
    return min(ciede2000(seen(codes[0], vision), seen(codes[1], vision)) for vision in VISION)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ],
)
def test_the_measure_gives_the_published_figures(one: Colour, other: Colour, expected: float) -> None:
    assert ciede2000(one, other) == pytest.approx(expected, abs=5e-4)


def test_every_state_has_a_colour() -> None:
    assert set(PALETTE) == {state for state in TaskState if state not in SHARED} - {"none"} | {"awaiting_input"}
    assert ".state-none {" in CSS


def test_every_pair_of_states_can_be_told_apart() -> None:
    alike = {pair: round(difference(*pair), 1) for pair in PAIRS if difference(*pair) < 10}
    assert alike == {}


def test_failed_stands_out_from_everything() -> None:
    alike = {pair: round(difference(*pair), 1) for pair in PAIRS if "failed" in pair and difference(*pair) < 15}
    assert alike == {}


@pytest.mark.parametrize("state", PALETTE)
def test_text_on_a_state_can_be_read(state: str) -> None:
    assert contrast(*PALETTE[state]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("name", "least"), [("edge", 3.0), ("text", 4.5), ("soft", 4.5), ("link", 4.5), ("alarm", 4.5)]
)
def test_borders_and_text_stand_out_from_the_page(name: str, least: float, theme: int) -> None:
    both = {key: codes for key, *codes in re.findall(r"--(\w+): light-dark\((#\w+), (#\w+)\)", CSS)}
    for under in ("page", "raised"):
        assert contrast(both[name][theme], both[under][theme]) >= least


CLASSIC = re.findall(r'airflow2"\] \.state-(\w+) \{ background-color: (#\w+); fill: (#\w+); color: (#\w+);', CSS)


def test_the_colours_of_airflow_2_are_there_for_every_state() -> None:
    assert {name for name, *_ in CLASSIC} == {*PALETTE, "restarting"}
    assert {name: shade for name, shade, *_ in CLASSIC}["running"] == "#00ff00"


@pytest.mark.parametrize(("name", "background", "fill", "text"), CLASSIC)
def test_text_on_a_state_in_the_colours_of_airflow_2_can_be_read(
    name: str, background: str, fill: str, text: str
) -> None:
    assert background == fill
    assert contrast(background, text) >= 4.5
