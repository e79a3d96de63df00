"""The pages of a DAG speak Korean too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asyncflow.web import i18n
from asyncflow.web.calendar_view import WEEKDAYS
from asyncflow.web.chart_view import KINDS
from asyncflow.web.dag_head import TABS
from asyncflow.web.templating import STATIC

TEMPLATES = STATIC.parent / "templates" / "dags"
NAMES = (
    *("_header", "_legend", "grid", "_grid", "graph", "_graph", "gantt", "_gantt", "calendar", "charts"),
    *("runs", "_runs", "details", "code"),
)


def _texts(path: Path) -> set[str]:
    return {text for _, text in re.findall(r"""\b_(?:\.n)?\((["'])(.+?)\1""", path.read_text())}


@pytest.mark.parametrize("name", NAMES)
def test_every_text_of_the_templates_has_its_korean(name: str) -> None:
    assert _texts(TEMPLATES / f"{name}.html") - i18n.words("ko").keys() == set()


def test_texts_from_the_code_have_theirs() -> None:
    texts = {*TABS.values(), *WEEKDAYS, *(kind.heading for kind in KINDS.values()), *(k.axis for k in KINDS.values())}
    assert texts - i18n.words("ko").keys() == set()
