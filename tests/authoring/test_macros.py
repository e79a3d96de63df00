"""`macros.*` beyond the recorded templates."""

from __future__ import annotations

import pytest

from asyncflow.authoring import macros


@pytest.mark.parametrize(
    ("pattern", "locale", "text"),
    [
        ("EEEE d MMMM y", "en_US", "Thursday 20 June 2024"),
        ("EEE, dd MMM yy", "en", "Thu, 20 Jun 24"),
        ("d MMMM y", "fr_FR", "20 juin 2024"),
        ("d. MMMM 'um' HH:mm", "de_DE", "20. Juni um 15:04"),
        ("h:mm a 'o''clock'", "en_US", "3:04 PM o'clock"),
        ("y-MM-dd'T'HH:mm:ss.SSS", None, "2024-06-20T15:04:05.000"),
        ("QQ D w", "en_US", "02 172 25"),
    ],
)
def test_dates_are_written_by_cldr_patterns(pattern: str, locale: str | None, text: str) -> None:
    assert macros.ds_format_locale("2024-06-20 15:04:05", "%Y-%m-%d %H:%M:%S", pattern, locale) == text


def test_unknown_locales_and_letters_are_named() -> None:
    with pytest.raises(ValueError, match="unknown locale 'xx_XX'"):
        macros.ds_format_locale("2024-06-20", "%Y-%m-%d", "y", "xx_XX")
    with pytest.raises(ValueError, match="'GG' is not supported"):
        macros.ds_format_locale("2024-06-20", "%Y-%m-%d", "GG", "en_US")


def test_differences_are_in_words() -> None:
    start = macros.datetime(2024, 1, 1)
    assert macros.datetime_diff_for_humans(start, start + macros.timedelta(days=21)) == "3 weeks before"
