"""Hiding what sensitive names hold, and putting it back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.core.secrecy import MASK, hide, restore

_NAMES = st.sampled_from(["region", "password", "api_key", "nested"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)


def test_what_sensitive_names_hold_is_hidden_at_any_depth() -> None:
    given = {"region": "eu", "list": [{"token": "t", "a": 1}], "keyfile_dict": {"x": 1}, "password": ""}
    assert hide(given) == {"region": "eu", "list": [{"token": MASK, "a": 1}], "keyfile_dict": MASK, "password": ""}


@given(_VALUES)
def test_what_was_hidden_and_not_edited_comes_back_as_it_was(value: Any) -> None:
    assert restore(hide(value), value) == value


def test_an_edit_keeps_the_secrets_beside_it() -> None:
    stored = {"a": 1, "secret": "s", "deep": {"token": "t"}}
    edited = {"a": 2, "secret": MASK, "deep": {"token": "new"}, "more": MASK}
    assert restore(edited, stored) == {"a": 2, "secret": "s", "deep": {"token": "new"}, "more": MASK}


@pytest.mark.parametrize("stored", [None, {}, {"password": ""}, [1]])
def test_a_mask_over_nothing_is_refused(stored: Any) -> None:
    with pytest.raises(ValueError, match="'password' reads"):
        restore({"password": MASK}, stored)
