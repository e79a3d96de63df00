"""The signs of states: one for each, and the style sheet has them."""

from __future__ import annotations

import pytest

from asyncflow.core.states import RunState, TaskState
from asyncflow.web import signs, views
from asyncflow.web.templating import STATIC


@pytest.mark.parametrize("state", sorted({*map(str, TaskState), *map(str, RunState), "awaiting_input"} - {"none"}))
def test_every_state_has_a_sign(state: str) -> None:
    assert signs.sign(state).startswith("M")
    assert views.badge(state).glyph == signs.sign(state)


def test_no_status_is_an_empty_box() -> None:
    assert signs.sign(None) == signs.sign("none") == ""


def test_the_style_sheet_has_them() -> None:
    lines = (STATIC / "app.css").read_text().splitlines()
    assert [rule for rule in signs.style_rules() if rule not in lines] == []


def test_states_are_told_apart_by_their_signs_alone() -> None:
    others = [path for state, path in signs.SIGNS.items() if state != "restarting"]  # shown as a retry, as in Airflow
    assert len(set(others)) == len(others)
