"""Secrets do not appear in texts, structures and what the process prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from asyncflow.authoring import masking
from asyncflow.authoring.masking import mask_secret, mask_text, redact


@pytest.fixture(autouse=True)
def _no_secrets() -> Iterator[None]:
    masking.forget_secrets()
    yield
    masking.forget_secrets()


def test_a_registered_text_is_hidden_everywhere() -> None:
    mask_secret("s3cr3t")
    assert mask_text("password=s3cr3t; again s3cr3t") == "password=***; again ***"


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    mask_secret("abcd")
    mask_secret("abcdefgh")
    assert mask_text("abcdefgh") == "***"


def test_short_texts_are_not_hidden() -> None:
    mask_secret("ab")
    assert mask_text("ab cab") == "ab cab"


def test_of_a_dict_the_values_under_sensitive_names_are_hidden() -> None:
    mask_secret({"password": "hidden-one", "host": "shown-one", "api_key": ["hidden-two"]})
    assert mask_text("hidden-one shown-one hidden-two") == "*** shown-one ***"


def test_a_name_that_is_not_sensitive_hides_nothing() -> None:
    mask_secret("plain", "host")
    assert mask_text("plain") == "plain"


def test_printing_is_masked_from_the_first_secret_on(capsys: pytest.CaptureFixture[str]) -> None:
    print("before: s3cr3t")
    mask_secret("s3cr3t")
    print("after: s3cr3t")
    sys.stdout.writelines(["s3cr3t\n"])
    assert capsys.readouterr().out == "before: s3cr3t\nafter: ***\n***\n"


@pytest.mark.parametrize(
    ("value", "name", "shown"),
    [
        ("say s3cr3t", None, "say ***"),
        ({"password": "anything", "n": 1}, None, {"password": "***", "n": 1}),
        ({"nested": {"token": ["a", "b"]}}, None, {"nested": {"token": ["***", "***"]}}),
        (["s3cr3t", ("s3cr3t",)], None, ["***", ("***",)]),
        ("x", "private_key", "***"),
        ("", "password", ""),
        (True, "token", True),
        (5, None, 5),
    ],
)
def test_structures_are_redacted(value: Any, name: str | None, shown: Any) -> None:
    mask_secret("s3cr3t")
    assert redact(value, name) == shown


def test_airflows_masker_object_works() -> None:
    masker = masking.SecretsMasker()
    masker.add_mask("s3cr3t")
    assert masker.redact({"a": "s3cr3t"}) == {"a": "***"}
