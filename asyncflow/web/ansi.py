"""What a terminal would make of a text, as classes: `a1` bold, `a31` red, `b41` on red. Pure.

Of 256 and of 16,777,216 colours the nearest of the sixteen is taken, which has a shade for each theme.
"""

from __future__ import annotations

import re

from markupsafe import escape

_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
#: other escape sequences, and control characters, that a terminal would not show
_HIDDEN = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"
)
#: characters that change the order in which others are shown, so that a line could say another thing than it is
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_STYLES = {1: "a1", 2: "a2", 3: "a3", 4: "a4"}
_OFF = {22: ("a1", "a2"), 23: ("a3",), 24: ("a4",)}
#: red, green and blue of the sixteen colours, dark ones first
_SIXTEEN = (
    *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)),
    *((127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255)),
    (255, 255, 255),
)


def coloured(text: str, find: str = "") -> str:
    """HTML of a line; what is searched for is marked."""
    if "\x1b" not in text:
        return _marked(_clean(text), find)
    out: list[str] = []
    style = _Style()
    place = 0
    for code in _SGR.finditer(text):
        out.append(style.span(text[place : code.start()], find))
        style.turn(code[1])
        place = code.end()
    out.append(style.span(text[place:], find))
    return "".join(out)


def plain(text: str) -> str:
    """A text without what only a terminal understands."""
    return _clean(_SGR.sub("", text)).replace("\x1b", "")


def _clean(text: str) -> str:
    return _TURNING.sub(lambda found: f"\u27e8{ord(found[0]):X}\u27e9", _HIDDEN.sub("", text))


class _Style:
    """How a terminal writes now."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}

    def span(self, text: str, find: str) -> str:
        inner = _marked(plain(text), find)
        names = " ".join(dict.fromkeys(self._classes.values()))
        return f'<span class="{names}">{inner}</span>' if names and inner else inner

    def turn(self, codes: str) -> None:
        """Take over one `ESC [ ... m`."""
        numbers = [int(part or 0) for part in codes.replace(":", ";").split(";")[:32]]
        while numbers:
            number = numbers.pop(0)
            if number in (38, 48):
                self._long("colour" if number == 38 else "ground", numbers)
            else:
                self._short(number)

    def _short(self, number: int) -> None:
        if number == 0:
            self._classes.clear()
        elif number in _STYLES:
            self._classes[_STYLES[number]] = _STYLES[number]
        elif number in _OFF:
            for name in _OFF[number]:
                self._classes.pop(name, None)
        elif 30 <= number <= 37 or 90 <= number <= 97:
            self._classes["colour"] = f"a{number}"
        elif 40 <= number <= 47 or 100 <= number <= 107:
            self._classes["ground"] = f"b{number}"
        elif number in (39, 49):
            self._classes.pop("colour" if number == 39 else "ground", None)

    def _long(self, layer: str, rest: list[int]) -> None:
        """`38;5;n` and `38;2;r;g;b`; takes its numbers out of `rest`."""
        kind = rest.pop(0) if rest else 0
        if kind == 5 and rest:
            colour = _of_256(rest.pop(0))
        elif kind == 2 and len(rest) >= 3:
            colour = (rest.pop(0), rest.pop(0), rest.pop(0))
        else:
            rest.clear()
            return
        near = min(range(16), key=lambda n: sum((a - b) ** 2 for a, b in zip(_SIXTEEN[n], colour, strict=True)))
        base = near + 30 if near < 8 else near + 82
        self._classes[layer] = f"a{base}" if layer == "colour" else f"b{base + 10}"


def _of_256(number: int) -> tuple[int, int, int]:
    """Sixteen colours, a cube of six by six by six, then shades of gray."""
    if number < 16:
        return _SIXTEEN[number]
    if number >= 232:
        gray = 8 + 10 * min(number - 232, 23)
        return gray, gray, gray
    cube = (0, 95, 135, 175, 215, 255)
    return cube[(number - 16) // 36], cube[(number - 16) // 6 % 6], cube[(number - 16) % 6]


def _marked(text: str, find: str) -> str:
    if not find:
        return str(escape(text))
    parts = re.split(f"({re.escape(find)})", text, flags=re.IGNORECASE)
    return "".join(f"<mark>{escape(part)}</mark>" if n % 2 else str(escape(part)) for n, part in enumerate(parts))
