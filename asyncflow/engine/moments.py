"""Dates that people write, as moments."""

from __future__ import annotations

from datetime import UTC, datetime

from asyncflow.errors import InvalidInput


def moment(text: str | None, field: str) -> datetime | None:
    """An ISO date or time as aware UTC (no offset = UTC). Raises InvalidInput naming the field."""
    if text is None or text == "":
        return None
    try:
        value = datetime.fromisoformat(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: in UTC it is beyond the first or the last year
        raise InvalidInput(
            "{field}={text!r} is not a date; write it like 2026-01-31 or 2026-01-31T04:00:00.", field=field, text=text
        ) from None
