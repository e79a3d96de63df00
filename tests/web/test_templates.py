"""Nothing lies among the templates and scripts that no page uses."""

from __future__ import annotations

import re
from pathlib import Path

from asyncflow.web import templating
from asyncflow.web.templating import STATIC

TEMPLATES = STATIC.parent / "templates"
TEXTS = {path.relative_to(TEMPLATES).as_posix(): path.read_text() for path in TEMPLATES.glob("**/*.html")}
CODE = "".join(path.read_text() for path in Path(templating.__file__).parent.glob("*.py"))


def test_every_template_is_used() -> None:
    everything = CODE + "".join(TEXTS.values())
    assert [name for name in TEXTS if f'"{name}"' not in everything] == []


def test_every_macro_is_used() -> None:
    for name, text in TEXTS.items():
        for macro in re.findall(r"{% macro (\w+)\(", text):
            others = "".join(text.replace(f"macro {macro}(", "") for text in TEXTS.values())
            assert re.search(rf"\b{macro}\(", others), f"{macro} of {name}"


def test_every_static_file_is_linked() -> None:
    scripts = "".join(path.read_text() for path in STATIC.glob("*.js"))
    linked = CODE + scripts + "".join(TEXTS.values())
    files = [path.name for path in STATIC.iterdir() if path.suffix in (".js", ".css", ".svg", ".png", ".ico")]
    assert [name for name in files if name not in linked] == []
