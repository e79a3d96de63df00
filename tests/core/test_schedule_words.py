"""Schedules in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from dateutil.relativedelta import MO, relativedelta

from asyncflow.core.schedule_words import cron_words, span_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0 * * *", "Every day at 00:00"),
        ("30 2 * * *", "Every day at 02:30"),
        ("0 6,18 * * *", "Every day at 06:00 and 18:00"),
        ("* * * * *", "Every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("0 * * * *", "Every hour"),
        ("15 * * * *", "Every hour at minute 15"),
        ("5,20 * * * *", "Every hour at minute 5 and 20"),
        ("0 */6 * * *", "Every 6 hours"),
        ("10 */6 * * *", "Every 6 hours at minute 10"),
        ("0 0 * * 0", "At 00:00 on Sunday"),
        ("0 9 * * 1-5", "At 09:00 on Monday to Friday"),
        ("0 9 * * 1,3", "At 09:00 on Monday and Wednesday"),
        ("0 0 1 * *", "At 00:00 on day 1 of the month"),
        ("0 0 1,15 * 1", "At 00:00 on day 1 and 15 of the month or on Monday"),
        ("0 0 1 */3 *", "At 00:00 on day 1 of the month in January, April, July and October"),
        ("0 0 * 12 *", "Every day at 00:00 in December"),
        ("*/15 * * * 1", "Every 15 minutes on Monday"),
        # too odd for words
        ("* 3 * * *", "* 3 * * *"),
        ("*/10 1-9 * * *", "*/10 1-9 * * *"),
        ("0 0 L * *", "0 0 L * *"),
        ("0 0 * * 5#2", "0 0 * * 5#2"),
        ("* * * * * *", "* * * * * *"),
    ],
)
def test_cron_texts_in_words(text: str, words: str) -> None:
    assert cron_words(text) == words


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=1), "day"),
        (timedelta(minutes=5), "5 minutes"),
        (timedelta(days=1, hours=2, seconds=30), "1 day 2 hours 30 seconds"),
        (timedelta(milliseconds=5), "0:00:00.005000"),
        (relativedelta(months=1), "month"),
        (relativedelta(years=1, months=2), "1 year 2 months"),
        (relativedelta(weekday=MO), "relativedelta(weekday=MO)"),
        (relativedelta(months=1, day=1), "relativedelta(months=+1, day=1)"),
    ],
)
def test_spans_in_words(span: timedelta | relativedelta, words: str) -> None:
    assert span_words(span) == words
