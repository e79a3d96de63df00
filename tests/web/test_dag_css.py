"""The fills of shapes are the colours of states."""

from __future__ import annotations

import re

from asyncflow.web.templating import STATIC


def test_shapes_have_the_colours_of_their_states() -> None:
    colours, fills = (
        {
            state: value
            for selectors, value in re.findall(rf"^([^{{\n]*state-[^{{]*)\{{[^}}]*?\b{key}: (#\w+)", text, re.MULTILINE)
            for state in re.findall(r"state-(\w+)", selectors)
        }
        for key, text in (
            ("background", (STATIC / "app.css").read_text()),
            ("fill", re.sub(r"(?m)^\.(?!state).*$", "", (STATIC / "dag.css").read_text())),
        )
    )
    assert len(fills) > 12
    assert fills == colours
