"""Keys that readers change."""

from __future__ import annotations

import json
import re

import pytest

from asyncflow.errors import InvalidInput
from asyncflow.web import keys
from asyncflow.web.i18n import words
from asyncflow.web.templating import STATIC
from tests.web.conftest import Site


def test_a_key_that_is_given_away_means_nothing() -> None:
    own = keys.chosen(keys.as_cookie({**{key: key for key in keys.KEYS}, "r": "q", "j": "", "k": "j"}))
    assert own == {"r": "q", "j": "", "k": "j"}
    assert keys.meanings(own) == {"q": "r", "r": "", "j": "k", "k": ""}


@pytest.mark.parametrize("cookie", ["", "odd", "r=toolong", "unknown=x", "r=%20", "r=r", "r=\x00", "&&=="])
def test_a_cookie_that_is_not_ours_changes_nothing(cookie: str) -> None:
    assert keys.chosen(cookie) == {}
    assert keys.as_json({}) == ""


def test_no_key_is_for_two_things() -> None:
    with pytest.raises(InvalidInput, match="'x' is for both 'Select the row' and 'Trigger'"):
        keys.as_cookie({"x": "x", "r": "x"})
    with pytest.raises(InvalidInput, match="Trigger: 'xy' is not one key"):
        keys.as_cookie({"r": "xy"})


def test_every_key_of_a_page_is_in_the_list() -> None:
    texts = [path.read_text() for path in (STATIC.parent / "templates").rglob("*.html")]
    used = {key for text in texts for key in re.findall(r'data-key="([^"{]+)"', text)}
    assert used - keys.KEYS.keys() == set()
    assert set(keys.KEYS.values()) - words("ko").keys() == set()


def test_keys_are_kept_and_shown(site: Site) -> None:
    assert "data-keymap" not in site.text("/")
    assert 'name="key-r" value="r"' in site.text("/keys")
    answer = site.send("/keys", {f"key-{key}": {"r": "<", "x": ""}.get(key, key) for key in keys.KEYS})
    assert (answer.status_code, answer.headers["location"]) == (303, "/keys")
    text = site.text("/keys")
    assert 'name="key-r" value="&lt;"' in text
    assert "usually r" in text
    assert "<kbd>&lt;</kbd>" in text
    [kept] = re.findall(r'data-keymap="([^"]+)"', text)
    assert json.loads(kept.replace("&#34;", '"').replace("&lt;", "<")) == {"<": "r", "r": "", "x": ""}
    site.send("/keys", {"reset": "1"})
    assert "data-keymap" not in site.text("/keys")


def test_a_wrong_key_is_a_sentence(site: Site) -> None:
    answer = site.send("/keys", {"key-r": "x"})
    assert answer.status_code == 400
    assert "each needs its own" in answer.text
